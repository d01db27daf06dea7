"""``manage.py tessera_inspect`` says what a token is, and never shows it."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import CommandError, call_command

from drf_tessera import sessions
from drf_tessera.exceptions import DatabaseUnavailable
from drf_tessera.rest import explanation

pytestmark = pytest.mark.django_db


def run(token: str, *options: str) -> tuple[str, int]:
    """Return what the command writes, and its exit code."""
    out = io.StringIO()
    try:
        call_command("tessera_inspect", token, *options, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", error.returncode
    return out.getvalue(), 0


def test_a_token_that_is_accepted(anna: AbstractBaseUser) -> None:
    token = sessions.start(anna).access
    text, code = run(token)
    assert code == 0
    assert text.startswith("This claims to be an access token of this server.\n  ok  form ")
    assert text.endswith("This server accepts the token.\n")
    assert token not in text


def test_a_token_that_is_refused(anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    sessions.revoke(grant.session_id)
    text, code = run(grant.access)
    assert code == 1
    assert "  NO  session        The session has ended; log in again. The session " in text
    assert "because its user logged out." in text
    assert text.endswith("This server refuses the token: session_ended.")


def test_steps_after_the_problem_were_not_checked() -> None:
    text, code = run("a.b.c")
    assert code == 1
    assert "  NO  form " in text
    assert "  --  signature      not checked" in text


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer  ", "\n"])
def test_the_token_comes_from_the_input(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    token = sessions.start(anna).access
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{prefix}{token}\n"))
    assert run("-")[1] == 0


def test_no_token_is_a_wrong_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert run("-") == ("There is no token.", 2)


def test_json(anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    text, code = run(grant.access, "--json")
    found = json.loads(text)
    assert (code, found["accepted"], found["claims"]["sub"]) == (0, True, str(anna.pk))
    assert found["steps"][0] == {
        "name": "form",
        "result": "passed",
        "text": f"The text has {len(grant.access)} characters.",
    }


def test_a_database_that_is_away_decides_nothing(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(token: object) -> Any:
        raise DatabaseUnavailable

    monkeypatch.setattr(explanation, "load_user", fail)
    assert run(sessions.start(anna).access)[1] == 3


def test_a_terminal_obeys_nothing_in_a_token() -> None:
    """A token of a stranger may have control characters in its header."""
    from drf_tessera.jose.encoding import encode_base64url

    header = encode_base64url(json.dumps({"typ": "\x1b[2J\u009b", "alg": "\x07"}).encode()).decode()
    for options in ((), ("--json",)):
        text, _ = run(f"{header}.e30.AAAA", *options)
        assert text.replace("\n", "").isprintable()
        assert "\x1b" not in text

from __future__ import annotations

import builtins
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.exceptions import RevocationUnavailable
from drf_tessera.management.commands import tessera_revoke
from drf_tessera.models import Revocation, Session
from tests.conftest import make_user

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=2)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def run(*arguments: str, stream: type[StringIO] = StringIO) -> tuple[str, str]:
    out, err = StringIO(), stream()
    call_command("tessera_revoke", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refuse(*arguments: str) -> CommandError:
    with pytest.raises(CommandError) as found:
        run(*arguments)
    return found.value


def reasons() -> list[str]:
    return sorted(Session.objects.values_list("revoked_for", flat=True))


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The answers of the person at the terminal, which a test may replace."""
    answers: list[Any] = ["yes"]

    def read(prompt: str) -> str:
        if answers[0] is EOFError:
            raise EOFError
        return str(answers[0])

    monkeypatch.setattr(builtins, "input", read)
    return answers


@pytest.mark.slow
def test_all_ends_the_sessions_of_everybody(anna: User, bob: User, answer: list[Any]) -> None:
    for user in (anna, bob, bob):
        sessions.start(user)
    assert run("--all", "--dry-run")[0] == "3 sessions would be ended.\n"
    assert reasons() == [""] * 3
    out, _ = run("--all", "--batch-size", "2")
    assert out.splitlines()[-1] == "3 sessions were ended."
    assert reasons() == ["admin"] * 3
    assert Revocation.objects.count() == 1


@pytest.mark.parametrize("said", ["no", "", EOFError])
def test_nothing_is_ended_without_a_yes(anna: User, answer: list[Any], said: Any) -> None:
    sessions.start(anna)
    answer[0] = said
    assert refuse("--all").returncode == 1
    assert reasons() == [""]
    assert not Revocation.objects.exists()


@pytest.mark.usefixtures("same_second")
def test_no_input_asks_nobody(anna: User, answer: list[Any]) -> None:
    sessions.start(anna)
    answer[0] = EOFError
    assert run("--all", "--no-input", "--reason", "logout_all")[0] == "1 sessions were ended.\n"
    assert reasons() == ["logout_all"]


@pytest.mark.slow
@pytest.mark.parametrize("stream", [StringIO, Terminal])
def test_shows_its_progress(anna: User, stream: Any) -> None:
    for _ in range(3):
        sessions.start(anna, now=timezone.now() - LONG_AGO)
    _, err = run("--before", timezone.now().isoformat(), "--no-input", "--batch-size", "2", stream=stream)
    separator = "" if stream is Terminal else "\n"
    assert err == f"\r2 ended{separator}\r3 ended\n"


def test_before_keeps_the_sessions_that_began_later(anna: User) -> None:
    old = sessions.start(anna, now=timezone.now() - LONG_AGO)
    new = sessions.start(anna)
    moment = (timezone.now() - LONG_AGO / 2).isoformat()
    assert run("--before", moment, "--dry-run")[0] == "1 sessions would be ended.\n"
    assert run("--before", moment, "--no-input")[0] == "1 sessions were ended.\n"
    assert Session.objects.get(pk=old.session_id).revoked_for == "admin"
    assert Session.objects.get(pk=new.session_id).revoked_at is None


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("2027-01-31T12:00:00", False),  # in Berlin, so 11:00 in UTC
        ("2027-01-31T13:00:01", True),
        ("2027-01-31T12:00:01Z", True),
        ("2027-01-31T12:00:00+00:00", False),
        ("2027-01-31T08:00:01-04:00", True),
    ],
)
@pytest.mark.parametrize("use_tz", [True, False])
def test_a_moment_is_in_the_time_zone_of_the_settings(
    anna: User, settings: Any, text: str, ends: bool, use_tz: bool
) -> None:
    import time_machine

    settings.USE_TZ, settings.TIME_ZONE = use_tz, "Europe/Berlin"
    with time_machine.travel("2027-01-31T12:00:00+00:00", tick=False):
        sessions.start(anna)
    with time_machine.travel("2027-01-31T12:01:00+00:00", tick=False):
        run("--before", text, "--no-input")
    assert (Session.objects.get().revoked_at is not None) == ends


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "not a moment in ISO 8601"),
        ("0001-01-01T00:00:00+14:00", "not a moment in ISO 8601"),
        ("2026-10-25T02:30:00", "not clear in Europe/Berlin"),  # this hour came twice
        ("2026-03-29T02:30:00", "not clear in Europe/Berlin"),  # this hour did not come
        ("9999-01-01T00:00:00", "lies in the future"),
    ],
)
def test_a_moment_that_is_not_clear_is_refused(settings: Any, text: str, message: str) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    error = refuse("--before", text, "--no-input")
    assert message in str(error)
    assert error.returncode == 1


@pytest.mark.parametrize("way", ["username", "email", "pk"])
def test_a_user_is_found_by_name_address_and_key(anna: User, bob: User, way: str) -> None:
    for user in (anna, anna, bob):
        sessions.start(user)
    text = str(getattr(anna, way))
    assert run("--user", text, "--dry-run")[0] == "2 sessions would be ended.\n"
    assert run("--user", text)[0] == "2 sessions were ended.\n"
    assert run("--user", text)[0] == "0 sessions were ended.\n"
    assert reasons() == ["", "admin", "admin"]
    assert Revocation.objects.count() == 1


def test_an_inactive_user_is_found(anna: User) -> None:
    grant = sessions.start(anna)
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert run("--user", "anna")[0] == "1 sessions were ended.\n"
    assert Session.objects.get(pk=grant.session_id).revoked_at is not None


def test_each_way_in_which_a_text_means_a_user_is_told() -> None:
    ways = ["user name", "e-mail address"]
    assert tessera_revoke._list_ways(7, ways) == "7 (by the user name and the e-mail address)"


def test_a_text_that_means_several_users_is_refused(anna: User) -> None:
    other = make_user(str(anna.pk))
    User.objects.filter(pk=other.pk).update(email=anna.email.upper())
    sessions.start(anna)
    by_key = str(refuse("--user", str(anna.pk)))
    assert f"{anna.pk} (by the primary key)" in by_key
    assert f"{other.pk} (by the user name)" in by_key
    by_address = str(refuse("--user", anna.email))
    assert f"{anna.pk} (by the e-mail address)" in by_address
    assert f"{other.pk} (by the e-mail address)" in by_address
    assert reasons() == [""]


@pytest.mark.parametrize("text", ["nobody", "", "0", "\0", "0{key}", "{key}.0", "\U0001f4f1"])
def test_an_unknown_user_is_refused(anna: User, text: str) -> None:
    assert "There is no user" in str(refuse("--user", text.format(key=anna.pk)))


def test_a_user_model_may_have_no_address(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drf_tessera.users.lookup.find_email_field", lambda: None)
    assert "There is no user" in str(refuse("--user", anna.email))
    assert run("--user", "anna")[0] == "0 sessions were ended.\n"


def test_one_session_is_ended(anna: User) -> None:
    grant, _ = sessions.start(anna), sessions.start(anna)
    key = str(grant.session_id)
    assert run("--session", key, "--dry-run")[0] == "1 sessions would be ended.\n"
    assert run("--session", key)[0] == "1 sessions were ended.\n"
    assert run("--session", key)[0] == "0 sessions were ended.\n"
    assert reasons() == ["", "admin"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--session", str(uuid4())], "There is no session"),
        (["--session", "7"], "not the id of a session"),
        (["--all", "--batch-size", "0"], "--batch-size"),
        ([], "required"),
        (["--all", "--user", "anna"], "not allowed with"),
        (["--all", "--reason", "boredom"], "invalid choice"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], message: str) -> None:
    assert message in str(refuse(*arguments))


def test_a_store_that_does_not_answer_has_its_own_exit_code(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise RevocationUnavailable

    sessions.start(anna)
    monkeypatch.setattr("drf_tessera.revocation.stores.DatabaseStore.record", fail)
    for arguments in (["--all", "--no-input"], ["--user", "anna"]):
        assert refuse(*arguments).returncode == 3
    assert reasons() == [""]

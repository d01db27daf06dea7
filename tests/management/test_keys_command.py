"""``manage.py tessera_keys``: each task, for a person and as JSON, with its exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import CommandError, call_command
from django.test.utils import override_settings

from drf_tessera import sessions
from drf_tessera.conf import use_tenant
from drf_tessera.exceptions import DatabaseUnavailable
from drf_tessera.jose.keys import Key
from drf_tessera.keys import find_book, list_keys, rows
from drf_tessera.models import Revocation
from drf_tessera.tokens import keystore, verify_access_token
from tests.keys.conftest import DATABASE, MOVING

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("tessera_keys", *arguments, stdout=out)
    return out.getvalue().strip()


def read(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


@pytest.fixture(autouse=True)
def _in_database() -> Iterator[None]:
    with override_settings(TESSERA=DATABASE):
        keystore._get_holder.forget()
        find_book.forget()
        yield


def test_rotate_publishes_a_key_and_tells_every_process() -> None:
    first = read("rotate")
    assert (first["stage"], first["alg"], Revocation.objects.count()) == ("signing", "Ed25519", 1)
    assert run("rotate", "--alg", "ES256").endswith(
        f"from {list_keys()[1].life.signs_at and read('rotate')['signs_at']}."
    )
    assert [key.alg for key in list_keys()] == ["Ed25519", "ES256"]
    assert read("rotate")["kid"] == list_keys()[1].kid
    assert Revocation.objects.count() == 2  # a rotation that changed nothing tells nothing


def test_rotate_if_due_is_for_cron() -> None:
    assert read("rotate", "--if-due")["stage"] == "signing"
    assert "is published" in run("rotate", "--if-due")
    assert len(list_keys()) == 1


def test_list_shows_each_key_and_its_times() -> None:
    run("rotate")
    run("rotate")
    signing, published = read("list")
    assert (signing["stage"], published["stage"]) == ("signing", "published")
    assert signing["retires_at"] == published["signs_at"] < signing["gone_at"]
    assert published["retires_at"] is None
    lines = run("list").splitlines()
    assert [line.split()[0] for line in lines] == ["signing", "published"]
    assert "gone" not in lines[1]


def test_list_shows_the_keys_of_the_settings_too() -> None:
    with override_settings(TESSERA=MOVING):
        run("rotate")
        derived, stored = read("list")
        assert (derived["alg"], derived["stage"], derived["source"]) == ("HS256", "signing", "settings")
        assert (stored["alg"], stored["stage"], stored["source"]) == ("Ed25519", "published", "database")
    with override_settings(TESSERA={"SECRET": 1}), pytest.raises(CommandError, match="SECRET"):
        run("list")
    with override_settings(TESSERA={}, SECRET_KEY_FALLBACKS=["older"]):
        assert [row["stage"] for row in read("list")] == ["verifying", "signing"]


def test_retire_lets_the_next_key_take_over() -> None:
    kid = read("rotate")["kid"]
    assert "takes over" in run("retire", kid[:8])
    assert [key.stage for key in list_keys()] == ["signing", "published"]
    with pytest.raises(CommandError, match="0 keys"):
        run("retire", "nobody")


def test_retire_now_withdraws_a_stolen_key(anna: AbstractBaseUser) -> None:
    access = sessions.start(anna).access
    kid = verify_access_token(access).kid
    before = Revocation.objects.count()
    assert "signs now" in run("retire", kid, "--now")
    assert [key.stage for key in list_keys()] == ["revoked", "signing"]
    assert read("retire", kid, "--now") is None
    assert Revocation.objects.count() == before + 2  # the second news is for a first that was lost


def test_export_prints_public_keys_and_private_ones_only_on_request() -> None:
    run("rotate")
    (public,) = json.loads(run("export"))["keys"]
    assert (public["kid"], public["use"], public["alg"]) == (list_keys()[0].kid, "sig", "Ed25519")
    assert "d" not in public
    (private,) = json.loads(run("export", "--private"))["keys"]
    assert Key.from_jwk(private).can_sign
    assert private["kid"] == public["kid"]


def test_generate_prints_a_key_and_stores_nothing() -> None:
    (jwk,) = json.loads(run("generate"))["keys"]
    assert (jwk["alg"], Key.from_jwk(jwk).thumbprint) == ("Ed25519", jwk["kid"])
    assert json.loads(run("generate", "--alg", "HS512"))["keys"][0]["kty"] == "oct"
    assert list_keys() == []
    with pytest.raises(CommandError, match="not an algorithm"):
        run("generate", "--alg", "none")


@pytest.mark.slow  # RSA searches for primes
@pytest.mark.parametrize("alg", ["RS256", "PS512", "ES384", "ES512", "EdDSA", "HS256"])
def test_a_key_can_be_made_for_each_kind(alg: str) -> None:
    (jwk,) = json.loads(run("generate", "--alg", alg))["keys"]
    key = Key.from_jwk(jwk)
    assert key.verify(b"x", key.sign(b"x"))
    assert key.kid == key.thumbprint


def test_each_tenant_has_its_own_keys() -> None:
    with pytest.raises(CommandError, match="TENANT"):
        run("list", "--tenant", "one")
    with override_settings(TESSERA={**DATABASE, "TENANT": lambda request: ""}):
        kid = read("rotate", "--tenant", "one")["kid"]
        with use_tenant("one"):
            assert [key.kid for key in list_keys()] == [kid]
        assert list_keys() == []


def test_without_the_database_the_command_says_to_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise DatabaseUnavailable

    monkeypatch.setattr(rows, "_rows", fail)
    with pytest.raises(CommandError, match="again") as caught:
        run("rotate")
    assert caught.value.returncode == 3


def test_each_change_of_a_key_is_in_the_audit_trail(caplog: pytest.LogCaptureFixture) -> None:
    first, second = read("rotate")["kid"], read("rotate")["kid"]
    read("rotate")  # nothing has changed
    run("retire", first)
    run("retire", first, "--now")
    told = [(record.event, record.kid) for record in caplog.records if record.name == "drf_tessera.audit"]
    assert told == [
        ("key_rotated", first),
        ("key_rotated", second),
        ("key_retired", first),
        ("key_revoked", first),
    ]

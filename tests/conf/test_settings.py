from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from drf_tessera import conf
from drf_tessera.conf import READERS, KeySource, get_settings, read_settings, values
from drf_tessera.conf import settings as settings_module
from drf_tessera.conf.settings import KEYS
from drf_tessera.exceptions import SettingsError
from drf_tessera.tokens.keystore import get_keystore
from tests.jose.material import ED25519, RSA, SECRET, write_private, write_public

TEXT = SECRET.decode()


def problems(**values: Any) -> list[values.Problem]:
    with override_settings(TESSERA=values):
        return read_settings()[1]


def test_every_field_is_a_key_and_every_key_a_field() -> None:
    fields = {field.name.upper() for field in dataclasses.fields(conf.Settings)} - {"SECRETS"}
    assert set(KEYS) == fields == set(READERS)


def test_are_frozen_cached_and_live() -> None:
    first = get_settings()
    assert get_settings() is first
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.issuer = "x"  # type: ignore[misc]
    with override_settings(TESSERA={"ACCESS_LIFETIME": 60}):
        assert get_settings().access_lifetime == timedelta(minutes=1)
    assert get_settings().access_lifetime == timedelta(minutes=5)


def test_another_setting_changes_nothing() -> None:
    first = get_settings()
    with override_settings(LANGUAGE_CODE="de"):
        assert get_settings() is first


@pytest.mark.slow
def test_nothing_is_read_while_importing() -> None:
    """The import must work without any settings."""
    code = "import drf_tessera.conf, drf_tessera.signals, drf_tessera.exceptions"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_a_misspelt_key_is_reported_with_a_guess() -> None:
    (found,) = problems(ACESS_LIFETIME=60)
    assert (found.id, found.hint) == ("tessera.E002", "Did you mean 'ACCESS_LIFETIME'?")
    (found,) = problems(access_lifetime=60)
    assert found.hint == "Did you mean 'ACCESS_LIFETIME'?"
    (found,) = problems(**{"ZZZ": 1})
    assert found.hint.startswith("The keys are: ACCESS_LIFETIME")


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("REFRESH_TOKEN_LIFETIME", "SESSION_IDLE_LIFETIME"),
        ("AUTH_HEADER_TYPES", "HEADER_PREFIX"),
        ("JWT_EXPIRATION_DELTA", "ACCESS_LIFETIME"),
        ("SIGNING_KEY", "KEYS"),
    ],
)
def test_a_key_of_another_package_is_translated(key: str, ours: str) -> None:
    (found,) = problems(**{key: 1})
    assert found.hint == f"Did you mean {ours!r}?"


def test_a_setting_that_is_not_a_dict_is_reported() -> None:
    with override_settings(TESSERA=[1]):
        assert [found.id for found in read_settings()[1]] == ["tessera.E001"]


BAD = [
    ("E016", "PROFILE", "web"),
    ("E016", "PROFILE", None),
    ("E016", "PROFILE", []),
    ("E016", "PROFILE", ["api", "api"]),
    ("E016", "PROFILE", ["api", 1]),
    ("E021", "LEGACY_TOKENS_UNTIL", "2027-01-31"),
    ("E021", "LEGACY_TOKENS_UNTIL", datetime(2027, 1, 31)),  # noqa: DTZ001 - it has no time zone
    ("E017", "ACCESS_COOKIE", "yes"),
    ("E017", "ACCESS_COOKIE", True),  # without the browser profile no cookie is read
    ("E017", "COOKIE_SECURE", "auto"),
    ("E017", "COOKIE_SAMESITE", None),
    ("E017", "COOKIE_SAMESITE", "lax"),
    ("E017", "COOKIE_PATH", "api/token/"),
    ("E017", "COOKIE_PATH", "/api/token"),
    ("E017", "COOKIE_PATH", "/api; Domain=example.com/"),
    ("E071", "PERSONAL_TOKEN_SCOPES", "notes:read"),
    ("E071", "PERSONAL_TOKEN_SCOPES", ["two words"]),
    ("E071", "PERSONAL_TOKEN_SCOPES", [1]),
    ("E003", "PERSONAL_TOKEN_LIFETIME", 0),
    ("E003", "ACCESS_LIFETIME", 0),
    ("E003", "ACCESS_LIFETIME", 0.5),
    ("E003", "ACCESS_LIFETIME", -1),
    ("E003", "ACCESS_LIFETIME", timedelta(seconds=-1)),
    ("E003", "ACCESS_LIFETIME", "300"),
    ("E003", "ACCESS_LIFETIME", True),
    ("E003", "ACCESS_LIFETIME", None),
    ("E003", "SESSION_LIFETIME", 1e300),
    ("E003", "SESSION_LIFETIME", float("nan")),
    ("E003", "SESSION_LIFETIME", timedelta(days=99_999)),
    ("E003", "REFRESH_GRACE", -1),
    ("E003", "CLOCK_SKEW", "x"),
    ("E005", "REFRESH_RECOVERIES", -1),
    ("E005", "REFRESH_RECOVERIES", 1.5),
    ("E005", "REFRESH_RECOVERIES", True),
    ("E005", "REFRESH_RECOVERIES", 40_000),
    ("E005", "MAX_SESSIONS_PER_USER", 0),
    ("E005", "LOGINS_AT_ONCE", 0),
    ("E006", "ISSUER", 1),
    ("E006", "ISSUER", "\ud800"),
    ("E006", "ISSUER", "x" * 256),
    ("E006", "AUDIENCE", ["x" * 256]),
    ("E006", "AUDIENCE", list("abcdefghijklmnopqrstu")),
    ("E006", "AUDIENCE", ""),
    ("E006", "AUDIENCE", []),
    ("E006", "AUDIENCE", ["a", 1]),
    ("E006", "AUDIENCE", {"a"}),
    ("E008", "CLAIMS", "no.such.thing"),
    ("E008", "CLAIMS", "tests.conf.test_settings.TEXT"),
    ("E008", "CLAIMS", 7),
    ("E009", "LOGIN_RATE_PER_ACCOUNT", "10"),
    ("E009", "LOGIN_RATE_PER_ACCOUNT", "0/min"),
    ("E009", "LOGIN_RATE_PER_ADDRESS", "ten/min"),
    ("E009", "LOGIN_RATE_PER_ADDRESS", 10),
    ("E010", "HEADER_PREFIX", ""),
    ("E010", "HEADER_PREFIX", "Bearer token"),
    ("E010", "HEADER_PREFIX", None),
    ("E010", "HEADER_NAME", ""),
    ("E010", "HEADER_NAME", "HTTP_X_TOKEN"),
    ("E010", "HEADER_NAME", "X-Token:"),
    ("E010", "HEADER_NAME", "Cookie"),
    ("E010", "HEADER_NAME", None),
    ("E003", "REVOCATION_POLL", "1"),
    ("E003", "REVOCATION_MAX_STALENESS", 0),
    ("E003", "REMEMBER_ME", timedelta(days=1)),
    ("E003", "REMEMBER_ME", (1, 2, 3)),
    ("E003", "REMEMBER_ME", ("a day", 2)),
    ("E004", "REMEMBER_ME", (2, 1)),
    ("E013", "USER", "token"),
    ("E013", "USER", None),
    ("E013", "USER_FIELDS", "username"),
    ("E013", "USER_FIELDS", ["first name"]),
    ("E013", "USER_FIELDS", [1]),
    ("E014", "REVOCATION_CACHE", "redis"),
    ("E014", "REVOCATION_CACHE", 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "key", "value"), BAD)
def test_values_that_cannot_work_are_reported(number: str, key: str, value: Any) -> None:
    (found,) = problems(**{key: value})
    assert found.id == f"tessera.{number}"
    assert key in found.message
    assert found.hint
    with override_settings(TESSERA={key: value}), pytest.raises(SettingsError, match=found.id):
        get_settings()


GOOD: dict[str, Any] = {
    "PROFILE": ["browser", "api"],
    "ACCESS_COOKIE": True,
    "COOKIE_PATH": "/api/token/",
    "COOKIE_SAMESITE": "None",
    "COOKIE_SECURE": True,
    "PERSONAL_TOKEN_SCOPES": ["notes:read"],
    "PERSONAL_TOKEN_LIFETIME": timedelta(days=30),
    "ACCESS_LIFETIME": 60,
    "SESSION_IDLE_LIFETIME": 3600.5,
    "SESSION_LIFETIME": timedelta(days=400),
    "REMEMBER_ME": (3600, timedelta(days=1)),
    "REFRESH_GRACE": 0,
    "REFRESH_RECOVERIES": 0,
    "CLOCK_SKEW": timedelta(0),
    "MAX_SESSIONS_PER_USER": 1,
    "ISSUER": "https://example.com",
    "AUDIENCE": ["a", "b"],
    "TENANT": "tests.conf.test_settings.problems",
    "HEADER_NAME": "X-Authorization",
    "HEADER_PREFIX": "JWT",
    "CLAIMS": "tests.conf.test_settings.problems",
    "LOGIN_RATE_PER_ACCOUNT": None,
    "LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "100/hour",
    "LOGIN_RATE_PER_ADDRESS": "1/day",
    "LOGINS_AT_ONCE": 8,
    "TOKEN_RATE_PER_SESSION": "5/s",
    "TOKEN_RATE_PER_ADDRESS": None,
    "LEGACY_TOKENS_UNTIL": datetime(2027, 1, 31, tzinfo=UTC),
    "KEYS": [{"alg": "HS256", "secret": TEXT}],
    "KEY_ROTATION": timedelta(days=30),
    "JWKS_MAX_AGE": 600,
    "INTROSPECTION_CLIENTS": {"orders-api": "a-secret-of-at-least-32-characters"},
    "RESOURCE": "https://api.example.com/",
    "CHALLENGE": "tests.conf.test_settings.problems",
    "USER": "database",
    "USER_FIELDS": ["username"],
    "REVOCATION_POLL": 0,
    "REVOCATION_MAX_STALENESS": 60,
    "REVOCATION_CACHE": "default",
    "ISSUERS": [{"issuer": "https://issuer.example", "audience": "api"}],
}


def test_values_that_work_are_read() -> None:
    assert set(GOOD) == set(KEYS)
    assert problems(**GOOD) == []
    assert problems(**{**GOOD, "MAX_SESSIONS_PER_USER": None, "AUDIENCE": "a", "CLAIMS": None}) == []
    assert problems(REVOCATION_CACHE=None, REMEMBER_ME=None, KEY_ROTATION=None) == []


@pytest.mark.parametrize(
    "values",
    [
        {"ACCESS_LIFETIME": timedelta(days=15)},
        {"SESSION_IDLE_LIFETIME": timedelta(days=91)},
        {"REFRESH_GRACE": timedelta(days=15)},
        {"REVOCATION_POLL": 31},
        {"JWKS_MAX_AGE": timedelta(days=91)},
    ],
    ids=str,
)
def test_lifetimes_that_contradict_each_other_are_reported(values: Any) -> None:
    assert {found.id for found in problems(**values)} == {"tessera.E004"}


class TestKeys:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("x", "must be a list"),
            ([], "must be a list"),
            ([1], "the entry must be a dict"),
            ([{"alg": "HS256"}], "exactly one of"),
            ([{"alg": "HS256", "secret": TEXT, "pem": "x"}], "exactly one of"),
            ([{"alg": "HS256", "sekret": TEXT}], "'sekret' is unknown"),
            ([{"secret": TEXT}], "needs an alg"),
            ([{"alg": "HS256", "secret": "short"}], "5 bytes"),
            ([{"alg": "HS257", "secret": TEXT}], "not an algorithm"),
            ([{"alg": "HS256", "secret": 5}], "string or bytes"),
            ([{"alg": "RS256", "file": "/nonexistent/key.pem"}], "FileNotFoundError"),
            ([{"alg": "RS256", "file": 5}], "cannot be read"),
            ([{"jwk": "x"}], "jwk must be a dict"),
            ([{"jwk": {"kty": "oct", "k": "AAAA"}}], "no 'alg'"),
            ([{"alg": "RS256", "pem": write_public(RSA)}], "No key can sign"),
            ([{"alg": "HS256", "secret": TEXT}] * 2, "share the kid"),
            ([{"derived": True}] * 2, "two entries with 'derived'"),
            ([{"database": True}, {"database": True, "alg": "ES256"}], "two entries with 'database'"),
            ([{"database": True, "alg": "HS256"}], "alg must be one of ES256"),
            ([{"database": "yes"}], "database must be True"),
            ([{"derived": False}], "derived must be True"),
            ([{"derived": True, "alg": "HS256"}], "'alg' does not go together with 'derived'"),
            ([{"database": True, "jwks": "x"}], "does not go together"),
            ([{"jwks": 5}], "jwks must be the path"),
            ([{"signer": 5}], "signer must be a function"),
            ([{"signer": "tests.nowhere.make"}], "cannot be imported"),
        ],
    )
    def test_keys_that_cannot_work_are_reported(self, value: Any, expected: str) -> None:
        (found,) = problems(KEYS=value)
        assert found.id == "tessera.E007"
        assert expected in found.message
        assert TEXT not in found.message

    def test_sources_of_keys_are_read(self, tmp_path: Path) -> None:
        entries = [
            {"derived": True},
            {"database": True},
            {"jwks": str(tmp_path)},
            {"jwks": tmp_path / "x"},
            {"signer": "tests.conf.test_settings.problems"},
            {"alg": "RS256", "pem": write_public(RSA)},  # a source can sign, so this one need not
        ]
        assert problems(KEYS=entries) == []
        with override_settings(TESSERA={"KEYS": entries}):
            found = get_settings().keys
        assert [source.kind for source in found if isinstance(source, KeySource)] == [
            *("derived", "database", "jwks", "jwks", "signer")
        ]
        assert isinstance(found[1], KeySource)
        assert found[1].alg == "Ed25519"

    def test_keys_are_read_in_each_form(self, tmp_path: Path) -> None:
        file = tmp_path / "key.pem"
        file.write_bytes(write_private(RSA, b"pw"))
        entries = [
            {"alg": "RS256", "file": file, "password": "pw", "kid": "a"},
            {"alg": "HS512", "secret": SECRET, "kid": "b"},
            {"jwk": {"kty": "oct", "k": "A" * 43, "alg": "HS256", "kid": "c"}},
            {"alg": "EdDSA", "pem": write_private(ED25519).decode(), "kid": "d"},
        ]
        with override_settings(TESSERA={"KEYS": entries}):
            assert [key.kid for key in get_settings().keys] == ["a", "b", "c", "d"]
            assert get_keystore().ring.signing.kid == "d"
            shown = repr(get_settings()) + repr(get_keystore())
        assert TEXT not in shown
        assert "PRIVATE" not in shown


class TestThreads:
    """Two first requests of a process at once: both use the same values from then on."""

    def call_at_once(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, call: Any) -> list[Any]:
        """Call in two threads, and let each enter ``module.name`` before the other leaves it."""
        barrier, plain = threading.Barrier(2), getattr(module, name)

        def meet(*args: Any) -> Any:
            barrier.wait(timeout=60)
            return plain(*args)

        with monkeypatch.context() as patch, ThreadPoolExecutor(2) as pool:
            patch.setattr(module, name, meet)
            return [future.result() for future in [pool.submit(call) for _ in range(2)]]

    def test_they_use_one_settings_object(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings_module.forget_settings(setting="TESSERA")
        one, two = self.call_at_once(monkeypatch, settings_module, "read_settings", get_settings)
        assert one is two is get_settings()

    def test_they_use_one_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        get_settings()
        held = conf.per_settings(lambda settings: object())
        one, two = self.call_at_once(monkeypatch, held, "_make", held)
        assert one is two is held()

    def test_a_forked_child_can_choose_although_a_thread_of_its_parent_was_choosing(self) -> None:
        with settings_module._choosing[0]:
            child = os.fork()
            if not child:  # pragma: no cover - in another process
                settings_module.forget_settings(setting="TESSERA")
                os._exit(0 if get_settings() is get_settings() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_django_s_secret_shows_nowhere(settings: Any) -> None:
    shown = repr(get_settings()) + repr(get_keystore())
    assert settings.SECRET_KEY not in shown
    assert repr(get_keystore().refresh_keys[0]) not in shown


def test_a_secret_that_stands_twice_is_one_key(settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY, "another"]
    assert len(get_keystore().ring.keys) == 2

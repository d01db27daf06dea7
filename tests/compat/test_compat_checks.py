"""The system checks of projects that have moved."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.test import override_settings
from django.urls import path
from rest_framework_jwt import checks as jwt_checks
from rest_framework_simplejwt import checks as simplejwt_checks
from rest_framework_simplejwt import views
from rest_framework_simplejwt.settings import api_settings

from drf_tessera.checks.projects import check_distributions
from drf_tessera.conf import get_settings, read_settings, translate_setting
from drf_tessera.exceptions import SettingsError
from tests.jose.material import ED25519, RSA, write_private, write_public

KEYS = {
    "JWT_ALGORITHM": "RS256",
    "JWT_PRIVATE_KEY": write_private(RSA).decode(),
    "JWT_PUBLIC_KEY": write_public(RSA).decode(),
}
PAIR = {
    name: KEYS[old] for name, old in zip(("ALGORITHM", "SIGNING_KEY", "VERIFYING_KEY"), KEYS, strict=True)
}
urlpatterns = [path("sliding/", views.token_obtain_sliding)]


def ids(found: list[CheckMessage]) -> list[str]:
    assert all(message.hint for message in found)
    return [str(message.id) for message in found]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, []),
        ({"ACCES_TOKEN_LIFETIME": 1}, ["tessera_simplejwt.E002"]),
        ({"AUTH_COOKIE": "access", "AUTH_COOKIE_SECURE": True}, ["tessera_simplejwt.W005"] * 2),
        ({"ACCESS_TOKEN_LIFETIME_REMEMBER": 1, "RESET_TOKEN_LIFETIME": 1}, ["tessera_simplejwt.W005"] * 2),
        ({"SIGNING_KEY_ID": "x"}, ["tessera_simplejwt.W005"]),
        ({"ACCESS_TOKEN_LIFE_TIME": 1}, ["tessera_simplejwt.E002"]),
        ({"ROTATE_REFRESH_TOKEN": True}, ["tessera_simplejwt.E002"]),
        (
            {"AUTH_TOKEN_CLASSES": ("rest_framework_simplejwt.tokens.UntypedToken",)},
            ["tessera_simplejwt.E003"],
        ),
        ({"VERIFYING_KEY": KEYS["JWT_PUBLIC_KEY"]}, []),
        ({"JWK_URL": "https://example.com"}, ["tessera_simplejwt.E003"]),
        ({"CHECK_USER_IS_ACTIVE": False}, ["tessera_simplejwt.E003"]),
        (
            {"AUTH_TOKEN_CLASSES": ("rest_framework_simplejwt.tokens.SlidingToken",)},
            ["tessera_simplejwt.E003"],
        ),
        ({"USER_ID_CLAIM": "sid"}, ["tessera_simplejwt.E003"]),
        ({"USER_ID_CLAIM": "sub", "USER_ID_FIELD": "email"}, ["tessera_simplejwt.E003"]),
        ({"USER_ID_CLAIM": "sub"}, []),
        ({"ALGORITHM": "RS256"}, ["tessera_simplejwt.E003"]),
        ({**PAIR, "VERIFYING_KEY": "not a key"}, ["tessera_simplejwt.E003"]),
        ({**PAIR, "VERIFYING_KEY": 5}, ["tessera_simplejwt.E003"]),
        (PAIR, []),
        ({"USER_ID_FIELD": "nosuch"}, ["tessera_simplejwt.E003"]),
        ({"USER_ID_FIELD": "username"}, []),
        ({"TOKEN_OBTAIN_SERIALIZER": "no.such.Serializer"}, ["tessera_simplejwt.E003"]),
        ({"AUTH_TOKEN_CLASSES": ("no.such.Token",)}, ["tessera_simplejwt.E003"]),
        ({"JSON_ENCODER": None}, []),
        ({"SLIDING_TOKEN_LIFETIME": 1}, ["tessera_simplejwt.W002"]),
        ({"BLACKLIST_AFTER_ROTATION": False}, ["tessera_simplejwt.W002"]),
    ],
)
def test_simple_jwt(chosen: dict[str, Any], expected: list[str]) -> None:
    with override_settings(SIMPLE_JWT=chosen):
        assert ids(simplejwt_checks.check_settings(None)) == expected


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, ["tessera_simplejwt.W001"]),
        ({"ROTATE_REFRESH_TOKENS": False}, ["tessera_simplejwt.W003"]),
        ({"ROTATE_REFRESH_TOKENS": True}, []),
    ],
)
@pytest.mark.urls("tests.compat.simplejwt_urls")
def test_rotation(chosen: dict[str, Any], expected: list[str]) -> None:
    with override_settings(SIMPLE_JWT=chosen):
        assert ids(simplejwt_checks.check_urls(None)) == expected


@pytest.mark.urls(__name__)
def test_sliding_views_are_named(client: Any) -> None:
    assert ids(simplejwt_checks.check_urls(None)) == ["tessera_simplejwt.E004"]
    answer = client.post("/sliding/", {"username": "anna", "password": "x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    assert "Use the pair" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, []),
        ({"JWT_VERIFY": True, "JWT_VERIFY_EXPIRATION": True}, []),
        ({"JWT_VERIFY": False}, ["tessera_jwt.E003"]),
        ({"JWT_VERIFY_EXPIRATION": False}, ["tessera_jwt.E003"]),
        ({"JWT_VERFY": True}, ["tessera_jwt.E002"]),
        ({"nothing like it": 1, "JWT_AUTH_COOKIE_LIFE": True}, ["tessera_jwt.W005"] * 2),
        ({"JWT_AUTH_COOKIE_SECURE": True, "JWT_VERFY": True}, ["tessera_jwt.E004"]),
        ({"JWT_TOKEN_ID": "off"}, ["tessera_jwt.E004"]),
        ({"JWT_ALGORITHM": "RS256"}, ["tessera_jwt.E003"]),
        ({"JWT_GET_USER_SECRET_KEY": "uuid.uuid4"}, ["tessera_jwt.W001"]),
        ({"JWT_PAYLOAD_HANDLER": "no.such"}, ["tessera_jwt.E003"]),
        ({"JWT_PAYLOAD_HANDLER": 5}, ["tessera_jwt.E003"]),
        ({"JWT_PAYLOAD_HANDLER": "uuid.NAMESPACE_DNS"}, ["tessera_jwt.E003"]),
        ({"JWT_PAYLOAD_HANDLER": dict}, []),
        ({"JWT_PAYLOAD_HANDLER": None}, ["tessera_jwt.E003"]),
        ({"JWT_PAYLOAD_HANDLER": ["uuid.uuid4"]}, ["tessera_jwt.E003"]),
        ({"JWT_PAYLOAD_HANDLER": ".uuid4"}, ["tessera_jwt.E003"]),
        ({"JWT_GET_USER_SECRET_KEY": None}, []),
        ({"JWT_ENCODE_HANDLER": "jwt.encode"}, ["tessera_jwt.W002"]),
        ({**KEYS, "JWT_PUBLIC_KEY": "not a key"}, ["tessera_jwt.E003"]),
        ({**KEYS, "JWT_PUBLIC_KEY": 5}, ["tessera_jwt.E003"]),
        (KEYS, []),
        ({**KEYS, "JWT_ALGORITHM": "none"}, ["tessera_jwt.E003"]),
    ],
)
def test_jwt_auth(chosen: dict[str, Any], expected: list[str]) -> None:
    with override_settings(JWT_AUTH=chosen):
        assert ids(jwt_checks.check_settings(None)) == expected


class Installed:
    """Stands for a distribution with one file."""

    def __init__(self, folder: Path, file: str) -> None:
        self.folder, self.files = folder, [PurePosixPath(file)]

    def locate_file(self, path: PurePosixPath) -> Path:
        return self.folder / path


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (["drf-tessera-simplejwt", "drf-tessera-jwt"], []),
        (["drf-tessera-simplejwt", "djangorestframework-simplejwt"], ["tessera_simplejwt.E001"]),
        (["drf-tessera-jwt", "djangorestframework-jwt", "drf-jwt"], ["tessera_jwt.E001"] * 2),
        (["djangorestframework-simplejwt", "drf-jwt"], []),
        ([], []),
    ],
)
def test_the_original_beside_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: list[str], expected: list[str]
) -> None:
    def find(name: str) -> Installed:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError
        return Installed(tmp_path, "here.py")

    (tmp_path / "here.py").touch()
    monkeypatch.setattr("drf_tessera.legacy.owners.distribution", find)
    assert ids(check_distributions(None)) == expected
    (tmp_path / "here.py").unlink()
    missing = {item.id for item in check_distributions(None)} - set(expected)
    alone = [name for name in installed if name.startswith("drf-tessera") and not expected]
    assert missing == {f"tessera_{name.removeprefix('drf-tessera-')}.E006" for name in alone}


def test_this_environment_is_not_damaged() -> None:
    assert check_distributions(None) == []


def test_two_former_settings_must_not_contradict_each_other() -> None:
    both = {"JWT_AUTH": {"JWT_ISSUER": "me"}, "SIMPLE_JWT": {"ISSUER": "you"}}
    with override_settings(**both):
        assert [problem.id for problem in read_settings()[1]] == ["tessera.E019"]
        with pytest.raises(SettingsError, match="JWT_AUTH and SIMPLE_JWT contradict each other about ISSUER"):
            get_settings()
    with override_settings(**both, TESSERA={"ISSUER": "us"}):
        assert get_settings().issuer == "us"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIMPLE_JWT", "not a dict"),
        ("SIMPLE_JWT", {"ACCESS_TOKEN_LIFETIME": "soon"}),
        ("SIMPLE_JWT", {"REFRESH_TOKEN_LIFETIME": "soon"}),
        ("SIMPLE_JWT", {"ROTATE_REFRESH_TOKENS": "False"}),
        ("SIMPLE_JWT", {"ALGORITHM": "none"}),
        ("SIMPLE_JWT", {"ALGORITHM": None}),
        ("SIMPLE_JWT", {"AUDIENCE": 5}),
        ("SIMPLE_JWT", {"LEEWAY": "x"}),
        ("SIMPLE_JWT", {"AUTH_HEADER_TYPES": ()}),
        ("SIMPLE_JWT", {"AUTH_HEADER_TYPES": 5}),
        ("SIMPLE_JWT", {"AUTH_HEADER_TYPES": ("Bearer", "two words")}),
        ("SIMPLE_JWT", {"AUTH_HEADER_NAME": "X-Authorization"}),
        ("SIMPLE_JWT", {"AUTH_HEADER_NAME": None}),
        ("SIMPLE_JWT", {"USER_ID_CLAIM": None}),
        ("SIMPLE_JWT", {"JTI_CLAIM": ""}),
        ("SIMPLE_JWT", {"AUTH_TOKEN_CLASSES": "rest_framework_simplejwt.tokens.AccessToken"}),
        ("SIMPLE_JWT", {"AUTH_TOKEN_CLASSES": ()}),
        ("JWT_AUTH", {"JWT_REFRESH_EXPIRATION_DELTA": "soon"}),
        ("JWT_AUTH", {"JWT_AUTH_HEADER_PREFIX": ""}),
        ("JWT_AUTH", {"JWT_AUTH_COOKIE": "a b;"}),
        ("JWT_AUTH", {"JWT_AUTH_COOKIE": 5}),
        ("JWT_AUTH", {"JWT_VERIFY": "False"}),
    ],
)
def test_a_value_that_cannot_work_is_named_where_it_stands(name: str, value: Any) -> None:
    with override_settings(**{name: value}):
        (problem,) = read_settings()[1]
        assert problem.id == "tessera.E020"
        assert problem.message.startswith(name)
        for check in (simplejwt_checks.check_settings, jwt_checks.check_settings):
            check(None)  # and these checks raise no error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIMPLE_JWT", None),
        ("SIMPLE_JWT", {"AUTH_HEADER_TYPES": ("Bearer", "JWT"), "AUTH_HEADER_NAME": "HTTP_X_TOKEN"}),
        ("SIMPLE_JWT", {"AUTH_HEADER_TYPES": "Token", "TOKEN_TYPE_CLAIM": None, "JTI_CLAIM": None}),
        ("SIMPLE_JWT", {"AUDIENCE": ["a", "b"], "ISSUER": None, "LEEWAY": timedelta(seconds=3)}),
        ("SIMPLE_JWT", {"AUTH_TOKEN_CLASSES": ("rest_framework_simplejwt.tokens.AccessToken",)}),
        ("JWT_AUTH", {"JWT_AUTH_COOKIE": "access", "JWT_LEEWAY": 10, "JWT_EXPIRATION_DELTA": 300}),
    ],
)
def test_a_value_that_works_is_taken(name: str, value: Any) -> None:
    with override_settings(**{name: value}):
        assert read_settings()[1] == []


@pytest.mark.parametrize(
    "key", [5, ED25519, RSA.public_key(), ["x"]], ids=["number", "kind", "public", "list"]
)
@pytest.mark.parametrize(
    ("name", "algorithm", "private"),
    [("JWT_AUTH", "JWT_ALGORITHM", "JWT_PRIVATE_KEY"), ("SIMPLE_JWT", "ALGORITHM", "SIGNING_KEY")],
)
def test_a_key_that_cannot_sign_is_named(name: str, algorithm: str, private: str, key: Any) -> None:
    with override_settings(**{name: {algorithm: "RS256", private: key}}):
        (problem,) = read_settings()[1]
    assert (problem.id, f"(from {name})" in problem.message) == ("tessera.E007", True)


def test_a_problem_of_a_translated_value_says_where_it_comes_from() -> None:
    with override_settings(SIMPLE_JWT={"SIGNING_KEY": "short"}):
        (problem,) = read_settings()[1]
    assert (problem.id, "(from SIMPLE_JWT)" in problem.message) == ("tessera.E007", True)
    assert problem.hint.endswith("A value in TESSERA itself takes precedence over SIMPLE_JWT.")


def test_nothing_is_kept_that_a_reload_could_renew() -> None:
    with override_settings(SIMPLE_JWT={"USER_ID_CLAIM": "uid"}):
        api_settings.reload()
        assert api_settings.USER_ID_CLAIM == "uid"
    assert api_settings.USER_ID_CLAIM == "user_id"
    with pytest.raises(AttributeError, match="Invalid API setting"):
        _ = api_settings.NOTHING_LIKE_IT


def test_entry_points_connect_both_packages_and_the_schema() -> None:
    names = {entry.name for entry in importlib.metadata.entry_points(group="drf_tessera")}
    assert names == {"jwt", "opentelemetry", "simplejwt", "spectacular"}
    assert callable(translate_setting)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rest_framework_jwt.authentication", "rest_framework_simplejwt.tokens"])
def test_a_project_without_the_app_is_told(name: str) -> None:
    code = (
        "import django; from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['django.contrib.contenttypes', 'django.contrib.auth'],"
        " SECRET_KEY='x' * 50); django.setup();"
        f"import {name}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'Add "drf_tessera" to INSTALLED_APPS' in done.stderr

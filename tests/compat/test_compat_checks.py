"""What ``manage.py check`` says of moved projects; two distributions over the public API alone."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rest_framework_jwt
import rest_framework_simplejwt
from django.core.checks import CheckMessage
from django.test import override_settings
from django.urls import path
from rest_framework_jwt import checks as jwt_checks
from rest_framework_simplejwt import checks as simplejwt_checks
from rest_framework_simplejwt import views

from drf_tessera import sessions
from drf_tessera.conf import read_settings, translate_setting
from drf_tessera.exceptions import SettingsError

urlpatterns = [path("sliding/", views.token_obtain_sliding)]
ROOTS = [Path(package.__file__ or "").parent for package in (rest_framework_jwt, rest_framework_simplejwt)]


def ids(found: list[CheckMessage]) -> list[str]:
    assert all(message.hint for message in found)
    return [str(message.id) for message in found]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, []),
        ({"ACCES_TOKEN_LIFETIME": 1}, ["tessera_simplejwt.E002"]),
        ({"nothing like it": 1}, ["tessera_simplejwt.E002"]),
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
    answer = client.post("/sliding/", {})
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
        ({"nothing like it": 1}, ["tessera_jwt.E002"]),
        ({"JWT_ALGORITHM": "RS256"}, ["tessera_jwt.E003"]),
        ({"JWT_GET_USER_SECRET_KEY": "x.y"}, ["tessera_jwt.W001"]),
    ],
)
def test_jwt_auth(chosen: dict[str, Any], expected: list[str]) -> None:
    with override_settings(JWT_AUTH=chosen):
        assert ids(jwt_checks.check_settings(None)) == expected


def test_the_original_beside_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert simplejwt_checks.check_distribution(None) == jwt_checks.check_distribution(None) == []
    for module in (simplejwt_checks, jwt_checks):
        monkeypatch.setattr(module, "version", lambda name: "1.0")
    assert ids(simplejwt_checks.check_distribution(None)) == ["tessera_simplejwt.E001"]
    assert ids(jwt_checks.check_distribution(None)) == ["tessera_jwt.E001", "tessera_jwt.E001"]


def test_two_former_settings_must_not_contradict_each_other() -> None:
    both = {"JWT_AUTH": {"JWT_ISSUER": "me"}, "SIMPLE_JWT": {"ISSUER": "you"}}
    with override_settings(**both):
        assert [problem.id for problem in read_settings()[1]] == ["tessera.E019"]
        with pytest.raises(SettingsError, match="JWT_AUTH and SIMPLE_JWT contradict each other about ISSUER"):
            sessions.get_settings()
    with override_settings(**both, TESSERA={"ISSUER": "us"}):
        assert sessions.get_settings().issuer == "us"


def test_a_wrong_value_is_found_in_the_former_setting_too() -> None:
    with override_settings(SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": "soon"}):
        assert [problem.id for problem in read_settings()[1]] == ["tessera.E003"]


def test_entry_points_connect_both() -> None:
    names = {entry.name for entry in importlib.metadata.entry_points(group="drf_tessera")}
    assert names == {"jwt", "simplejwt"}
    assert callable(translate_setting)


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


# -- Over the public API alone ---------------------------------------------------------------------


def find_private(tree: ast.AST) -> Iterator[str]:
    """Name what a module takes of drf_tessera that begins with an underscore."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {
                alias.asname or alias.name for alias in node.names if alias.name.startswith("drf_tessera")
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "drf_tessera":
            modules |= {alias.asname or alias.name for alias in node.names}
            steps = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (step for step in steps if step.startswith("_"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            owner = node.value
            while isinstance(owner, ast.Attribute):
                owner = owner.value
            if isinstance(owner, ast.Name) and owner.id in modules:
                yield node.attr


def count_code(text: str) -> int:
    """Count the lines that are neither blank nor docstring."""
    tree = ast.parse(text)
    spoken = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first = node.body[0]
            spoken |= set(range(first.lineno, (first.end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and number not in spoken for number, line in lines)


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_nothing_private_is_used(root: Path) -> None:
    found = {str(file): list(find_private(ast.parse(file.read_text()))) for file in root.rglob("*.py")}
    assert not any(found.values()), found


@pytest.mark.parametrize(
    "code",
    [
        "from drf_tessera.sessions import _describe",
        "from drf_tessera import sessions\nsessions._describe()",
        "import drf_tessera.conf as conf\nconf._cached",
        "from drf_tessera import tokens\ntokens.x._y",
    ],
)
def test_a_planted_private_name_is_found(code: str) -> None:
    assert list(find_private(ast.parse(code)))


@pytest.mark.parametrize(
    ("root", "most"), list(zip(ROOTS, (560, 1020), strict=True)), ids=["jwt", "simplejwt"]
)
def test_they_stay_small(root: Path, most: int) -> None:
    """About 500 lines were planned for each; the larger one has tables, a user, an import and more checks."""
    files = [file for file in root.rglob("*.py") if "migrations" not in file.parts]
    assert sum(count_code(file.read_text()) for file in files) <= most

"""E050, W050 and W051: unusable files, a JWK Set that stays empty, and keys that nobody rotates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.db.models import F
from django.test.utils import override_settings

from drf_tessera.checks.keys import check_keys, check_rotation, find_pair
from drf_tessera.checks.projects import check_issuer
from drf_tessera.conf import get_settings
from drf_tessera.jose.algorithms import generate_jwk
from drf_tessera.keys import list_keys, rotate_keys, rows
from drf_tessera.models import SigningKey
from tests.keys.conftest import DATABASE
from tests.keys.test_files import write

ONE = generate_jwk("ES256")
PUBLIC = {name: value for name, value in ONE.items() if name != "d"}


def run(**tessera: Any) -> list[str]:
    with override_settings(TESSERA=tessera, ROOT_URLCONF="tests.rest.verifiers_urls"):
        return [f"{found.id} {found.msg}" for found in check_keys(None)]


def test_a_set_that_is_always_empty_is_reported() -> None:
    found = run()
    assert [text.partition(" ")[0] for text in found] == ["tessera.W050"] * 2
    assert all(".well-known/jwks.json" in text for text in found)  # the second one is below a tenant's path
    assert len(run(KEYS=[{"alg": "HS256", "secret": "x" * 32}, {"derived": True}])) == 2
    assert run(KEYS=[{"derived": True}, {"database": True}]) == []
    with override_settings(TESSERA={}, ROOT_URLCONF="tests.urls"):
        assert check_keys(None) == []
    with override_settings(TESSERA={}, ROOT_URLCONF=None):
        assert check_keys(None) == []
    assert run(KEYS="wrong") == []  # reported as E007


def test_a_file_that_can_be_used_is_not_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", ONE)
    assert run(KEYS=[{"jwks": str(path)}]) == []
    assert run(KEYS=[{"jwk": ONE}, {"jwks": str(write(tmp_path / "public", PUBLIC))}]) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [("{", "not a JSON object"), (PUBLIC, "No key can sign"), (None, "FileNotFoundError")],
)
def test_a_file_that_cannot_be_used_is_reported(tmp_path: Path, content: Any, expected: str) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        write(path, content)
    (found,) = run(KEYS=[{"jwks": str(path)}])
    assert found.startswith("tessera.E050")
    assert expected in found


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"database": True, "alg": "RS256"}, "RS256"),
        ({"jwks": "/nowhere"}, "a JWK Set"),
        ({"signer": "tests.checks.test_keys.run"}, "a signer"),
        ({"jwk": ONE}, "ES256"),
        ({"derived": True}, None),
        ({"alg": "HS256", "secret": "x" * 32}, None),
    ],
    ids=["database", "jwks", "signer", "jwk", "derived", "secret"],
)
def test_each_source_of_key_pairs_is_known(entry: Any, expected: str | None) -> None:
    with override_settings(TESSERA={"KEYS": [entry]}):
        assert find_pair(get_settings()) == expected
        assert [found.id for found in check_issuer(None)] == (["tessera.I020"] if expected else [])


# -- Nobody rotates --------------------------------------------------------------------------------


@pytest.fixture
def late_keys() -> Iterator[None]:
    """Keys in the database that were made a year ago."""
    with override_settings(TESSERA=DATABASE):
        key, _ = rotate_keys()
        SigningKey.objects.filter(kid=key.kid).update(signs_at=F("signs_at") - timedelta(days=365))
        yield


def run_rotation(*databases: str) -> list[str]:
    return [f"{found.id} {found.msg}" for found in check_rotation(None, databases=databases)]


@pytest.mark.django_db
def test_keys_that_nobody_rotates_are_reported_where_the_database_is_asked(late_keys: None) -> None:
    (found,) = run_rotation("default")
    assert found == f"tessera.W051 Nobody rotates the keys: KEY_ROTATION is over for {list_keys()[0].kid}."
    assert run_rotation() == run_rotation("other") == []
    assert check_rotation(None) == []  # 'manage.py check' without --database makes no query
    with override_settings(TESSERA={"KEYS": [{"derived": True}]}):
        assert run_rotation("default") == []
    with override_settings(TESSERA={"KEYS": 5}):
        assert run_rotation("default") == []


@pytest.mark.django_db
def test_the_check_is_among_those_of_the_database(late_keys: None) -> None:
    assert "tessera.W051" in {found.id for found in run_checks(tags=["database"], databases=["default"])}


@pytest.mark.django_db
def test_many_tenants_are_one_warning(late_keys: None) -> None:
    row = SigningKey.objects.get()
    for number in range(4):
        row.pk, row.tenant = None, f"t{number}"
        row.save(force_insert=True)
    (found,) = run_rotation("default")
    assert found.endswith(f"{row.kid} of 't0', {row.kid} of 't1' and 2 more.")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [OperationalError, ProgrammingError, InterfaceError])
def test_a_database_that_cannot_be_read_is_not_the_business_of_the_check(
    late_keys: None, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """``migrate`` runs the check before it creates the table or a column."""

    def fail() -> None:
        raise kind("gone")

    monkeypatch.setattr(rows, "_rows", fail)
    assert run_rotation("default") == []


@pytest.mark.django_db
def test_before_the_first_migrate_there_is_nothing_to_report(
    late_keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SigningKey._meta, "db_table", "missing")
    assert run_rotation("default") == []

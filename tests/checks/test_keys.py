"""E050 and W050: a mounted file that cannot be used, and a JWK Set that is always empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test.utils import override_settings

from drf_tessera.checks.keys import check_keys, find_pair
from drf_tessera.checks.projects import check_issuer
from drf_tessera.conf import get_settings
from drf_tessera.jose.algorithms import generate_jwk
from tests.keys.test_files import write

ONE = generate_jwk("ES256")
PUBLIC = {name: value for name, value in ONE.items() if name != "d"}


def run(**tessera: Any) -> list[str]:
    with override_settings(TESSERA=tessera, ROOT_URLCONF="tests.rest.verifiers_urls"):
        return [f"{found.id} {found.msg}" for found in check_keys(None)]


def test_a_set_that_is_always_empty_is_reported() -> None:
    (found,) = run()
    assert found.startswith("tessera.W050")
    assert ".well-known/jwks.json" in found
    assert len(run(KEYS=[{"alg": "HS256", "secret": "x" * 32}, {"derived": True}])) == 1
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

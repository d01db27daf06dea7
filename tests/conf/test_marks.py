"""``{tenant}`` in a setting is either replaced by the name of the tenant, or is an error of the checks."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from drf_tessera.conf import (
    Issuer,
    Lifetimes,
    get_identity,
    get_settings,
    name_audiences,
    read_settings,
    use_tenant,
)
from drf_tessera.conf.settings import KEYS

ADDRESS = "https://{tenant}.example.com/"
FILLED = "https://acme.example.com/"


def find_tenant(request: Any) -> str:
    return ""


def find_problems(**written: Any) -> list[str]:
    with override_settings(TESSERA={"TENANT": find_tenant, **written}):
        return [problem.id for problem in read_settings()[1]]


READ_BY = {
    "ISSUER": lambda: get_identity().issuer,
    "AUDIENCE": lambda: get_identity().audience[0],
    "RESOURCE": lambda: get_identity().resource,
}
"""How the program reads a name of this server."""


@pytest.mark.parametrize("key", KEYS)
def test_a_setting_has_the_name_of_the_tenant_or_is_an_error(key: str) -> None:
    """A new setting is an error as long as nobody decides what the mark means there."""
    read = READ_BY.get(key)
    if read is None:
        assert "tessera.E030" in find_problems(**{key: ADDRESS})
    else:
        with override_settings(TESSERA={"TENANT": find_tenant, key: ADDRESS}), use_tenant("acme"):
            assert read() == FILLED


def make_entry(**changes: Any) -> dict[str, Any]:
    return {"issuer": "https://id.example.com", "audience": "notes", **changes}


@pytest.mark.parametrize("name", [item.name for item in fields(Issuer)])
@pytest.mark.parametrize("shape", [ADDRESS, [ADDRESS], {ADDRESS: "x"}, {"x": [ADDRESS]}], ids=str)
@pytest.mark.parametrize("as_object", [False, True])
def test_an_entry_of_another_issuer_has_the_name_of_the_tenant_or_is_an_error(
    name: str, shape: Any, as_object: bool
) -> None:
    entry: Any = make_entry(**{name: shape})
    entry = Issuer(**entry) if as_object else entry
    found = find_problems(ISSUERS=[entry])
    if name != "audience" or isinstance(shape, dict):
        assert "tessera.E042" in found if name == "audience" else "tessera.E030" in found
        return
    assert found == []
    with override_settings(TESSERA={"TENANT": find_tenant, "ISSUERS": [entry]}), use_tenant("acme"):
        assert name_audiences(get_settings().issuers[0].audience) == (FILLED,)


@pytest.mark.parametrize(
    "written",
    [
        {"KEYS": [{"jwks": Path("/run/{tenant}/keys.json")}]},
        {"KEYS": [{"private": "/run/{tenant}.pem"}]},
        {"USER_FIELDS": ["email", "{tenant}_id"]},
        {"INTROSPECTION_CLIENTS": {"{tenant}": "0123456789abcdef0123456789abcdef"}},
        {"REMEMBER_ME": Lifetimes(idle=timedelta(1), absolute=timedelta(2)), "COOKIE_PATH": "/t/{tenant}/"},
        # other marks where names and addresses stand
        {"ISSUER": "https://{tenant_id}.example.com"},
        {"ISSUER": "https://{{tenant}}.example.com"},
        {"AUDIENCE": ["notes", "{}"]},
        {"RESOURCE": "https://example.com/{slug}/"},
        {"ISSUERS": [make_entry(issuer="https://login.microsoftonline.com/{tenantid}/v2.0")]},
        {"ISSUERS": [make_entry(jwks_uri="https://id.example.com/{realm}/keys")]},
        {"ISSUERS": [make_entry(audience=["notes", "{audience}"])]},
    ],
    ids=str,
)
def test_a_mark_that_nothing_replaces_is_an_error(written: dict[str, Any]) -> None:
    assert "tessera.E030" in find_problems(**written)


def test_the_error_names_the_place_and_what_to_write() -> None:
    entry = make_entry(
        issuer="https://id.example.com/{tenant}", jwks_uri="https://id.example.com/{tenant}/keys"
    )
    with override_settings(TESSERA={"TENANT": find_tenant, "ISSUERS": [entry, entry]}):
        found = [problem for problem in read_settings()[1] if problem.id == "tessera.E030"]
    assert [str(problem.message).partition(" has ")[0] for problem in found] == [
        "TESSERA['ISSUERS']['issuer']",
        "TESSERA['ISSUERS']['jwks_uri']",
    ]
    assert all("'find_user'" in str(problem.hint) for problem in found)


def test_braces_elsewhere_are_text() -> None:
    """A claim of a provider may have braces."""
    entry = make_entry(claims={"https://id.example.com/{kind}": "{x}"})
    assert find_problems(ISSUERS=[entry]) == []


@dataclass
class Vault:
    """An object of a project that knows what the mark means in its own texts."""

    path: str = "secret/{tenant}/keys"
    client: object = field(init=False)

    def __call__(self, *args: object) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    "written",
    [{"KEYS": [{"signer": Vault()}]}, {"CLAIMS": Vault()}, {"ISSUERS": [make_entry(find_user=Vault())]}],
    ids=lambda written: next(iter(written)),
)
def test_an_object_of_the_project_may_fill_its_own_texts(written: dict[str, Any]) -> None:
    """Its fields are its own business. One of them may not even have a value yet."""
    assert find_problems(**written) == []

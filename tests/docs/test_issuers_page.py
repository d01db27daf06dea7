"""The entries of ``docs/howto/accept-other-issuers.md`` accept the tokens that the page shows."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import pytest

from drf_tessera.conf import Issuer, get_settings
from drf_tessera.exceptions import TokenError
from drf_tessera.issuers import ForeignToken, is_foreign, verify_foreign_token
from tests.docs.pages import DOCS
from tests.issuers.material import make_jwk, publish, write_claims, write_token

pytestmark = pytest.mark.once  # it reads a page

PAGE = (DOCS / "howto" / "accept-other-issuers.md").read_text()
SECTIONS = dict(
    re.findall(r"^## ([\w ]+)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL),
)
BLOCKS = re.compile(r"^```python\n\w+ = (.*?)^```.*?^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOUND = {name: found for name, text in SECTIONS.items() if (found := BLOCKS.search(text))}
PROVIDERS = {name: (found[1], json.loads(found[2])) for name, found in FOUND.items()}
KEY = make_jwk("q1", "RS256")


def test_the_page_has_the_well_known_providers() -> None:
    assert list(PROVIDERS) == ["Auth0", "Keycloak", "Amazon Cognito", "Microsoft Entra", "Firebase", "Clerk"]


def use(settings: Any, name: str) -> dict[str, Any]:
    """Set an entry of the page, with the key of this test in place of a fetch. Return the shown token."""
    entry: dict[str, Any] = eval(PROVIDERS[name][0])  # noqa: S307 - a block of our own page
    settings.TESSERA = {"ISSUERS": [entry]}
    assert get_settings().issuers[0].algorithms == ("RS256",)
    given = {part: value for part, value in entry.items() if part != "jwks_uri"}
    settings.TESSERA = {"ISSUERS": [{**given, "keys": [{"jwk": publish(KEY)}]}]}
    return PROVIDERS[name][1]


def take(shape: dict[str, Any], header: Any = None, **changes: Any) -> ForeignToken:
    claims = write_claims(**{"aud": None, "scope": None, **shape["claims"], **changes})
    token = write_token(KEY, claims, **{"typ": None, **shape["header"], **(header or {})})
    assert is_foreign(token)
    return verify_foreign_token(token)


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_shown_token_is_accepted(settings: Any, name: str) -> None:
    shape = use(settings, name)
    found = take(shape)
    assert found.sub == shape["claims"]["sub"]
    assert found.issuer == shape["claims"]["iss"]
    assert found[get_settings().issuers[0].user_claim]
    reads = name not in {"Firebase", "Clerk"}
    assert ("notes:read" in found.scopes) == reads


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVIDERS)
def test_its_neighbours_are_refused(settings: Any, name: str) -> None:
    """The shown difference, such as that of an ID token, another ``typ``, and no signature."""
    shape = use(settings, name)
    for header, changes in (
        ({}, shape["refused"]),
        ({"typ": "dpop+jwt"}, {}),
        ({"alg": "none"}, {}),
        ({}, {get_settings().issuers[0].audience_claim: "somebody else"}),
        ({}, {get_settings().issuers[0].audience_claim: None}),
    ):
        with pytest.raises(TokenError):
            take(shape, header, **changes)


def test_the_table_has_all_names() -> None:
    table = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert table == [item.name for item in fields(Issuer)]

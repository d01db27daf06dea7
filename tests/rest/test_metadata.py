"""The documents that tell OAuth clients about this server (RFC 8414, RFC 9728), and the challenge."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.checks import run_checks
from django.http import HttpRequest
from django.test.utils import override_script_prefix
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.conf import use_tenant
from drf_tessera.rest.explanation import explain_token
from tests.conftest import bearer
from tests.issuers.material import NAME, issuer, make_jwk, write_claims, write_token
from tests.jose.material import ED25519, write_private

pytestmark = pytest.mark.urls("tests.rest.metadata_urls")

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"
API = "https://api.example.com/api"
KEY = make_jwk("one")


def test_the_server_tells_only_what_applies(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"ISSUER": "https://api.example.com"}
    answer = api.get(SERVER)
    assert answer.json() == {
        "issuer": "https://api.example.com",
        "response_types_supported": [],
        "grant_types_supported": [],
        "jwks_uri": "https://api.example.com/.well-known/jwks.json",
        "revocation_endpoint": "https://api.example.com/api/token/revoke/",
        "revocation_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint": "https://api.example.com/api/token/introspect/",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
    }
    assert answer["Cache-Control"] == "public, max-age=3600"
    assert answer["Content-Type"] == "application/json"
    assert api.post(SERVER).status_code == 405


@pytest.mark.urls("tests.rest.metadata_alone_urls")
def test_an_endpoint_that_the_urls_do_not_have_is_not_told(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"ISSUER": "https://api.example.com"}
    assert set(api.get(SERVER).json()) == {"issuer", "response_types_supported", "grant_types_supported"}


@pytest.mark.parametrize("path", ["", "/x", "/tenants/x/y"])
def test_the_path_of_an_issuer_is_a_part_of_the_address(api: APIClient, settings: Any, path: str) -> None:
    settings.TESSERA = {"ISSUER": "https://api.example.com/tenants/x"}
    assert api.get(f"{SERVER}{path}").status_code == 404
    for end in ("", "/"):
        assert api.get(f"{SERVER}/tenants/x{end}").json()["issuer"] == "https://api.example.com/tenants/x"


@pytest.mark.parametrize("name", [None, "notes", "http://api.example.com", "https://api.example.com/?a=b"])
def test_an_issuer_that_is_not_an_address_has_no_document(api: APIClient, settings: Any, name: Any) -> None:
    settings.TESSERA = {"ISSUER": name}
    assert api.get(SERVER).status_code == 404


def test_the_issuer_of_a_tenant_has_no_document(api: APIClient, settings: Any) -> None:
    """Its name is the address and the name of the tenant, which is not an address."""
    settings.TESSERA = {"ISSUER": "https://api.example.com", "TENANT": lambda request: "acme"}
    with use_tenant("acme"):
        assert api.get(SERVER).status_code == 404


def by_place(request: HttpRequest | None) -> str:
    """Return the tenant that the path of a request names, or its host."""
    if request is None:
        return ""
    _, found, rest = request.path.partition("/t/")
    return rest.split("/")[0] if found else request.get_host().partition(".")[0]


BY_HOST: dict[str, Any] = {
    "TENANT": by_place,
    "ISSUER": "https://{tenant}.example.com",
    "RESOURCE": "https://{tenant}.example.com/api",
    "AUDIENCE": ["https://{tenant}.example.com/api"],
}
BY_PATH: dict[str, Any] = {"TENANT": by_place, "ISSUER": "https://example.com/t/{tenant}"}


@pytest.mark.parametrize("tenant", ["acme", "other"])
def test_each_tenant_has_documents_at_its_host(api: APIClient, settings: Any, tenant: str) -> None:
    settings.TESSERA = BY_HOST
    host, headers = f"https://{tenant}.example.com", {"host": f"{tenant}.example.com"}
    body = api.get(SERVER, headers=headers).json()
    assert body["issuer"] == host
    assert body["jwks_uri"] == f"{host}/.well-known/jwks.json"
    assert body["revocation_endpoint"] == f"{host}/api/token/revoke/"
    body = api.get(f"{RESOURCE}/api", headers=headers).json()
    assert (body["resource"], body["authorization_servers"]) == (f"{host}/api", [host])
    pointer = f'resource_metadata="{host}{RESOURCE}/api"'
    for answer in (
        api.get("/api/notes/", headers=headers),
        api.get("/api/notes/", headers={**headers, "authorization": "Bearer rubbish"}),
        api.post("/api/token/verify/", {"token": "x"}, headers=headers),
        api.get("/api/plain/", headers=headers),
    ):
        assert answer.status_code == 401
        assert pointer in answer["WWW-Authenticate"]


def test_each_tenant_has_documents_at_its_path(api: APIClient, settings: Any) -> None:
    """An endpoint whose path does not name the tenant would answer for nobody, so it is not told."""
    settings.TESSERA = BY_PATH
    body = api.get(f"{SERVER}/t/acme").json()
    assert body["issuer"] == "https://example.com/t/acme"
    assert body["introspection_endpoint"] == "https://example.com/t/acme/introspect/"
    assert "revocation_endpoint" not in body
    assert api.get(f"{SERVER}/t/acme/more").status_code == 404
    assert api.get(SERVER).status_code == 404


@pytest.mark.parametrize("tenant", ["m\N{LATIN SMALL LETTER U WITH DIAERESIS}nchen", "a b", "a@b", "a:b"])
def test_the_name_of_a_tenant_may_need_percent_encoding(api: APIClient, settings: Any, tenant: str) -> None:
    """Django decodes the path of a request, and an address in a setting stays encoded."""
    root = "https://example.com/t/{tenant}"
    settings.TESSERA = {**BY_PATH, "RESOURCE": root}
    place = f"/t/{quote(tenant, safe='')}"
    body = api.get(f"{SERVER}{place}").json()
    assert body["issuer"] == f"https://example.com{place}"
    assert unquote(body["introspection_endpoint"]) == f"https://example.com/t/{tenant}/introspect/"
    assert api.get(f"{RESOURCE}{place}").json()["resource"] == body["issuer"]
    challenge = api.get(f"{place}/notes/")["WWW-Authenticate"]
    assert f'resource_metadata="https://example.com{RESOURCE}{place}"' in challenge


def test_a_request_without_a_tenant_has_no_document_of_a_tenant(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {**BY_HOST, "TENANT": lambda request: ""}
    for path in (SERVER, f"{RESOURCE}/api"):
        assert api.get(path).status_code == 404
    assert api.get("/api/notes/")["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.django_db
def test_a_token_for_a_tenant_is_refused_by_another(
    api: APIClient, settings: Any, anna: AbstractBaseUser
) -> None:
    """Also a token of another issuer, at its second use, and with keys that all tenants have."""
    settings.TESSERA = {
        **BY_HOST,
        "KEYS": [{"alg": "EdDSA", "pem": write_private(ED25519)}],
        "ISSUERS": [issuer(KEY, audience=["https://{tenant}.example.com/api", "spare-{tenant}"])],
    }
    with use_tenant("acme"):
        own = sessions.start(anna, scope="notes:read").access
    claims = write_claims(scope="notes:read", aud="https://acme.example.com/api")
    for token in (own, write_token(KEY, claims)):
        for _ in range(2):
            answer = api.get("/api/notes/", **bearer(token), headers={"host": "acme.example.com"})
            assert answer.status_code == 200, answer.content
            answer = api.get("/api/notes/", **bearer(token), headers={"host": "other.example.com"})
            assert answer.status_code == 401
    claims = write_claims(scope="notes:read", aud="spare-acme")
    with use_tenant("acme"):
        steps = {step.name: step.text for step in explain_token(write_token(KEY, claims)).steps}
    assert steps["audience"].endswith("Accepted: https://acme.example.com/api, spare-acme.")
    answer = api.get("/api/notes/", **bearer(write_token(KEY, claims)), headers={"host": "other.example.com"})
    assert answer.json()["code"] == "token_wrong_audience"


@pytest.mark.django_db
@pytest.mark.parametrize("written", ["https://{tenant}.example.com", "https://api.example.com"])
def test_the_name_of_a_tenant_may_be_that_of_an_entry(
    api: APIClient, settings: Any, anna: AbstractBaseUser, written: str
) -> None:
    """Otherwise each login of this tenant would succeed, and each of its tokens would be refused."""
    name = written.replace("{tenant}", "acme") if "{" in written else f"{written}:acme"
    settings.TESSERA = {"TENANT": by_place, "ISSUER": written, "ISSUERS": [issuer(KEY, issuer=name)]}
    with use_tenant("acme"):
        own = sessions.start(anna, scope="notes:read").access
    foreign = write_token(KEY, write_claims(iss=name, scope="notes:read"))
    found = [
        api.get("/api/notes/", **bearer(token), headers={"host": f"{host}.example.com"}).status_code
        for token in (own, foreign)
        for host in ("other", "acme")
    ]
    assert found == [401, 200, 200, 401]
    settings.TESSERA = {**settings.TESSERA, "RESOURCE": "https://api.example.com"}
    listed = api.get(RESOURCE, headers={"host": "acme.example.com"}).json().get("authorization_servers", [])
    assert listed == ([name] if "{" in written else [])  # the other name is not an address


def test_the_resource_names_its_servers_and_its_scopes(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"RESOURCE": API, "ISSUER": "https://api.example.com", "ISSUERS": [issuer(KEY)]}
    answer = api.get(f"{RESOURCE}/api")
    assert answer.json() == {
        "resource": API,
        "authorization_servers": [NAME, "https://api.example.com"],
        "scopes_supported": ["notes:read", "notes:secret"],
        "bearer_methods_supported": ["header"],
    }
    assert answer["Cache-Control"] == "public, max-age=3600"
    for path in ("", "/x", "/api/notes"):
        assert api.get(f"{RESOURCE}{path}").status_code == 404


@pytest.mark.parametrize(
    ("root", "scopes"),
    [
        ("/t/{tenant}", ["notes:read"]),
        ("/r/{tenant}/", ["notes:read"]),
        ("/shop-{tenant}", ["notes:read", "notes:secret"]),
        ("/t/{tenant}/notes/more", None),
        ("/q/{tenant}", None),
        ("/{tenant}", None),  # no route begins with a part that a request chooses
        ("/api/{tenant}", None),
        ("/t/acme", None),  # the route is that of each tenant, and this resource is that of one
    ],
)
def test_the_scopes_of_a_tenant_are_those_below_its_path(
    api: APIClient, settings: Any, root: str, scopes: list[str] | None
) -> None:
    settings.TESSERA = {"TENANT": lambda request: "acme", "RESOURCE": f"https://example.com{root}"}
    body = api.get(f"{RESOURCE}{root.replace('{tenant}', 'acme')}").json()
    assert body.get("scopes_supported") == scopes
    settings.TESSERA = {**settings.TESSERA, "RESOURCE": f"https://example.com/behind{root}"}
    with override_script_prefix("/behind/"):
        body = api.get(f"{RESOURCE}/behind{root.replace('{tenant}', 'acme')}").json()
    assert body.get("scopes_supported") == scopes


def test_a_resource_without_a_path_is_the_whole_host(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"RESOURCE": "https://api.example.com/"}
    body = api.get(RESOURCE).json()
    assert body["resource"] == "https://api.example.com/"
    assert body["scopes_supported"] == ["elsewhere", "notes:read", "notes:secret"]
    assert "authorization_servers" not in body


def test_without_a_resource_there_is_no_document(api: APIClient) -> None:
    assert api.get(RESOURCE).status_code == 404


@pytest.mark.parametrize("changes", [{"HEADER_NAME": "X-Token"}, {"HEADER_PREFIX": "JWT"}])
def test_another_header_is_not_a_bearer_method(api: APIClient, settings: Any, changes: Any) -> None:
    settings.TESSERA = {"RESOURCE": API, **changes}
    assert "bearer_methods_supported" not in api.get(f"{RESOURCE}/api").json()


# -- The challenge ---------------------------------------------------------------------------------

POINTER = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/api"'


@pytest.mark.django_db
def test_a_challenge_points_to_the_metadata(api: APIClient, settings: Any, anna: AbstractBaseUser) -> None:
    settings.TESSERA = {"RESOURCE": API, "ISSUERS": [issuer(KEY)]}
    assert api.get("/api/notes/")["WWW-Authenticate"] == f'Bearer realm="api", {POINTER}'
    challenge = api.get("/api/notes/", **bearer("rubbish"))["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="api", error="invalid_token", ')
    assert challenge.endswith(f", {POINTER}")
    answer = api.get("/api/secret/", **bearer(write_token(KEY, write_claims(scope="x"))))
    assert answer.status_code == 403
    scope = 'scope="notes:read notes:secret"'
    assert answer["WWW-Authenticate"] == f'Bearer realm="api", error="insufficient_scope", {scope}, {POINTER}'
    assert POINTER in api.post("/api/token/verify/", {"token": "x"})["WWW-Authenticate"]
    good = write_token(KEY, write_claims(scope="notes:read"))
    assert api.get("/api/notes/", **bearer(good)).json() == {"sub": "u1"}


def test_a_challenge_elsewhere_does_not(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"RESOURCE": API}
    assert "resource_metadata" not in api.get("/apis/")["WWW-Authenticate"]


@pytest.mark.urls("tests.urls")
def test_a_challenge_points_to_nothing_that_is_missing(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"RESOURCE": "https://api.example.com"}
    assert api.get("/me/")["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.django_db
def test_a_login_without_a_scope_has_none(api: APIClient, anna: AbstractBaseUser) -> None:
    assert api.get("/api/notes/", **bearer(sessions.start(anna).access)).status_code == 403
    token = sessions.start(anna, scope="notes:read").access
    assert api.get("/api/notes/", **bearer(token)).status_code == 200


# -- The checks ------------------------------------------------------------------------------------


def find_ids() -> set[str]:
    return {str(found.id) for found in run_checks() if str(found.id).startswith("tessera.")}


@pytest.mark.parametrize(
    "address",
    [
        5,
        "api",
        "http://api.example.com",
        "https://api.example.com/?a=b",
        "https://api.example.com/#x",
        'https://api.example.com/"',
        "https://user@api.example.com",
    ],
)
def test_a_resource_that_is_not_an_address_is_an_error(settings: Any, address: object) -> None:
    settings.TESSERA = {"RESOURCE": address}
    assert "tessera.E062" in find_ids()


@pytest.mark.parametrize(
    "more",
    [
        {"ISSUER": "https://{tenant}.example.com"},
        {"AUDIENCE": ["notes", "{tenant}"]},
        {"RESOURCE": "https://{tenant}.example.com/"},
        {"ISSUERS": [issuer(KEY, audience="{tenant}")]},
    ],
)
def test_a_place_for_the_tenant_needs_tenants(settings: Any, more: Any) -> None:
    settings.TESSERA = more
    assert "tessera.E030" in find_ids()
    settings.TESSERA = {**more, "TENANT": by_place}
    assert "tessera.E030" not in find_ids()


@pytest.mark.parametrize("none", [None, ""])
def test_a_resource_may_be_left_out(settings: Any, none: object) -> None:
    settings.TESSERA = {"RESOURCE": none}
    assert not {"tessera.E062", "tessera.W062", "tessera.W063"} & find_ids()


@pytest.mark.parametrize(
    "more", [{"AUDIENCE": ["notes", API]}, {"ISSUERS": [issuer(KEY, audience=["x", API])]}]
)
def test_a_resource_that_tokens_name_is_right(settings: Any, more: Any) -> None:
    settings.TESSERA = {"RESOURCE": API, **more}
    assert not {"tessera.E062", "tessera.W062", "tessera.W063"} & find_ids()


def test_a_resource_that_no_token_names_is_a_warning(settings: Any) -> None:
    settings.TESSERA = {"RESOURCE": API}
    assert "tessera.W063" in find_ids()


@pytest.mark.urls("tests.urls")
def test_a_resource_without_its_document_is_a_warning(settings: Any) -> None:
    settings.TESSERA = {"RESOURCE": API, "AUDIENCE": API}
    assert {"tessera.W062"} == {"tessera.W062", "tessera.W063"} & find_ids()

"""Documents under ``/.well-known/`` that tell OAuth clients about this server.

Include the urls at the root of the host: ``path("", include("drf_tessera.rest.metadata"))``. The views are
plain views of Django, because clients expect neither a renderer nor a login.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from django.http import Http404, HttpRequest, JsonResponse
from django.urls import NoReverseMatch, URLPattern, get_script_prefix, path, reverse

from drf_tessera.conf import (
    AUTHORIZATION,
    TENANT_MARK,
    current_tenant,
    enter_tenant,
    get_identity,
    get_settings,
    is_safe_address,
)
from drf_tessera.http import (
    RESOURCE_PATH,
    RESOURCE_ROUTE,
    find_view_class,
    is_inside,
    public_document,
    walk_views,
)
from drf_tessera.rest.permissions import list_alternatives

MAX_AGE: Final = 3600
"""Seconds for which a cache may keep a document."""

SERVER_ROUTE: Final = "oauth_authorization_server"
_SERVER_PATH: Final = ".well-known/oauth-authorization-server"

_ENDPOINTS: Final = (
    ("jwks_uri", "token_key_set", None),
    ("revocation_endpoint", "token_revoke", "none"),
    ("introspection_endpoint", "token_introspect", "client_secret_basic"),
)
"""The members, the names of the routes, and how a client authenticates there."""


@public_document
def show_authorization_server(request: HttpRequest, path: str = "") -> JsonResponse:
    """Return the metadata of this server as an issuer of tokens (RFC 8414), as far as it applies.

    The login is not an OAuth grant, so there is neither an authorization endpoint nor a token endpoint.
    Without an ``ISSUER`` that is an address, there is no document.
    """
    issuer = find_own_issuer(request)
    if issuer is None or not _is_path(path, issuer):
        raise Http404
    found: dict[str, Any] = {"issuer": issuer, "response_types_supported": [], "grant_types_supported": []}
    for member, route, method in _ENDPOINTS:
        address = _find_endpoint(route, issuer)
        if address is None:
            continue
        found[member] = address
        if method is not None:
            found[f"{member}_auth_methods_supported"] = [method]
    return _answer(found)


@public_document
def show_protected_resource(request: HttpRequest, path: str = "") -> JsonResponse:
    """Return the metadata of this API as a protected resource (RFC 9728).

    The authorization servers are the entries of ``ISSUERS`` that are addresses, and then this server itself,
    if its ``ISSUER`` is an address. The scopes are those that ``HasScope`` asks for in the views.
    """
    own, settings, resource = find_own_issuer(request), get_settings(), get_identity().resource
    if resource is None or not _is_path(path, resource):
        raise Http404
    issuers = [entry.issuer for entry in settings.issuers if is_safe_address(entry.issuer)]
    found: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": list(dict.fromkeys(issuers + ([own] if own else []))),
        "scopes_supported": _list_scopes(settings.resource or ""),
    }
    if settings.header_name == AUTHORIZATION and settings.header_prefix.lower() == "bearer":
        found["bearer_methods_supported"] = ["header"]
    return _answer({name: value for name, value in found.items() if value})


def find_own_issuer(request: HttpRequest) -> str | None:
    """Return the ``iss`` of tokens of ours if it is an address, as RFC 8414 needs it, or ``None``.

    The tenant of the request is entered, because each tenant may have an address of its own.
    """
    enter_tenant(request)
    return get_identity().address


def _find_endpoint(route: str, issuer: str) -> str | None:
    """Return the address of an endpoint, or ``None`` if the urls do not have it.

    If the path of the issuer names the tenant, then the path of the endpoint has to do so, too. Elsewhere the
    endpoint would be that of another tenant, or of none.
    """
    by_path = TENANT_MARK in urlsplit(get_settings().issuer or "").path
    for arguments in ((current_tenant(),), ()) if by_path else ((),):
        with suppress(NoReverseMatch):
            found = reverse(route, args=arguments)
            if not by_path or is_inside(unquote(found), issuer):
                return urljoin(issuer, found)
    return None


def _is_path(path: str, address: str) -> bool:
    """Return whether the end of a well-known path is the path of an issuer or a resource."""
    return path.strip("/") == unquote(urlsplit(address).path).strip("/")


def _list_scopes(written: str) -> list[str]:
    kinds = [
        getattr(find_view_class(callback), "permission_classes", ())
        for route, callback in walk_views()
        if _is_below(f"{get_script_prefix()}{route}", written)
    ]
    found = {scope for classes in kinds for scopes in list_alternatives(classes) for scope in scopes}
    return sorted(found)


def _is_below(route: str, written: str) -> bool:
    """Return whether a route belongs to a resource.

    Args:
        route: a path, in which ``<`` begins a part that a request chooses.
        written: ``RESOURCE`` as the project wrote it, so the place of the tenant can be seen.
    """
    root = unquote(urlsplit(written).path).strip("/")
    steps = root.split("/") if root else []
    found = route.strip("/").split("/")
    return len(found) >= len(steps) and all(
        one == step or (TENANT_MARK in step and "<" in one and step.startswith(one.partition("<")[0]))
        for one, step in zip(found, steps, strict=False)
    )


def _answer(found: dict[str, Any]) -> JsonResponse:
    return JsonResponse(found, headers={"Cache-Control": f"public, max-age={MAX_AGE}"})


urlpatterns: list[URLPattern] = [
    path(_SERVER_PATH, show_authorization_server, name=SERVER_ROUTE),
    path(f"{_SERVER_PATH}/<path:path>", show_authorization_server),
    path(RESOURCE_PATH, show_protected_resource, name=RESOURCE_ROUTE),
    path(f"{RESOURCE_PATH}/<path:path>", show_protected_resource),
]

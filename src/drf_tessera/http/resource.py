"""The address of the metadata of this API as a protected resource (RFC 9728)."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from django.urls import NoReverseMatch, reverse

from drf_tessera.conf import get_identity

RESOURCE_ROUTE: Final = "oauth_protected_resource"
"""The name of the route of the metadata."""

RESOURCE_PATH: Final = ".well-known/oauth-protected-resource"
"""The path of the metadata of a resource without a path of its own."""


def find_resource_metadata(path: str) -> str | None:
    """Return the address of the metadata for the challenge of a request.

    ``None`` means that ``RESOURCE`` is not set, that it does not contain the path, or that the urls do not
    have the metadata. The address is that of the setting, because a request may name any host.

    Args:
        path: the path of the request.
    """
    resource = get_identity().resource
    if resource is None or not is_inside(path, resource) or not has_resource_metadata():
        return None
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}/{RESOURCE_PATH}{parts.path.rstrip('/')}"


def point_to_metadata(path: str) -> list[str]:
    """Return the part of a challenge that tells a client where to get a token (RFC 9728, section 5.1).

    Args:
        path: the path of the request.
    """
    address = find_resource_metadata(path)
    return [] if address is None else [f'resource_metadata="{address}"']


def is_inside(path: str, resource: str) -> bool:
    """Return whether a path belongs to a resource.

    Args:
        path: a path as Django has it, in which nothing is percent-encoded.
        resource: the address of the resource.
    """
    root = unquote(urlsplit(resource).path).rstrip("/")
    return path == root or path.startswith(f"{root}/")


def has_resource_metadata() -> bool:
    """Return whether the urls have the metadata."""
    try:
        reverse(RESOURCE_ROUTE)
    except NoReverseMatch:
        return False
    return True

"""The header transport: ``Authorization: Bearer`` for access tokens, the body for refresh tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import Settings, get_settings, per_settings
from drf_tessera.exceptions import HeaderMalformed
from drf_tessera.sessions import Grant
from drf_tessera.tokens import SessionFacts


@per_settings
def _find_meta_key(settings: Settings) -> str:
    return f"HTTP_{settings.header_name.upper().replace('-', '_')}"


def read_authorization(request: HttpRequest) -> str:
    """Return the header of ``HEADER_NAME``, or an empty text."""
    # Not a local variable, because an error report shows local variables.
    return cast("str", request.META.get(_find_meta_key(), ""))


def read_bearer_token(authorization: str, prefix: str) -> str | None:
    """Return the credentials of the text of an ``Authorization`` header (RFC 6750, section 2.1).

    ``None`` means that the header is absent or has another scheme, so another class may read it. The
    credentials need not look like a token. :func:`check_bearer_token` checks that, only if they are not a
    valid token.
    """
    scheme, _, credentials = authorization.partition(" ")
    if scheme != prefix and scheme.lower() != prefix.lower():
        return None
    return credentials.strip(" ")


@sensitive_variables()
def has_bearer_token(request: HttpRequest) -> bool:
    """Return whether the header of ``HEADER_NAME`` has our scheme.

    Only such a header takes precedence over cookies. A browser sends a ``Basic`` header with every request
    after a server has asked for it, for example the proxy before a staging site.
    """
    return read_bearer_token(read_authorization(request), get_settings().header_prefix) is not None


def check_bearer_token(token: str) -> None:
    """Distinguish a malformed header from a malformed token.

    Raises:
        HeaderMalformed: the scheme is ours, and not followed by exactly one token.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise HeaderMalformed


class HeaderTransport:
    """The refresh token travels in bodies. See :class:`~drf_tessera.http.transport.Transport`."""

    ambient = False
    in_body = True

    def read(self, request: HttpRequest, credentials: dict[str, Any]) -> str | None:
        """Return the refresh token of the body, or ``None``."""
        return cast("str | None", credentials.get("refresh"))

    def deliver(
        self, request: HttpRequest, response: HttpResponse, grant: Grant, credentials: dict[str, Any]
    ) -> None:
        """Leave the tokens in the body."""

    def clear(
        self, request: HttpRequest, response: HttpResponse, ended: Callable[[SessionFacts], bool] | None
    ) -> None:
        """Do nothing, because the client itself keeps the tokens."""

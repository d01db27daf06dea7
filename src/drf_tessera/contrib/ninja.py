"""Security classes for Django Ninja, and our codes in its errors.

``connect(api)`` makes the API answer the errors of this package with ``{"detail", "code"}``.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError
from ninja.security.base import AuthBase

from drf_tessera.exceptions import TesseraError, Unauthenticated
from drf_tessera.http import write_refusal
from drf_tessera.issuers import ForeignToken
from drf_tessera.plain import Authenticated, LateRefusal, aauthenticate, attach, authenticate, check_scopes
from drf_tessera.tokens import AccessToken

_ABOUT: Final = "The access token of a login: the field `access` of its answer."


class Refused(HttpError):
    """A refusal in the form of Ninja. Without :func:`connect` its answer has the status and no code."""

    def __init__(self, error: TesseraError, request: HttpRequest) -> None:
        super().__init__(write_refusal(error, request).status_code, error.detail)
        self.error = error


class _Security(AuthBase):
    """The part that both classes have in common: the settings of one place, and its description."""

    openapi_type: str = "http"
    openapi_scheme: str = "bearer"
    openapi_bearerFormat: str = "JWT"  # noqa: N815 - the name of OpenAPI, which Ninja copies
    openapi_description: str = _ABOUT

    def __init__(self, *, scopes: tuple[str, ...] = (), personal: bool = False) -> None:
        super().__init__()
        self.scopes = scopes
        self.personal = personal

    def _admit(self, request: HttpRequest, found: Authenticated | None) -> AccessToken | ForeignToken | None:
        if found is None:
            return None  # the next class of the list may know the request
        check_scopes(found.token, self.scopes)
        attach(request, found)
        return found.token


class JWTAuth(_Security):
    """Authenticate by an access token, in the header or with ``ACCESS_COOKIE`` in the cookie.

    ``request.auth`` is the verified token and ``request.user`` its user, without a query.

    Args:
        scopes: the scopes that the token must have.
        personal: whether to accept personal access tokens too.
    """

    def __call__(self, request: HttpRequest) -> AccessToken | ForeignToken | None:
        """Return the verified token, or ``None`` if the request has no token.

        Raises:
            Refused: the token is not enough.
        """
        try:
            return self._admit(request, authenticate(request, personal=self.personal))
        except TesseraError as error:
            raise Refused(error, request) from error


class AsyncJWTAuth(_Security):
    """Authenticate like :class:`JWTAuth`, for asynchronous operations. A known token needs no thread."""

    async def __call__(self, request: HttpRequest) -> AccessToken | ForeignToken | None:
        """Return the verified token, or ``None`` if the request has no token.

        Raises:
            Refused: the token is not enough.
        """
        try:
            return self._admit(request, await aauthenticate(request, personal=self.personal))
        except TesseraError as error:
            raise Refused(error, request) from error


def connect(api: NinjaAPI) -> None:
    """Make an API answer the errors of this package, and a missing token, with our codes."""
    for kind in (Refused, TesseraError, LateRefusal, AuthenticationError):
        api.add_exception_handler(kind, _answer)


def _answer(request: HttpRequest, error: Any) -> HttpResponse:
    found = getattr(error, "error", error)
    return write_refusal(found if isinstance(found, TesseraError) else Unauthenticated(), request)

"""The errors of simplejwt."""

from __future__ import annotations

from typing import Any
from typing import Optional as Optional
from typing import Union as Union

from django.core.exceptions import SuspiciousOperation
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.settings import api_settings as framework_settings

from drf_tessera.exceptions import RefreshInvalid as _RefreshInvalid
from drf_tessera.exceptions import (
    RefreshLost,
    RefreshReused,
    Refusal,
    SessionEnded,
    SessionExpired,
    TokenExpired,
    TokenWrongType,
    TransportMismatch,
    UserGone,
    UserInactive,
)
from drf_tessera.exceptions import TokenError as _TokenError


class TokenError(Exception):
    """A token is not accepted. If drf-tessera refused the token, ``code`` is drf-tessera's stable code."""

    code = "token_invalid"
    refusal: Refusal | None = None
    """The error of drf-tessera, if drf-tessera refused the token."""


class ExpiredTokenError(TokenError):
    """A token has expired."""

    code = "token_expired"


class TokenBackendError(Exception):
    """A token cannot be read."""


class TokenBackendExpiredToken(TokenBackendError):
    """A token has expired."""


FLATTENING = {"drf_standardized_errors", "rest_framework_json_api"}
"""Packages whose exception handlers take each key of a ``detail`` for an error of its own."""


class DetailDictMixin:
    """An error whose body is ``{"detail", "code"}``, as in simplejwt.

    Exception handlers of projects read ``response.data["code"]``. For the handlers of :data:`FLATTENING` the
    error is one text with one code.
    """

    default_detail: Any
    default_code: str

    def __init__(self, detail: Any = None, code: str | None = None) -> None:
        body: dict[str, Any] = {"detail": self.default_detail, "code": self.default_code}
        if isinstance(detail, dict):
            body.update(detail)
        elif detail is not None:
            body["detail"] = detail
        if code is not None:
            body["code"] = code
        handler = framework_settings.EXCEPTION_HANDLER
        if str(getattr(handler, "__module__", "")).partition(".")[0] in FLATTENING:
            super().__init__(body["detail"], body["code"])  # type: ignore[call-arg]  # REST framework's
        else:
            super().__init__(body)  # type: ignore[call-arg]  # the same


class AuthenticationFailed(DetailDictMixin, exceptions.AuthenticationFailed, SuspiciousOperation):
    """A 401 whose body is ``{"detail", "code"}``.

    If no view of REST framework is there to answer the error, for example because a middleware authenticates
    the request, then Django answers 400 and not 500.
    """


class InvalidToken(AuthenticationFailed):
    """A 401 for a token that is not valid."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = _("Token is invalid or expired")
    default_code = "token_not_valid"


def to_token_error(error: Refusal) -> TokenError:
    """Return simplejwt's error, in simplejwt's words, for an error of drf-tessera.

    The attribute ``code`` keeps the exact code, and the views answer it as ``reason``.
    """
    found = (ExpiredTokenError if isinstance(error, TokenExpired | SessionExpired) else TokenError)(
        _name(error)
    )
    found.code, found.refusal = error.code, error
    return found


def _name(error: Refusal) -> Any:
    if isinstance(error, TokenExpired | SessionExpired):
        return _("Token is expired")
    if isinstance(error, TokenWrongType):
        return _("Token has wrong type")
    if isinstance(error, SessionEnded | RefreshReused | RefreshLost):
        return _("Token is blacklisted")
    if isinstance(error, _TokenError | _RefreshInvalid | TransportMismatch):
        return _("Token is invalid")
    return error.detail


def is_about_user(error: TokenError) -> bool:
    """Return whether a token was refused because its user does not exist or is not active."""
    return isinstance(error.refusal, UserGone | UserInactive)


def to_invalid_token(error: TokenError) -> InvalidToken:
    """Return the 401 of an error, with the exact code as ``reason`` beside simplejwt's own code."""
    detail = error.args[0] if error.args else None
    return InvalidToken({"detail": str(detail or InvalidToken.default_detail), "reason": error.code})

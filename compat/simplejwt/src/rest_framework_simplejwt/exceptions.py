"""The errors of simplejwt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from rest_framework import status

from drf_tessera.exceptions import Refusal, TokenExpired
from drf_tessera.legacy import refuse_names
from drf_tessera.rest.errors import Unauthorized, fit_handler


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


class AuthenticationFailed(Unauthorized):
    """A 401 whose body is ``{"detail", "code"}``, unless the project has an exception handler of its own."""

    def __init__(self, detail: Any = None, code: str | None = None) -> None:
        body: dict[str, Any] = {"detail": self.default_detail, "code": self.default_code}
        if isinstance(detail, dict):
            body.update(detail)
        elif detail is not None:
            body["detail"] = detail
        if code is not None:
            body["code"] = code
        super().__init__(fit_handler(body))


class InvalidToken(AuthenticationFailed):
    """A 401 for a token that is not valid."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = _("Token is invalid or expired")
    default_code = "token_not_valid"


def to_token_error(error: Refusal) -> TokenError:
    """Return simplejwt's error for an error of drf-tessera. The attribute ``code`` keeps the exact code."""
    found = (ExpiredTokenError if isinstance(error, TokenExpired) else TokenError)(error.detail)
    found.code, found.refusal = error.code, error
    return found


def to_invalid_token(error: TokenError) -> InvalidToken:
    """Return the 401 of an error, with the exact code as ``reason`` beside simplejwt's own code."""
    return InvalidToken({"detail": str(error), "reason": error.code})


if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)

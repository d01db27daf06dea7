"""Turn every error into one shape: ``{"detail", "code"}``, a status, and an RFC 6750 challenge.

Imports no ``rest_framework.views``: REST framework imports our authentication classes, and with them
this module, while it is importing its own views.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest
from rest_framework import exceptions as drf
from rest_framework.request import Request

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import (
    CsrfFailed,
    HeaderMalformed,
    LoginFailed,
    Refusal,
    RequestError,
    SessionNotFound,
    TemporarilyUnavailable,
    TesseraError,
)

RETRY_AFTER_SECONDS: Final = 1

_FAILURE: Final = "token_error"
"""The attribute of Django's request that remembers why a token was refused."""


class _NotFound(drf.NotFound):
    """404 with our code."""


class _Unavailable(drf.APIException):
    status_code = 503
    wait = RETRY_AFTER_SECONDS


class PayloadTooLarge(drf.APIException):
    """413: the body is larger than anything that an endpoint of ours reads."""

    status_code = 413
    default_detail: str = "The body is too large."
    default_code = "body_too_large"


class LateRefusal(drf.AuthenticationFailed, SuspiciousOperation):
    """401: the user of a token is gone or inactive, as was found when a view looked at it.

    Where no REST framework is around to answer it, such as in a middleware that looks at the user
    after the view, it is a suspicious operation to Django: 400, and not 500.
    """


def to_late_refusal(error: Refusal) -> LateRefusal:
    """Give the 401 that a user raises who is looked at and gone (:data:`drf_tessera.users.Refuse`)."""
    return LateRefusal({"detail": error.detail, "code": error.code})


_STATUSES: Final[tuple[tuple[type[TesseraError], type[drf.APIException]], ...]] = (
    (Refusal, drf.AuthenticationFailed),
    (RequestError, drf.ValidationError),
    (CsrfFailed, drf.PermissionDenied),
    (SessionNotFound, _NotFound),
    (TemporarilyUnavailable, _Unavailable),
)


def to_api_exception(error: TesseraError) -> drf.APIException:
    """Give the REST framework exception of an error of ours.

    A :class:`~drf_tessera.exceptions.ProjectError` has none and goes on as it is: it is a mistake in
    the project, for its developers' log and not for a client.
    """
    for kind, answer in _STATUSES:
        if isinstance(error, kind):
            return answer({"detail": error.detail, "code": error.code})
    raise error


def remember_failure(request: HttpRequest, error: TesseraError | None) -> None:
    """Keep why a token was refused: for the challenge, and for views of optional authentication."""
    setattr(request, _FAILURE, error)


def write_challenge(request: Request) -> str:
    """Write the ``WWW-Authenticate`` header of a 401 (RFC 6750, section 3)."""
    scheme = get_settings().header_prefix
    parts = ['realm="api"']
    error = getattr(request._request, _FAILURE, None)
    if isinstance(error, TesseraError) and not isinstance(error, LoginFailed):
        kind = "invalid_request" if isinstance(error, HeaderMalformed) else "invalid_token"
        parts += [f'error="{kind}"', f'error_description="{_quote(error.detail)}"']
    return f"{scheme} {', '.join(parts)}"


def _quote(text: str) -> str:
    """Keep to the characters of RFC 6750, section 3: printable ASCII without quote and backslash."""
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)


def add_code(exc: Exception) -> Exception:
    """Give an exception the shape ``{"detail", "code"}`` if REST framework would answer it.

    Errors of single fields become ``fields``: a list of ``{"message", "code"}`` for each name.
    """
    found = translate_error(exc)
    if not isinstance(found, drf.APIException):
        return found
    if isinstance(found.detail, Mapping) and {"detail", "code"} <= found.detail.keys():
        return found
    found.detail = _describe_fields(found) if isinstance(found, drf.ValidationError) else _describe(found)
    return found


def translate_error(exc: Exception) -> Exception:
    """Name errors of ours, of Django and of Python as REST framework does; others go on as they are."""
    if isinstance(exc, TesseraError):
        return to_api_exception(exc)
    found: Exception = exc
    if isinstance(exc, drf.APIException):
        pass  # also a LateRefusal, which is a SuspiciousOperation besides
    elif isinstance(exc, Http404):
        found = drf.NotFound()
    elif isinstance(exc, PermissionDenied):
        found = drf.PermissionDenied()
    elif isinstance(exc, SuspiciousOperation):
        found = drf.ParseError("The request cannot be read.")
    elif isinstance(exc, RecursionError):
        found = drf.ParseError("The body is nested too deeply.")
    return found


def _describe(exc: drf.APIException) -> Any:
    codes = exc.get_codes()
    return {"detail": str(exc.detail), "code": codes if isinstance(codes, str) else exc.default_code}


def _describe_fields(exc: drf.ValidationError) -> Any:
    details = exc.get_full_details()
    fields = details if isinstance(details, dict) else {"non_field_errors": details}
    body: dict[str, Any] = {
        "detail": "The request is not valid.",
        "code": "invalid_request",
        "fields": fields,
    }
    loose: Any = fields.get("non_field_errors")
    if loose:
        body["detail"], body["code"] = loose[0]["message"], loose[0]["code"]
    return body

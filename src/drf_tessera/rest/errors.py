"""Convert every error into one form: ``{"detail", "code"}``, a status, and an RFC 6750 challenge.

This module must not import ``rest_framework.views``, because REST framework imports the authentication
classes, and with them this module, while it imports its own views.
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
    TooManyAttempts,
)

RETRY_AFTER_SECONDS: Final = 1

_FAILURE: Final = "token_error"
"""The attribute of Django's request that keeps the reason why a token was refused."""


class _NotFound(drf.NotFound):
    """A 404 with a code of drf-tessera."""


class _Unavailable(drf.APIException):
    status_code = 503
    wait = RETRY_AFTER_SECONDS


class PayloadTooLarge(drf.APIException):
    """A 413: the body is larger than the limit of the token endpoints."""

    status_code = 413
    default_detail: str = "The body is too large."
    default_code = "body_too_large"


class LateRefusal(drf.AuthenticationFailed, SuspiciousOperation):
    """A 401: a view has read a field of the user, and the user of the token is gone or inactive.

    The error is also a ``SuspiciousOperation``. If REST framework cannot answer the error, for example
    because a middleware reads the user after the view, then Django answers 400 and not 500.
    """


def to_late_refusal(error: Refusal) -> LateRefusal:
    """Return the 401 that a lazy user raises if the user is gone (:data:`drf_tessera.users.Refuse`)."""
    return LateRefusal({"detail": error.detail, "code": error.code})


_STATUSES: Final[tuple[tuple[type[TesseraError], type[drf.APIException]], ...]] = (
    (Refusal, drf.AuthenticationFailed),
    (RequestError, drf.ValidationError),
    (CsrfFailed, drf.PermissionDenied),
    (SessionNotFound, _NotFound),
    (TemporarilyUnavailable, _Unavailable),
)


def to_api_exception(error: TesseraError) -> drf.APIException:
    """Return the REST framework exception for an error of drf-tessera.

    A :class:`~drf_tessera.exceptions.ProjectError` is raised unchanged, because it is a mistake of the
    project. It belongs in the log of the developers and not in an answer to a client.
    """
    if isinstance(error, TooManyAttempts):
        return drf.Throttled(error.retry_after)
    for kind, answer in _STATUSES:
        if isinstance(error, kind):
            return answer({"detail": error.detail, "code": error.code})
    raise error


def remember_failure(request: HttpRequest, error: TesseraError | None) -> None:
    """Keep the reason why a token was refused, for the challenge and for views with optional tokens."""
    setattr(request, _FAILURE, error)


def write_challenge(request: Request) -> str:
    """Return the ``WWW-Authenticate`` header of a 401 (RFC 6750, section 3)."""
    scheme = get_settings().header_prefix
    parts = ['realm="api"']
    error = getattr(request._request, _FAILURE, None)
    if isinstance(error, TesseraError) and not isinstance(error, LoginFailed):
        kind = "invalid_request" if isinstance(error, HeaderMalformed) else "invalid_token"
        parts += [f'error="{kind}"', f'error_description="{_quote(error.detail)}"']
    return f"{scheme} {', '.join(parts)}"


def _quote(text: str) -> str:
    """Replace each character that RFC 6750, section 3, does not allow.

    Printable ASCII without quote and backslash is allowed.
    """
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)


def add_code(exc: Exception) -> Exception:
    """Return the exception in the form ``{"detail", "code"}``, if REST framework can answer the exception.

    Errors of single fields become ``fields``: a list of ``{"message", "code"}`` for each field.
    """
    found = translate_error(exc)
    if not isinstance(found, drf.APIException):
        return found
    if isinstance(found.detail, Mapping) and {"detail", "code"} <= found.detail.keys():
        return found
    found.detail = _describe_fields(found) if isinstance(found, drf.ValidationError) else _describe(found)
    return found


def translate_error(exc: Exception) -> Exception:
    """Return the REST framework exception for an error of drf-tessera, Django or Python.

    Any other exception is returned unchanged.
    """
    if isinstance(exc, TesseraError):
        return to_api_exception(exc)
    found: Exception = exc
    if isinstance(exc, drf.APIException):
        pass  # this includes LateRefusal, which is also a SuspiciousOperation
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

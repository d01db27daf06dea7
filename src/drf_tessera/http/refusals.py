"""The answers to errors, for views without REST framework: a status, a challenge, and a body with a code."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, JsonResponse
from django.utils.cache import add_never_cache_headers

from drf_tessera.conf import enter_tenant, get_settings
from drf_tessera.exceptions import (
    ClientInvalid,
    CsrfFailed,
    HeaderMalformed,
    Impersonated,
    IssuerUnavailable,
    LoginFailed,
    ProjectError,
    ProofNeeded,
    Refusal,
    RequestError,
    ScopeMissing,
    SessionMissing,
    SessionNotFound,
    TemporarilyUnavailable,
    TesseraError,
    TooManyAttempts,
    Unauthenticated,
)
from drf_tessera.http.languages import set_language
from drf_tessera.http.resource import point_to_metadata

RETRY_AFTER_SECONDS: Final = 1
"""Seconds until a client repeats a request that a trouble has stopped."""

FAILURE: Final = "token_error"
"""The attribute of Django's request that keeps the reason why a token was refused."""

_STATUSES: Final[tuple[tuple[type[TesseraError], int], ...]] = (
    (Refusal, 401),
    (ClientInvalid, 401),
    (RequestError, 400),
    (CsrfFailed, 403),
    (ScopeMissing, 403),
    (Impersonated, 403),
    (SessionNotFound, 404),
    (SessionMissing, 403),
    (TooManyAttempts, 429),
    (TemporarilyUnavailable, 503),
)


def find_status(kind: type[TesseraError]) -> int | None:
    """Return the status that answers a class of errors. ``None`` means that no answer has this error."""
    return next((number for parent, number in _STATUSES if issubclass(kind, parent)), None)


def remember_failure(request: HttpRequest, error: TesseraError | None) -> None:
    """Keep the reason why a token was refused, for the challenge and for views with optional tokens."""
    setattr(request, FAILURE, error)


def recall_failure(request: HttpRequest) -> TesseraError | None:
    """Return the reason that :func:`remember_failure` has kept, or ``None``."""
    found = getattr(request, FAILURE, None)
    return found if isinstance(found, TesseraError) else None


def write_challenge(error: TesseraError | None, *, path: str) -> str:
    """Return the ``WWW-Authenticate`` header of a refusal (RFC 6750, section 3).

    Its description is English, because RFC 6750 allows only ASCII there.

    Args:
        error: the reason. Without a token there is no reason to name.
        path: the path of the request. With ``RESOURCE`` the challenge tells where to get a token.
    """
    scheme = get_settings().header_prefix
    parts = ['realm="api"']
    if isinstance(error, ScopeMissing):
        parts.append('error="insufficient_scope"')
        parts += [f'scope="{to_ascii(" ".join(error.scopes))}"'] if error.scopes else []
    elif isinstance(error, ProofNeeded):
        parts += [f'error="{error.code}"', f'error_description="{to_ascii(str(error))}"']
        parts += [] if error.max_age is None else [f"max_age={error.max_age}"]
        parts += [f'acr_values="{" ".join(error.ways)}"'] if error.ways else []
    elif error is not None and not isinstance(error, LoginFailed | Unauthenticated):
        kind = "invalid_request" if isinstance(error, HeaderMalformed) else "invalid_token"
        parts += [f'error="{kind}"', f'error_description="{to_ascii(str(error))}"']
    return f"{scheme} {', '.join([*parts, *point_to_metadata(path)])}"


def write_refusal(error: TesseraError, request: HttpRequest) -> JsonResponse:
    """Return the answer to an error of this package: ``{"detail", "code"}``, and no cache may store it.

    Raises:
        ProjectError: the error is a mistake of the project. It belongs into the log of the developers.
    """
    if isinstance(error, ProjectError):
        raise error
    enter_tenant(request)  # the challenge names the resource of the tenant
    status = find_status(type(error)) or 400
    response = JsonResponse({"detail": error.detail, "code": error.code}, status=status)
    if status == 401 or isinstance(error, ScopeMissing):
        response.headers["WWW-Authenticate"] = write_challenge(error, path=request.path)
    if isinstance(error, TooManyAttempts | IssuerUnavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    elif status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    set_language(response)
    add_never_cache_headers(response)
    return response


def to_ascii(text: str) -> str:
    """Replace each character that RFC 6750, section 3, and RFC 6749, section 5.2, do not allow.

    Printable ASCII without quote and backslash is allowed.
    """
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)

"""Convert every error into an exception of REST framework, and write the body ``{"detail", "code"}``.

A handler of another package (``REST_FRAMEWORK["EXCEPTION_HANDLER"]``) sees exceptions in REST framework's own
form: ``exc.detail`` is an ``ErrorDetail`` with our code. The body ``{"detail", "code"}`` is written here and
nowhere else.

This module must not import ``rest_framework.views`` at its top, because REST framework imports the
authentication classes, and with them this module, while it imports its own views.
"""

from __future__ import annotations

from collections.abc import Mapping
from traceback import walk_tb
from typing import Any, Final

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import Error
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from drf_tessera import http
from drf_tessera.conf import enter_tenant
from drf_tessera.database import explain_mistake, explain_trouble
from drf_tessera.exceptions import (
    IssuerUnavailable,
    ProjectError,
    Refusal,
    TesseraError,
    TooManyAttempts,
)
from drf_tessera.http import RETRY_AFTER_SECONDS, recall_failure
from drf_tessera.rest.requests import get_django_request


class CodedError(drf.APIException):
    """An error with one text and one code.

    ``get_codes()`` returns the code and ``get_full_details()`` returns ``{"message", "code"}``, also if
    ``detail`` is the whole body (see :func:`fit_handler`).
    """

    @property
    def text(self) -> drf.ErrorDetail:
        """The text of the error, with its code."""
        found: Any = self.detail
        if isinstance(found, Mapping):
            return drf.ErrorDetail(found["detail"], str(found["code"]))
        return found  # type: ignore[no-any-return]  # a text always has a code

    def __str__(self) -> str:
        return str(self.text)

    def get_codes(self) -> Any:
        """Return the code."""
        return self.text.code

    def get_full_details(self) -> Any:
        """Return the text and the code."""
        return {"message": self.text, "code": self.text.code}


class Unauthorized(CodedError, drf.AuthenticationFailed, SuspiciousOperation):
    """A 401.

    The error is also a ``SuspiciousOperation``. If no view of REST framework is there to answer the error,
    for example because a middleware authenticates the request, then Django answers 400 and not 500.
    """


class LateRefusal(Unauthorized):
    """A 401: a view has read a field of the user, and the user of the token is gone or inactive."""


class Forbidden(CodedError, drf.PermissionDenied, SuspiciousOperation):
    """A 403. The error is a ``SuspiciousOperation`` for the same reason as :class:`Unauthorized`."""


class BadRequest(CodedError):
    """A 400 that does not concern a single field."""

    status_code = 400


class NotFound(CodedError, drf.NotFound):
    """A 404."""


class Unavailable(CodedError):
    """A 503. The client may repeat the request after ``wait`` seconds."""

    status_code = 503
    wait = RETRY_AFTER_SECONDS


class LimitReached(CodedError, drf.Throttled):
    """A 429, with the text that REST framework writes if a throttle refuses a request."""


class PayloadTooLarge(CodedError):
    """A 413: the body is larger than the limit of the token endpoints."""

    status_code = 413
    default_detail: Any = _("The body is too large.")
    default_code = "body_too_large"


_ANSWERS: Final[dict[int | None, type[CodedError]]] = {
    kind.status_code: kind for kind in (Unauthorized, BadRequest, Forbidden, NotFound, Unavailable)
}


def to_api_exception(error: TesseraError, request: Request | HttpRequest | None = None) -> CodedError:
    """Return the REST framework exception for an error of drf-tessera.

    A :class:`~drf_tessera.exceptions.ProjectError` is raised unchanged, because it is a mistake of the
    project. It belongs in the log of the developers and not in an answer to a client.

    Args:
        error: the error.
        request: the request that is answered; see :func:`fit_handler`.
    """
    if isinstance(error, TooManyAttempts):
        return LimitReached(error.retry_after)
    answer = _ANSWERS.get(http.find_status(type(error)))
    if answer is None:
        raise error
    found = answer(fit_handler({"detail": error.detail, "code": error.code}, request))
    if isinstance(error, IssuerUnavailable):
        vars(found)["wait"] = error.retry_after  # in place of the time of the class
    return found


def to_late_refusal(error: Refusal) -> LateRefusal:
    """Return the 401 that a lazy user raises if the user is gone (:data:`drf_tessera.users.Refuse`)."""
    return LateRefusal(fit_handler({"detail": error.detail, "code": error.code}))


def fit_handler(body: Mapping[str, Any], request: Request | HttpRequest | None = None) -> Any:
    """Return the ``detail`` of an exception whose answer should be ``body``.

    REST framework's own handler writes only the text of an ``ErrorDetail``, and drops its code. Only for this
    handler the detail is the whole body. For every other handler the detail is an ``ErrorDetail``, as REST
    framework promises.

    Args:
        body: the body, with ``detail`` and ``code``.
        request: the request that is answered. Its view has a handler, and a request of Django has none.
            Without a request, the handler of ``REST_FRAMEWORK`` counts.
    """
    code = str(body["code"])
    text = drf.ErrorDetail(body["detail"], code)
    if not _is_answered_by_rest_framework(request):
        return text
    return {**body, "detail": text, "code": drf.ErrorDetail(code, code)}


def _is_answered_by_rest_framework(request: Request | HttpRequest | None) -> bool:
    from rest_framework.views import exception_handler  # noqa: PLC0415 - see the docstring of the module

    if request is not None and not isinstance(request, Request):
        return False
    view = (getattr(request, "parser_context", None) or {}).get("view")
    handler = api_settings.EXCEPTION_HANDLER if view is None else view.get_exception_handler()
    return bool(handler is exception_handler)


def write_challenge(request: Request | HttpRequest) -> str:
    """Return the ``WWW-Authenticate`` header of a 401 (RFC 6750, section 3)."""
    django_request = get_django_request(request)
    enter_tenant(django_request)  # the challenge names the resource of the tenant
    return http.write_challenge(recall_failure(django_request), path=request.path)


# -- Handlers --------------------------------------------------------------------------------------


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response of REST framework to an error, with a ``code`` beside every ``detail``.

    For ``REST_FRAMEWORK["EXCEPTION_HANDLER"]``, so that the errors of the project's own views have codes too.
    The token endpoints have codes without this setting.
    """
    from rest_framework.views import exception_handler as answer  # noqa: PLC0415 - see the module

    found = translate_error(exc)
    response = answer(found, context)
    if response is not None and isinstance(found, drf.APIException):
        response.data = describe_error(found)
        if isinstance(found, CodedError):
            http.set_language(response)
    return response


def translate_own_error(exc: Exception) -> Exception:
    """Return what :func:`translate_error` returns, and a 503 for a database that cannot be used.

    This is only for the endpoints of this package. The error of a project's own query, in a view of the
    project, belongs to the project. A missing table is not an outage. It is returned as a
    :class:`~drf_tessera.exceptions.MigrationMissing`, and REST framework raises it.
    """
    found = exc
    if isinstance(exc, Error):
        found = explain_mistake(exc) or explain_trouble(exc) or exc
        if found is not exc:
            found.__cause__ = exc
    return translate_error(found)


def translate_error(exc: Exception) -> Exception:
    """Return the REST framework exception for an error of drf-tessera, Django or Python.

    Any other exception is returned unchanged, and so is a mistake of the project.
    """
    if isinstance(exc, TesseraError):
        return exc if isinstance(exc, ProjectError) else to_api_exception(exc)
    found: Exception = exc
    if isinstance(exc, drf.APIException):
        pass  # this includes LateRefusal, which is also a SuspiciousOperation
    elif isinstance(exc, Http404):
        found = drf.NotFound()
    elif isinstance(exc, PermissionDenied):
        found = drf.PermissionDenied()
    elif isinstance(exc, SuspiciousOperation):
        found = drf.ParseError(_("The request cannot be read."))
    elif isinstance(exc, RecursionError) and _is_of_parser(exc):
        found = drf.ParseError(_("The body is nested too deeply."))
    return found


def _is_of_parser(exc: RecursionError) -> bool:
    """Return whether the error comes from parsing a body, and not from an endless loop in a view."""
    parse: Any = vars(Request)["_parse"]  # every parser is called from there
    return any(frame.f_code is parse.__code__ for frame, _ in walk_tb(exc.__traceback__))


def describe_error(exc: drf.APIException) -> Any:
    """Return the body ``{"detail", "code"}`` of an exception.

    A validation error has ``fields`` too: a list of ``{"message", "code"}`` for each field. A body that has
    this form already is returned unchanged.
    """
    detail: Any = exc.detail
    if isinstance(detail, Mapping) and {"detail", "code"} <= detail.keys():
        return detail
    if isinstance(exc, drf.ValidationError):
        return _describe_fields(exc)
    if isinstance(detail, Mapping):
        return {"detail": str(exc.default_detail), "code": exc.default_code, **detail}
    codes = exc.get_codes()
    text = " ".join(map(str, detail)) if isinstance(detail, list) else str(detail)
    return {"detail": text, "code": codes if isinstance(codes, str) else exc.default_code}


def add_code(response: Response, exc: Exception) -> None:
    """Add the code to an answer of another handler that has kept REST framework's form ``{"detail"}``."""
    text = getattr(exc, "detail", None)
    body = response.data
    if isinstance(body, dict) and isinstance(text, drf.ErrorDetail) and body.get("detail") == text:
        body.setdefault("code", text.code)


def _describe_fields(exc: drf.ValidationError) -> Any:
    details, loose_key = exc.get_full_details(), api_settings.NON_FIELD_ERRORS_KEY
    fields = details if isinstance(details, dict) else {loose_key: details}
    body: dict[str, Any] = {
        "detail": str(_("The request is not valid.")),
        "code": "invalid_request",
        "fields": fields,
    }
    loose: Any = fields.get(loose_key)
    if loose:
        body["detail"], body["code"] = loose[0]["message"], loose[0]["code"]
    return body

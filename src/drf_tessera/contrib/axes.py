"""Answers with our codes where django-axes has locked somebody out.

django-axes names these functions in its own settings; see docs/howto/axes.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from drf_tessera.exceptions import TooManyAttempts
from drf_tessera.http import find_view_class
from drf_tessera.rest.endpoints import TokenView
from drf_tessera.rest.requests import find_client

LOCKED: str = "account_locked"
"""The code of a lock that only a person can open, because ``AXES_COOLOFF_TIME`` is not set."""


def answer_lockout(
    request: HttpRequest, response: HttpResponse | None, credentials: Mapping[str, Any] | None
) -> HttpResponse:
    """Return the answer to somebody who is locked out (``AXES_LOCKOUT_CALLABLE``).

    Our endpoints answer ``throttled`` with ``Retry-After``, or ``account_locked``. Every other view,
    such as the login of the admin, answers as django-axes would.
    """
    from axes.helpers import (  # type: ignore[import-untyped]  # noqa: PLC0415 - it needs its models
        get_cool_off,
        get_lockout_message,
    )

    match = request.resolver_match
    if match is None or not issubclass(find_view_class(match.func) or object, TokenView):
        return _answer_page(request, credentials)
    chosen: Any = settings  # for the stubs only the settings of installed apps exist
    wait = get_cool_off(request)
    if wait is None:
        body = {"detail": get_lockout_message(), "code": LOCKED}
        return JsonResponse(body, status=chosen.AXES_HTTP_RESPONSE_CODE)
    seconds = ceil(wait.total_seconds())
    error = TooManyAttempts(seconds)
    body = {"detail": error.detail, "code": error.code}
    headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
    return JsonResponse(body, status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)


def find_username(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str | None:
    """Return the name of the account in a login, also an e-mail address (``AXES_USERNAME_CALLABLE``)."""
    found: Mapping[str, Any] = credentials or request.POST
    return next((str(found[name]) for name in ("username", "email") if found.get(name)), None)


def find_address(request: HttpRequest) -> str | None:
    """Return the address of the client, as our own limits read it (``AXES_CLIENT_IP_CALLABLE``)."""
    return find_client(request).ip


def _answer_page(request: HttpRequest, credentials: Mapping[str, Any] | None) -> HttpResponse:
    """Return the answer of django-axes to a page."""
    from axes.helpers import get_failure_limit, get_lockout_message  # noqa: PLC0415 - it needs its models

    chosen: Any = settings
    if chosen.AXES_LOCKOUT_URL:
        return redirect(chosen.AXES_LOCKOUT_URL)
    if chosen.AXES_LOCKOUT_TEMPLATE:
        context = {
            "failure_limit": get_failure_limit(request, dict(credentials or {})),
            "username": find_username(request, credentials) or "",
        }
        return render(request, chosen.AXES_LOCKOUT_TEMPLATE, context, status=chosen.AXES_HTTP_RESPONSE_CODE)
    return HttpResponse(get_lockout_message(), status=chosen.AXES_HTTP_RESPONSE_CODE)

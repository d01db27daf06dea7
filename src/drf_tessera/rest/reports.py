"""The signals of refused tokens, with the origin of the request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework.request import Request

from drf_tessera import http, sessions, signals
from drf_tessera.exceptions import Refusal
from drf_tessera.rest.requests import find_client, get_django_request
from drf_tessera.tokens import read_refresh_token


def report_refused_token(code: str, request: Request | HttpRequest) -> None:
    """Send :data:`~drf_tessera.signals.token_refused`, once for each request and code."""
    http.report_refused_token(code, get_django_request(request))


@contextmanager
def reporting_refusal(request: Request | HttpRequest) -> Iterator[None]:
    """Report a refusal inside the block as that of an access token."""
    try:
        yield
    except Refusal as error:
        report_refused_token(error.code, request)
        raise


@sensitive_variables()
def report_failed_refresh(code: str, request: Request | HttpRequest, token: object = None) -> None:
    """Send :data:`~drf_tessera.signals.refresh_failed`, if somebody listens.

    Args:
        code: the code of the refusal.
        request: the request.
        token: the text that came as a refresh token. It may be anything.
    """
    if not sessions.is_heard(signals.refresh_failed):
        return
    facts: Any = None
    if isinstance(token, str):
        with suppress(Refusal):
            facts = read_refresh_token(token).facts
    sessions.report_refusal(
        signals.refresh_failed,
        partial(find_client, request),
        code=code,
        session_id=facts and facts.session_id,
        sub=facts and facts.sub,
    )

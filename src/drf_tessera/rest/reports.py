"""The signals of refused tokens, with the origin of the request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework.request import Request

from drf_tessera import sessions, signals
from drf_tessera.exceptions import Refusal
from drf_tessera.models import Session
from drf_tessera.rest.requests import find_client
from drf_tessera.tokens import read_refresh_token

_unreported: Final[ContextVar[bool]] = ContextVar("_unreported", default=False)


@contextmanager
def unreported() -> Iterator[None]:
    """Send no signal of a refusal inside the block, because no request of a stranger is there."""
    before = _unreported.set(True)
    try:
        yield
    finally:
        _unreported.reset(before)


def report_refused_token(code: str, request: Request | HttpRequest) -> None:
    """Send :data:`~drf_tessera.signals.token_refused`, if somebody listens."""
    if signals.token_refused.has_listeners(Session) and not _unreported.get():
        origin = sessions.describe_origin(find_client(request))
        signals.token_refused.send_robust(Session, code=code, **origin)


@sensitive_variables()
def report_failed_refresh(code: str, request: Request | HttpRequest, token: object = None) -> None:
    """Send :data:`~drf_tessera.signals.refresh_failed`, if somebody listens.

    Args:
        code: the code of the refusal.
        request: the request.
        token: the text that came as a refresh token. It may be anything.
    """
    if not signals.refresh_failed.has_listeners(Session):
        return
    facts: Any = None
    if isinstance(token, str):
        with suppress(Refusal):
            facts = read_refresh_token(token).facts
    signals.refresh_failed.send_robust(
        Session,
        code=code,
        session_id=facts and facts.session_id,
        sub=facts and facts.sub,
        **sessions.describe_origin(find_client(request)),
    )

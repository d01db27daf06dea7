"""Refused access tokens: the signal, and the refusal of a user who turns out to be gone."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest

from drf_tessera import sessions, signals
from drf_tessera.exceptions import Refusal
from drf_tessera.http.client import count_proxies, describe_client
from drf_tessera.http.refusals import remember_failure

_REPORTED: Final = "_tessera_reported"
"""The attribute of Django's request with the codes that were reported."""


def report_refused_token(code: str, request: HttpRequest) -> None:
    """Send :data:`~drf_tessera.signals.token_refused`, once for each request and code.

    Several places may refuse the token of one request: a middleware, and then a view.

    Args:
        code: the code of the refusal.
        request: Django's request.
    """
    reported: set[str] = vars(request).setdefault(_REPORTED, set())
    if code in reported:
        return
    reported.add(code)
    sessions.report_refusal(
        signals.token_refused, lambda: describe_client(request, proxies=count_proxies()), code=code
    )


class LateRefuser(weakref.ref[HttpRequest]):
    """Refuses a lazy user that turns out to be gone, and keeps the reason for the challenge.

    The reference to the request is weak, because a user that outlives the request should not keep the
    request in memory. A pickled user has no request.
    """

    __slots__ = ()

    @staticmethod
    def make(error: Refusal) -> Exception:
        """Return the exception that the user raises."""
        raise NotImplementedError

    def __call__(self, error: Refusal) -> Exception:  # type: ignore[override]
        """Return the exception that the user raises, after the refusal was reported."""
        request = super().__call__()
        if request is not None:
            remember_failure(request, error)
            report_refused_token(error.code, request)
        return self.make(error)

    def __reduce__(self) -> tuple[Any, ...]:
        return _get_make, (type(self),)


def _get_make(kind: type[LateRefuser]) -> Callable[[Refusal], Exception]:
    return kind.make

"""The tenant of a request is the first part of its host, as projects with a router do it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponse

current: ContextVar[str] = ContextVar("current", default="")


def find_tenant(request: HttpRequest | None) -> str:
    return current.get() if request is None else request.get_host().partition(".")[0]


def choose_tenant(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that chooses the database of a request."""

    def choose(request: HttpRequest) -> HttpResponse:
        before = current.set(find_tenant(request))
        try:
            return get_response(request)
        finally:
            current.reset(before)

    return choose


class Router:
    """Each tenant has a database. The tenants "one-7" and "one-8" are small, and share that of "one"."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return current.get().partition("-")[0] or None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return current.get().partition("-")[0] or None

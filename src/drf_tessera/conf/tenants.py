"""The tenant of the present request, which ``TENANT`` names.

A tenant has users of its own, with primary keys of its own. All that a process remembers is kept by tenant:
keys, verified tokens, ended sessions and counts. Without ``TENANT`` there is one tenant, whose name is empty.

The name of a request is found once and kept in a context variable, because a name may cost the project a
lookup. The variable refers to the request weakly, and the name is dropped when the request is over. So a
thread never uses the name of its last request.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from django.conf import settings as django_settings
from django.core.signals import request_finished
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest

from drf_tessera.exceptions import ProjectError

T = TypeVar("T")

TenantOf = Callable[[HttpRequest | None], str]
"""From a request to the name of its tenant. ``None`` stands for code outside of requests."""

MAX_TENANTS: Final = 1000
"""The largest number of tenants that one process remembers. The tenants used last are kept.

The number has a limit, because a stranger may invent host names.
"""

MAX_LENGTH: Final = 100
"""The largest number of characters in the name of a tenant."""

_OUR_APP: Final = "drf_tessera"


@dataclass(frozen=True, slots=True, eq=False)
class _Entered:
    """A tenant that was entered: by a request, or by :func:`use_name` without a request."""

    request: weakref.ref[HttpRequest] | None
    find: TenantOf
    name: str
    outer: _Entered | None


_entered: ContextVar[_Entered | None] = ContextVar("drf_tessera_tenant", default=None)


def find_name(find: TenantOf) -> str:
    """Return the name of the present tenant.

    Raises:
        ProjectError: ``TENANT`` did not return a name.
    """
    if find is find_schema:
        return find_schema(None)
    entered = _entered.get()
    while entered is not None:
        if entered.find is find and (entered.request is None or entered.request() is not None):
            return entered.name
        entered = entered.outer
    return _ask(find, None)


def enter_request(find: TenantOf, request: HttpRequest) -> None:
    """Find the name of the tenant of a request, unless it is known already, and use it from now on.

    Raises:
        ProjectError: ``TENANT`` did not return a name.
    """
    entered = _entered.get()
    if find is find_schema or (
        entered is not None
        and entered.find is find
        and entered.request is not None
        and entered.request() is request
    ):
        return
    _entered.set(_Entered(weakref.ref(request), find, _ask(find, request), entered))


@contextmanager
def use_name(find: TenantOf, name: str) -> Iterator[None]:
    """Use the tenant ``name`` inside the block.

    Raises:
        ProjectError: ``name`` is not a name.
    """
    before = _entered.get()
    _entered.set(_Entered(None, find, _check(name), before))
    try:
        yield
    finally:
        _entered.set(before)


def _leave_request(**kwargs: object) -> None:
    """Drop the tenant of a request that is over."""
    entered = _entered.get()
    while entered is not None and entered.request is not None:
        entered = entered.outer
    _entered.set(entered)


request_finished.connect(_leave_request, dispatch_uid="drf_tessera.tenants")


def _ask(find: TenantOf, request: HttpRequest | None) -> str:
    return _check(find(request))


def _check(name: Any) -> str:
    if not isinstance(name, str) or len(name) > MAX_LENGTH or not name.isprintable():
        raise ProjectError(
            f"TESSERA['TENANT'] must return a text of at most {MAX_LENGTH} printable characters, not a"
            f" {type(name).__name__}. Return an empty text for a request without a tenant."
        )
    return name


# -- django-tenants --------------------------------------------------------------------------------


def find_automatically() -> TenantOf | None:
    """Return the function that names the tenant, if the project uses django-tenants.

    If the app is not in ``TENANT_APPS``, then all tenants share their users, and there is nothing to tell
    apart.
    """
    if "django_tenants" not in list_installed_apps():
        return None
    return find_schema if _OUR_APP in list_schema_apps() else None


def list_installed_apps() -> set[str]:
    """Return the packages of the apps of the project, also of those that are named by their config class."""
    return _name_packages(django_settings.INSTALLED_APPS)


def list_schema_apps() -> set[str]:
    """Return the packages of the apps whose tables each schema of django-tenants has."""
    found = [*(getattr(django_settings, "TENANT_APPS", None) or ())]
    for chosen in (getattr(django_settings, "TENANT_TYPES", None) or {}).values():
        found += chosen.get("APPS", ())
    return _name_packages(found)


def _name_packages(apps: Iterable[str]) -> set[str]:
    return {path.partition(".apps.")[0] for path in apps}


def find_schema(request: HttpRequest | None) -> str:
    """Return the schema in use. This is the answer inside of ``schema_context`` too."""
    alias = getattr(django_settings, "TENANT_DB_ALIAS", DEFAULT_DB_ALIAS)
    found: Any = connections[alias]
    return found.schema_name or ""


# -- One value for each tenant ---------------------------------------------------------------------


class ByTenant(Generic[T]):
    """One value for each of the :data:`MAX_TENANTS` tenants used last. Several threads may use it.

    The values are in two halves, as in :class:`drf_tessera.tokens.LRU`, so finding a value takes no
    lock.
    """

    def __init__(self) -> None:
        self._young: dict[str, T] = {}
        self._old: dict[str, T] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, name: str, make: Callable[[], T]) -> T:
        """Return the value of a tenant. Make it if it is missing."""
        found = self._young.get(name)
        if found is not None:
            return found
        with self._lock:
            found = self._young.get(name)
            if found is None:
                found = self._old.pop(name, None)
                self._young[name] = found = make() if found is None else found
                if len(self._young) >= MAX_TENANTS // 2:
                    self._old, self._young = self._young, {}
            return found

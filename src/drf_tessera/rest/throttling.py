"""Limits on guessing passwords, for each account name and for each address.

The limits are throttles of REST framework, with its cache and its rules. Only the key and the rate are
drf-tessera's. In production, use a cache that all processes share, because Django's default cache belongs
to one process.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from django.core.cache import cache as default_cache
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from drf_tessera.conf import get_settings
from drf_tessera.http import name_network, read_address
from drf_tessera.rest.requests import get_django_request
from drf_tessera.users import fold_name

logger: Final = logging.getLogger(__name__)

PAUSE: Final = 10.0
"""Seconds for which a cache that has failed is not asked again."""


def proxies_are_counted() -> bool:
    """Return whether the project has set the number of proxies in front of the server."""
    return api_settings.NUM_PROXIES is not None


def count_proxies() -> int:
    """Return REST framework's ``NUM_PROXIES``. If the setting is not set, return 0.

    (If the setting is not set, REST framework trusts all of ``X-Forwarded-For``, which any client can
    write.)
    """
    return api_settings.NUM_PROXIES or 0


class _Counts:
    """The counts of logins: in the default cache, or in memory as long as the default cache does not answer.

    A login must not depend on the cache, and the limits must not end with it. In memory each process counts
    the logins itself. After a failure the cache is not asked for :data:`PAUSE`, because each call may take
    as long as its timeout.
    """

    def __init__(self) -> None:
        self._failed_at = float("-inf")
        self._memory = LocMemCache("drf-tessera logins", {"OPTIONS": {"MAX_ENTRIES": 10_000}})

    def get(self, key: str, default: Any = None) -> Any:
        return self._call("get", key, default)

    def set(self, key: str, value: Any, timeout: Any) -> None:
        self._call("set", key, value, timeout)

    def _call(self, method: str, *args: Any) -> Any:
        if not 0 <= time.monotonic() - self._failed_at < PAUSE:
            try:
                return getattr(default_cache, method)(*args)
            except Exception:  # each cache backend has its own exceptions
                self._failed_at = time.monotonic()
                logger.exception(
                    "The default cache does not answer. Each process now counts the logins itself."
                )
        return getattr(self._memory, method)(*args)


_counts: Final = _Counts()


class _LoginThrottle(SimpleRateThrottle):
    cache: Any = _counts  # for the stubs it is a cache backend


class LoginAccountThrottle(_LoginThrottle):
    """``LOGIN_RATE_PER_ACCOUNT``: the limit of attempts for one account name, from all addresses."""

    scope: str = "tessera_login_account"
    fields: tuple[str, ...] = ("username", "email")

    def get_rate(self) -> str | None:
        """Return the rate, read live from the settings."""
        return get_settings().login_rate_per_account

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Return a key with a digest of the account name.

        The digest makes a valid key from any text, and the key does not show the name.
        """
        body = request.data if isinstance(request.data, Mapping) else {}
        names = [body.get(field) for field in getattr(view, "account_fields", self.fields)]
        # A number must share the limit of its text, because the serializer converts a number to its text.
        name = next((str(name) for name in names if isinstance(name, str | int | float) and name != ""), None)
        if name is None:
            return None  # the serializer will refuse the request
        # All spellings of one account name must share one limit.
        digest = hashlib.sha256(fold_name(name).encode("utf-8", "backslashreplace")).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": digest}


class LoginAddressThrottle(_LoginThrottle):
    """``LOGIN_RATE_PER_ADDRESS``: the limit of attempts from one address, for all accounts."""

    scope: str = "tessera_login_address"

    def get_rate(self) -> str | None:
        """Return the rate, read live from the settings."""
        return get_settings().login_rate_per_address

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Return a key for the address.

        For IPv6 the key stands for the network of 64 bits, because one subscriber owns the whole network.
        """
        address = read_address(_plain(request), proxies=count_proxies())
        ident = hashlib.sha256((name_network(address) if address else "local").encode()).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}


def _plain(request: Request) -> HttpRequest:
    return get_django_request(request)

"""Limits on guessing passwords: for each account name, and for each address.

REST framework's own throttles, with its cache and its rules; only the key and the rate are ours. The
default cache of Django is one for each process: use a shared one in production.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from drf_tessera.conf import get_settings
from drf_tessera.http import name_network, read_address
from drf_tessera.users import fold_name


def proxies_are_counted() -> bool:
    """Tell whether the project said how many proxies stand in front of it."""
    return api_settings.NUM_PROXIES is not None


def count_proxies() -> int:
    """Give REST framework's ``NUM_PROXIES``, with unset meaning none.

    (Its own reading of unset believes all of ``X-Forwarded-For``, which any client can write.)
    """
    return api_settings.NUM_PROXIES or 0


class LoginAccountThrottle(SimpleRateThrottle):
    """``LOGIN_RATE_PER_ACCOUNT``: attempts for one account name, from wherever they come."""

    scope = "tessera_login_account"
    fields = ("username", "email")

    def get_rate(self) -> str | None:
        """Read the rate live."""
        return get_settings().login_rate_per_account

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Name the account by a digest: any text is a valid key then, and none is readable."""
        body = request.data if isinstance(request.data, Mapping) else {}
        names = [body.get(field) for field in getattr(view, "account_fields", self.fields)]
        # The serializer takes a number for its text, so a number must not have a budget of its own.
        name = next((str(name) for name in names if isinstance(name, str | int | float) and name != ""), None)
        if name is None:
            return None  # the serializer will refuse it
        # One account must not have a budget for each way to write its name.
        digest = hashlib.sha256(fold_name(name).encode("utf-8", "backslashreplace")).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": digest}


class LoginAddressThrottle(SimpleRateThrottle):
    """``LOGIN_RATE_PER_ADDRESS``: attempts from one address, for whichever account."""

    scope = "tessera_login_address"

    def get_rate(self) -> str | None:
        """Read the rate live."""
        return get_settings().login_rate_per_address

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Name the address, or for IPv6 the network of 64 bits that one subscriber has for itself."""
        address = read_address(_plain(request), proxies=count_proxies())
        ident = hashlib.sha256((name_network(address) if address else "local").encode()).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}


def _plain(request: Request) -> HttpRequest:
    return request._request

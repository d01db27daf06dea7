"""Clients and tokens for the tests of a project, with any runner. pytest also has the fixtures.

The tokens are real: a session starts for each of them, so the tests go through the whole authentication.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.test import override_settings
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from rest_framework.test import APIClient

from drf_tessera import limits, sessions
from drf_tessera.conf import get_settings

__all__ = [
    "TokenClient",
    "client_for",
    "client_with",
    "ended_token",
    "expired_token",
    "forget_attempts",
    "wrong_audience_token",
]


class TokenClient(APIClient):
    """REST framework's client, whose requests carry an access token."""

    grant: sessions.Grant | None = None
    """The login, with both tokens and the id of the session. ``None`` if only a token was given."""

    # REST framework has no types. Without its stubs, a type checker takes the answers for requests.
    get: Callable[..., Any]
    post: Callable[..., Any]
    put: Callable[..., Any]
    patch: Callable[..., Any]
    delete: Callable[..., Any]
    head: Callable[..., Any]
    options: Callable[..., Any]


def client_for(
    user: AbstractBaseUser, *, scope: str = "", amr: tuple[str, ...] = ("pwd",), **claims: Any
) -> TokenClient:
    """Return a client that is logged in as ``user``. A real session starts, without a password.

    Args:
        user: a saved, active user.
        scope: the scope of the token.
        amr: how the user was authenticated (RFC 8176).
        claims: further claims of the token, as ``sessions.start(claims=...)`` takes them.

    Raises:
        ClaimsHookError: a claim is registered (such as ``exp``), or has no JSON form.
    """
    grant = sessions.start(user, scope=scope, amr=amr, claims=claims)
    client = client_with(grant.access)
    client.grant = grant
    return client


@sensitive_variables()
def client_with(token: str) -> TokenClient:
    """Return a client that sends any access token, good or bad, in the header that the settings name."""
    chosen, client = get_settings(), TokenClient()
    header = f"HTTP_{chosen.header_name.upper().replace('-', '_')}"
    client.credentials(**{header: f"{chosen.header_prefix} {token}"})
    return client


def expired_token(user: AbstractBaseUser) -> str:
    """Return an access token of ``user`` that has expired, while its session is live (``token_expired``)."""
    earlier = get_settings().access_lifetime + timedelta(minutes=1)
    return sessions.start(user, now=timezone.now() - earlier).access


def wrong_audience_token(user: AbstractBaseUser, audience: str = "another-audience") -> str:
    """Return an access token of ``user`` for another audience (``token_wrong_audience``)."""
    chosen = {**getattr(settings, "TESSERA", {}), "AUDIENCE": audience}
    with override_settings(TESSERA=chosen):
        return sessions.start(user).access


def ended_token(user: AbstractBaseUser) -> str:
    """Return an access token of ``user`` whose session was ended (``session_ended``)."""
    grant = sessions.start(user)
    sessions.revoke(grant.session_id)
    return grant.access


def forget_attempts() -> None:
    """Drop the counts of all logins and refreshes. Call this before each test.

    Otherwise the tests spend each other's limits, and the eleventh login of a suite may be a 429. The plugin
    for pytest calls it. The cache itself is not cleared.
    """
    limits.begin_anew()

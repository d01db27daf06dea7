"""E070: the place of ``TokenMiddleware`` among the middleware of Django."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from drf_tessera.checks.middleware import check_middleware

AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"
LOGIN = "django.contrib.auth.middleware.LoginRequiredMiddleware"
OURS = "drf_tessera.plain.TokenMiddleware"


@pytest.mark.parametrize(
    ("middleware", "found"),
    [
        ([], []),
        ([AUTH, LOGIN], []),
        ([OURS], []),
        ([AUTH, OURS], []),
        ([AUTH, OURS, LOGIN], []),
        ([OURS, LOGIN], []),
        ([OURS, AUTH], ["tessera.E070"]),
        ([AUTH, LOGIN, OURS], ["tessera.E070"]),
        (["django.utils.cache.patch_cache_control", AUTH, OURS], []),
        (["missing.Middleware", OURS, AUTH], []),
    ],
)
def test_the_middleware_stands_where_its_user_is_seen(middleware: list[str], found: list[str]) -> None:
    with override_settings(MIDDLEWARE=middleware):
        messages: Any = check_middleware(None)
    assert [message.id for message in messages] == found

"""What ``manage.py check`` says. ``docs/reference/checks.md`` lists every id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.models import UniqueConstraint
from django.utils.module_loading import import_string

from drf_tessera.backends import EmailBackend
from drf_tessera.conf import COOKIE, expects_legacy_tokens, read_settings
from drf_tessera.exceptions import SettingsError
from drf_tessera.http import find_cookie_directory, find_view_class, forget_directories, walk_views
from drf_tessera.models import Session
from drf_tessera.rest.throttling import proxies_are_counted
from drf_tessera.rest.views import RefreshView
from drf_tessera.users import find_user_fields

Apps = Sequence[AppConfig] | None


def connect() -> None:
    """Register the checks; called once, when the app is ready."""
    register(check_settings, Tags.security)
    register(check_user_fields, Tags.models)
    register(check_revocation_cache, Tags.caches)
    register(check_databases, Tags.models)
    register(check_refresh_views, Tags.urls)
    register(check_cookie_path, Tags.urls)
    register(check_email_is_unique, Tags.security, deploy=True)
    register(check_throttle_cache, Tags.caches, deploy=True)
    register(check_proxies, Tags.security, deploy=True)
    register(check_plain_cookies, Tags.security, deploy=True)
    register(check_trusted_origins, Tags.security, deploy=True)
    register(check_legacy_tokens, Tags.security, deploy=True)


def check_settings(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E001 to E007, E009, E010, E013 to E017, and E008 for ``CLAIMS``: what cannot work."""
    return [Error(found.message, hint=found.hint, id=found.id) for found in read_settings()[1]]


def check_user_fields(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E013 for ``USER_FIELDS``: what is no column, or must not go into a token."""
    if read_settings()[1]:
        return []
    try:
        find_user_fields()
    except SettingsError as error:
        return [Error(error.detail, hint="Name plain columns of the user model.", id="tessera.E013")]
    return []


_UNSHARED: Final = frozenset({"LocMemCache", "DummyCache"})
_UNCOUNTED: Final = frozenset({"FileBasedCache", "DatabaseCache"})
_FORGETFUL: Final = frozenset({"PyMemcacheCache", "PyLibMCCache"})


def check_revocation_cache(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E014 and W004: a cache that would lose the news of sessions that ended."""
    settings, problems = read_settings()
    if problems or settings.revocation_cache is None:
        return []
    chosen = django_settings.CACHES[settings.revocation_cache]
    backend, options = chosen.get("BACKEND", ""), chosen.get("OPTIONS", {})
    name = backend.rpartition(".")[2]
    hint = "Use Redis, or leave REVOCATION_CACHE out to keep the news in the database."
    told = f"TESSERA['REVOCATION_CACHE'] is {settings.revocation_cache!r}, which is {backend}: "
    if name in _UNSHARED:
        return [
            Error(told + "no process would hear of the logouts of another.", hint=hint, id="tessera.E014")
        ]
    if name in _UNCOUNTED:
        told += "it does not count atomically, so that two logouts at once could be one."
        return [Error(told, hint=hint, id="tessera.E014")]
    if options.get("IGNORE_EXCEPTIONS") or getattr(django_settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False):
        told += "it hides its failures (IGNORE_EXCEPTIONS)."
        return [Error(told, hint="Give it a cache of its own that does not.", id="tessera.E014")]
    if name in _FORGETFUL:
        told += "it drops entries when it is full, and takes a failure for an empty answer."
        return [django_checks.Warning(told, hint=hint, id="tessera.W004")]
    return []


def check_databases(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E011: sessions and users in two databases; a refresh asks for both in one statement."""
    ours, theirs = router.db_for_write(Session), router.db_for_write(get_user_model())
    if ours == theirs:
        return []
    return [
        Error(
            f"Sessions are written to the database {ours!r}, users to {theirs!r}.",
            hint="Route the app 'tessera' to the database of the user model.",
            id="tessera.E011",
        )
    ]


def check_refresh_views(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E012: a refresh view that runs inside ``ATOMIC_REQUESTS``.

    The end of a stolen session would be rolled back together with the refusal.
    """
    alias = router.db_for_write(Session)
    atomic = connections.settings[alias].get("ATOMIC_REQUESTS")
    if not atomic or not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    return [
        Error(
            f"The refresh view at {route!r} runs inside a transaction (ATOMIC_REQUESTS).",
            hint=f"Decorate it, outermost, with django.db.transaction.non_atomic_requests(using={alias!r}).",
            id="tessera.E012",
        )
        for route, callback in walk_views()
        if _is_refresh(callback) and alias not in getattr(callback, "_non_atomic_requests", set())
    ]


def _is_refresh(callback: Any) -> bool:
    view = find_view_class(callback)
    return view is not None and issubclass(view, RefreshView)


def check_cookie_path(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E018: a refresh cookie that browsers would not send to the views that read it."""
    settings, problems = read_settings()
    if problems or COOKIE not in settings.transports or not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    forget_directories()
    needed = find_cookie_directory()
    if needed is None:
        return [
            Error(
                "TESSERA['PROFILE'] has 'browser', and no refresh view is in the urls to read the cookie.",
                hint='Add path("api/token/", include("drf_tessera.rest.urls")) to the urls.',
                id="tessera.E018",
            )
        ]
    if settings.cookie_path is None or needed.startswith(settings.cookie_path):
        return []
    return [
        Error(
            f"TESSERA['COOKIE_PATH'] is {settings.cookie_path!r}, and browsers would not send the cookie to"
            f" the views under {needed!r} that read it.",
            hint="Leave COOKIE_PATH out: it is found from the urls. Behind a proxy that takes a prefix off,"
            " tell Django of that: FORCE_SCRIPT_NAME.",
            id="tessera.E018",
        )
    ]


def check_email_is_unique(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W001: logging in by an address that the database lets two accounts share."""
    if not any(_is_email_backend(path) for path in django_settings.AUTHENTICATION_BACKENDS):
        return []
    model = get_user_model()
    name = model.get_email_field_name()
    field = next((field for field in model._meta.concrete_fields if field.name == name), None)
    unique = [
        item
        for item in model._meta.constraints
        if isinstance(item, UniqueConstraint) and item.condition is None
    ]
    # A constraint on an expression is taken for the one on Lower() that the hint asks for.
    constrained = any(name in item.fields or item.expressions for item in unique)
    if field is None or field.unique or constrained:
        return []
    return [
        django_checks.Warning(
            f"{model.__name__}.{name} is not unique, and EmailBackend logs in by it.",
            hint="Accounts that share one cannot log in by it. Add a unique constraint on Lower().",
            id="tessera.W001",
        )
    ]


def _is_email_backend(path: str) -> bool:
    try:
        found = import_string(path)
    except (ImportError, ImproperlyConfigured):
        return False  # Django reports it itself
    return isinstance(found, type) and issubclass(found, EmailBackend)


def check_throttle_cache(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W002: login limits counted by each process for itself, or not at all."""
    backend = django_settings.CACHES.get("default", {}).get("BACKEND", "")
    if backend.rpartition(".")[2] not in {"LocMemCache", "DummyCache"}:
        return []
    return [
        django_checks.Warning(
            f"The limits on logins are kept in the default cache, which is {backend}.",
            hint="Use a cache that all processes share, such as Redis.",
            id="tessera.W002",
        )
    ]


def check_proxies(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W003: nobody said how many proxies stand in front."""
    if proxies_are_counted():
        return []
    return [
        django_checks.Warning(
            "REST_FRAMEWORK['NUM_PROXIES'] is not set, so the address of a client is that of the last hop.",
            hint="Behind a proxy all clients then share one login limit. Set it; 0 if there is no proxy.",
            id="tessera.W003",
        )
    ]


def check_plain_cookies(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W005: cookies that travel without TLS."""
    settings, problems = read_settings()
    if problems or COOKIE not in settings.transports or settings.cookie_secure is not False:
        return []
    return [
        django_checks.Warning(
            "TESSERA['COOKIE_SECURE'] is False: whoever is on the way can read the refresh token.",
            hint="Leave it out: cookies are then Secure but on a laptop, under DEBUG.",
            id="tessera.W005",
        )
    ]


def check_trusted_origins(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W006: origins that anybody on the way, or on any subdomain, could speak for."""
    settings, problems = read_settings()
    if problems or COOKIE not in settings.transports:
        return []
    return [
        django_checks.Warning(
            f"CSRF_TRUSTED_ORIGINS has {origin!r}, and pages of it may use the refresh cookies.",
            hint="Name each origin in full, with https://.",
            id="tessera.W006",
        )
        for origin in django_settings.CSRF_TRUSTED_ORIGINS
        if origin.startswith("http://") or "*" in origin
    ]


def check_legacy_tokens(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W007: tokens of another package, which ``SECRET_KEY`` alone can write, are taken for ever."""
    settings, problems = read_settings()
    if problems or settings.legacy_tokens_until is not None or not expects_legacy_tokens():
        return []
    return [
        django_checks.Warning(
            "Tokens of the package that came before are taken without an end: whoever holds SECRET_KEY can"
            " write them, and they pass by every logout.",
            hint=(
                "When the last of them has expired, write TESSERA['LEGACY_TOKENS_UNTIL'], a datetime with a"
                " time zone; it may lie ahead."
            ),
            id="tessera.W007",
        )
    ]

"""The checks of databases and caches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error
from django.db import router
from django.utils.translation import gettext as _

from drf_tessera.conf import read_settings
from drf_tessera.models import Session

Apps = Sequence[AppConfig] | None


_UNSHARED: Final = frozenset({"LocMemCache", "DummyCache"})


_UNCOUNTED: Final = frozenset({"FileBasedCache", "DatabaseCache"})


_ENOUGH_ENTRIES: Final = 10_000


_FORGETFUL: Final = frozenset({"PyMemcacheCache", "PyLibMCCache"})


def check_revocation_cache(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E014 and W004: a cache that may lose the revocations of sessions."""
    settings, problems = read_settings()
    if problems or settings.revocation_cache is None:
        return []
    chosen = django_settings.CACHES[settings.revocation_cache]
    backend, options = chosen.get("BACKEND", ""), chosen.get("OPTIONS", {})
    name = backend.rpartition(".")[2]
    hint = _("Use Redis, or remove REVOCATION_CACHE to keep the revocations in the database.")
    kind: type[Error | django_checks.Warning] = Error
    if name in _UNSHARED:
        fault = _("a process cannot see the logouts of other processes.")
    elif name in _UNCOUNTED:
        fault = _("the cache does not count atomically, so one of two simultaneous logouts could be lost.")
    elif options.get("IGNORE_EXCEPTIONS") or getattr(
        django_settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False
    ):
        fault = _("the cache hides its failures (IGNORE_EXCEPTIONS).")
        hint = _("Use a separate cache that does not hide its failures.")
    elif name in _FORGETFUL:
        kind = django_checks.Warning
        fault = _("the cache drops entries when it is full, and returns an empty answer when it fails.")
    else:
        return []
    text = _("TESSERA['REVOCATION_CACHE'] is %(alias)r, which is %(backend)s: %(fault)s")
    values = {"alias": settings.revocation_cache, "backend": backend, "fault": fault}
    return [kind(text % values, hint=hint, id="tessera.E014" if kind is Error else "tessera.W004")]


def check_databases(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E011: sessions and users in two databases. A refresh needs both tables in one statement."""
    ours, theirs = router.db_for_write(Session), router.db_for_write(get_user_model())
    if ours == theirs:
        return []
    return [
        Error(
            _("Sessions are written to the database %(ours)r, but users are written to %(theirs)r.")
            % {"ours": ours, "theirs": theirs},
            hint=_("Route the app 'tessera' to the database of the user model."),
            id="tessera.E011",
        )
    ]


def check_throttle_cache(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W002: login limits that each process counts separately, not atomically, or not for long."""
    cache = django_settings.CACHES.get("default", {})
    backend = cache.get("BACKEND", "")
    name = backend.rpartition(".")[2]
    most = cache.get("OPTIONS", {}).get("MAX_ENTRIES", cache.get("MAX_ENTRIES", 300))  # Django's default
    if name in _UNSHARED:
        fault = _("each process counts for itself.")
    elif name == "FileBasedCache":
        fault = _("simultaneous guesses exceed the limits, because this cache does not count atomically.")
    elif name == "DatabaseCache" and most < _ENOUGH_ENTRIES:
        fault = _(
            "with %(most)s entries at most, a flood of names makes it forget the counts. Set MAX_ENTRIES in"
            " its OPTIONS to at least %(enough)s."
        ) % {"most": most, "enough": _ENOUGH_ENTRIES}
    else:
        return []
    return [
        django_checks.Warning(
            _("The login limits are counted in the default cache, which is %(backend)s: %(fault)s")
            % {"backend": backend, "fault": fault},
            hint=_("Use a cache that all processes share and that counts, such as Redis."),
            id="tessera.W002",
        )
    ]

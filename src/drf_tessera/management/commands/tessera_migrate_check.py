"""``manage.py tessera_migrate_check``: show what would change for this project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera.http import find_view_class, walk_views
from drf_tessera.legacy import (
    ABOUT_DRF_JWT,
    BY_HAND,
    DRF_JWT,
    JWT_AUTH,
    SIMPLE_JWT,
    Kind,
    Verdict,
    find_name,
    is_installed,
)
from drf_tessera.management.languages import TranslatedCommand
from drf_tessera.texts import Text

_UNKNOWN: Final = Verdict(
    Kind.REFUSED, Text("This key does not exist. manage.py check may suggest the right key.")
)
_SILENT: Final = Text(
    "This project does not set the key, so simplejwt issues no new refresh token. drf-tessera issues a new "
    "one, and clients may ignore it. Change your clients to keep the `refresh` of each answer, then write "
    "True."
)
_OWN_REFRESH: Final = Text(
    "The serializer overrides validate(). If this validate() rotates by hand, as simplejwt's does "
    "(blacklist(), set_jti()), call super().validate() instead. Otherwise two holders of one token could "
    "both rotate the token."
)

Finding = tuple[str, Verdict]


class Command(TranslatedCommand):
    """Read the settings and the URLconf. The command changes nothing."""

    help: str = gettext_noop(
        "Show what would change if this project moved from simplejwt or djangorestframework-jwt."
    )
    requires_system_checks: tuple[str, ...] = ()  # the command must also read settings that the checks refuse

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each affected setting and view."""
        found = [*_judge_settings(), *_judge_classes()]
        try:
            found += _judge_urls()
        except (ImportError, ImproperlyConfigured) as error:
            self.stdout.write(self.style.ERROR(_("The URLconf cannot be read: %(error)s") % {"error": error}))
            self.stdout.write(
                _("Run this command again after you replace the old package by the new package.")
            )
        for name, verdict in found:
            style = self.style.ERROR if verdict.kind is Kind.REFUSED else self.style.SUCCESS
            line = style(f"{verdict.kind.value:<8}") + name
            self.stdout.write(f"{line}: {verdict.text.shown}" if verdict.text else line)
        for name, page in BY_HAND.items():
            if hasattr(settings, name) or name in settings.INSTALLED_APPS:
                self.stdout.write(_("by hand %(name)s: %(page)s") % {"name": name, "page": page})
        counts = [f"{sum(v.kind is kind for _, v in found)} {kind.value}" for kind in Kind]
        text = _("%(count)d names: %(counts)s.")
        self.stdout.write(text % {"count": len(found), "counts": ", ".join(counts)})


def _judge_settings() -> Iterator[Finding]:
    theirs = DRF_JWT.intersection(getattr(settings, "JWT_AUTH", None) or ())
    if theirs or is_installed("drf-jwt"):
        yield "drf-jwt", Verdict(Kind.REFUSED, ABOUT_DRF_JWT)
    for setting, verdicts in (("SIMPLE_JWT", SIMPLE_JWT), ("JWT_AUTH", JWT_AUTH)):
        raw = getattr(settings, setting, None)
        for key in raw if isinstance(raw, Mapping) else ():
            yield f"{setting}[{key!r}]", verdicts.get(key, _UNKNOWN)


def _judge_classes() -> Iterator[Finding]:
    yield from _judge_each(_list_default_classes(), "REST_FRAMEWORK")


def _list_default_classes() -> Iterable[Any]:
    framework = getattr(settings, "REST_FRAMEWORK", None) or {}
    return framework.get("DEFAULT_AUTHENTICATION_CLASSES") or ()


def _judge_each(listed: Iterable[Any], where: str) -> Iterator[Finding]:
    for item in listed:
        path = item if isinstance(item, str) else f"{item.__module__}.{item.__qualname__}"
        known = find_name(path) or _find_parent(path)
        if known:
            yield f"{where}: {path}", known[1]


def _find_parent(path: str) -> Finding | None:
    """Return the verdict on the parent class of a class of the project."""
    try:
        return _find_kind(import_string(path))
    except ImproperlyConfigured as error:
        return path, Verdict(Kind.REFUSED, Text(str(error)))
    except ImportError:
        return None


def _find_kind(kind: Any) -> Finding | None:
    names = (f"{it.__module__}.{it.__qualname__}" for it in getattr(kind, "__mro__", ()))
    return next(filter(None, map(find_name, names)), None)


def _judge_urls() -> Iterator[Finding]:
    refreshes, judged = False, _load_default_classes()
    for route, callback in walk_views():
        view = find_view_class(callback)
        known = _find_kind(view)
        if known:
            refreshes |= known[0].endswith(".TokenRefreshView")
            yield f"/{route} ({known[0].rpartition('.')[2]})", known[1]
            serializer: Any = getattr(view, "serializer_class", None) or object
            if known[0].endswith(".TokenRefreshView") and "validate" in vars(serializer):
                yield f"/{route} ({serializer.__qualname__})", Verdict(Kind.BETTER, _OWN_REFRESH)
        elif view is not None:
            own = [it for it in getattr(view, "authentication_classes", ()) if it not in judged]
            yield from _judge_each(own, f"/{route} ({view.__qualname__})")
    if refreshes and "ROTATE_REFRESH_TOKENS" not in (getattr(settings, "SIMPLE_JWT", None) or {}):
        yield "SIMPLE_JWT['ROTATE_REFRESH_TOKENS']", Verdict(Kind.BETTER, _SILENT)


def _load_default_classes() -> list[Any]:
    """Return the classes of REST_FRAMEWORK, which ``_judge_classes`` judges."""
    with suppress(ImportError, ImproperlyConfigured):
        return [import_string(item) if isinstance(item, str) else item for item in _list_default_classes()]
    return []

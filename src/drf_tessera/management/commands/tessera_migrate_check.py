"""``manage.py tessera_migrate_check``: what would change for this project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand

from drf_tessera.routes import find_view_class, walk_views
from drf_tessera.verdicts import BY_HAND, JWT_AUTH, SIMPLE_JWT, Kind, Verdict, find_name

_UNKNOWN: Final = Verdict(Kind.REFUSED, "There is no such key; manage.py check may know what was meant.")
_SILENT: Final = (
    "It is not written in this project, and simplejwt then gives no new refresh token. Here clients get one, "
    "and may ignore it: have them keep the `refresh` of each answer, then write True."
)

Finding = tuple[str, Verdict]


class Command(BaseCommand):
    """Read the settings and the urls, and change nothing."""

    help = "Say what would change for this project on the way from simplejwt or djangorestframework-jwt."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each setting and view that is affected."""
        found = [*_judge_settings(), *_judge_classes(), *_judge_urls()]
        for name, verdict in found:
            style = self.style.ERROR if verdict.kind is Kind.REFUSED else self.style.SUCCESS
            line = style(f"{verdict.kind.value:<8}") + name
            self.stdout.write(f"{line}: {verdict.text}" if verdict.text else line)
        for setting, page in BY_HAND.items():
            if hasattr(settings, setting):
                self.stdout.write(f"by hand {setting}: {page}")
        counts = [f"{sum(v.kind is kind for _, v in found)} {kind.value}" for kind in Kind]
        self.stdout.write(f"{len(found)} names: {', '.join(counts)}.")


def _judge_settings() -> Iterator[Finding]:
    for setting, verdicts in (("SIMPLE_JWT", SIMPLE_JWT), ("JWT_AUTH", JWT_AUTH)):
        raw = getattr(settings, setting, None)
        for key in raw if isinstance(raw, Mapping) else ():
            yield f"{setting}[{key!r}]", verdicts.get(key, _UNKNOWN)


def _judge_classes() -> Iterator[Finding]:
    listed = getattr(settings, "REST_FRAMEWORK", {}).get("DEFAULT_AUTHENTICATION_CLASSES", ())
    for path in listed:
        if isinstance(path, str) and (known := find_name(path)):
            yield f"REST_FRAMEWORK: {path}", known[1]


def _judge_urls() -> Iterator[Finding]:
    refreshes = False
    for route, callback in walk_views():
        view = find_view_class(callback)
        for kind in view.__mro__ if view else ():
            known = find_name(f"{kind.__module__}.{kind.__qualname__}")
            if known:
                refreshes |= known[0].endswith(".TokenRefreshView")
                yield f"/{route} ({kind.__name__})", known[1]
                break
    if refreshes and "ROTATE_REFRESH_TOKENS" not in (getattr(settings, "SIMPLE_JWT", None) or {}):
        yield "SIMPLE_JWT['ROTATE_REFRESH_TOKENS']", Verdict(Kind.BETTER, _SILENT)

"""The check of the order of middleware."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from drf_tessera.plain import TokenMiddleware


def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report E070: ``TokenMiddleware`` stands where it has no effect."""
    try:
        kinds = [import_string(path) for path in django_settings.MIDDLEWARE]
    except ImportError:
        return []  # Django reports it at the start
    ours = _find(kinds, TokenMiddleware)
    if ours is None:
        return []
    before, after = _find(kinds, AuthenticationMiddleware), _find(kinds, LoginRequiredMiddleware)
    if (before is None or before < ours) and (after is None or ours < after):
        return []
    return [
        Error(
            _(
                "In MIDDLEWARE, TokenMiddleware stands above AuthenticationMiddleware or below"
                " LoginRequiredMiddleware, so its users are not seen."
            ),
            hint=_("Put TokenMiddleware directly below AuthenticationMiddleware."),
            id="tessera.E070",
        )
    ]


def _find(kinds: list[Any], wanted: type) -> int | None:
    """Return the first place of a class, or of a class derived from it."""
    found = (place for place, kind in enumerate(kinds) if isinstance(kind, type) and issubclass(kind, wanted))
    return next(found, None)

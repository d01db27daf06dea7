"""The checks of endpoints that a project adds to its urls by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error
from django.utils.translation import gettext as _

from drf_tessera.conf import read_settings
from drf_tessera.http import find_view_class, has_resource_metadata, walk_views
from drf_tessera.rest.views import IntrospectView

Apps = Sequence[AppConfig] | None


def check_introspection(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E061 and W061: an introspection that nobody may use, or clients without one."""
    settings, problems = read_settings()
    if problems or not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    route = _find_route(IntrospectView)
    if route is not None and not settings.introspection_clients:
        return [
            Error(
                _("The urls have the introspection at %(route)r, and no client may use it.")
                % {"route": route},
                hint=_("Set TESSERA['INTROSPECTION_CLIENTS'] (docs/howto/introspection.md)."),
                id="tessera.E061",
            )
        ]
    if route is None and settings.introspection_clients:
        return [
            django_checks.Warning(
                _("TESSERA['INTROSPECTION_CLIENTS'] has clients, but the urls have no introspection."),
                hint=_('Add path("api/token/introspect/", IntrospectView.as_view()) to the urls.'),
                id="tessera.W061",
            )
        ]
    return []


def check_resource(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W062 and W063: a protected resource that no client finds, or that no token names."""
    settings, problems = read_settings()
    if problems or settings.resource is None or not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    found: list[CheckMessage] = []
    if not has_resource_metadata():
        found.append(
            django_checks.Warning(
                _(
                    "TESSERA['RESOURCE'] is set, but the urls do not have its metadata, so no client finds"
                    " it."
                ),
                hint=_('Add path("", include("drf_tessera.rest.metadata")) to the root of the urls.'),
                id="tessera.W062",
            )
        )
    accepted = {*settings.audience, *(name for entry in settings.issuers for name in entry.audience)}
    if settings.resource not in accepted:
        found.append(
            django_checks.Warning(
                _(
                    "TESSERA['RESOURCE'] is %(name)r, and no accepted audience has this name. A client asks"
                    " for a token for the resource, and such a token would be refused."
                )
                % {"name": settings.resource},
                hint=_("Add the address to 'audience' of the entry in ISSUERS, or to AUDIENCE."),
                id="tessera.W063",
            )
        )
    return found


def _find_route(kind: type[Any]) -> str | None:
    """Return the route of a view of this class, or of a subclass. ``None`` if there is none."""
    views = ((route, find_view_class(callback)) for route, callback in walk_views())
    return next((route for route, view in views if view is not None and issubclass(view, kind)), None)

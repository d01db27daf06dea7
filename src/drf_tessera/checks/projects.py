"""The checks of settings and urls, and the registration of all checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections, router
from django.utils.translation import gettext as _

from drf_tessera.checks.endpoints import check_introspection, check_resource
from drf_tessera.checks.issuers import check_issuers
from drf_tessera.checks.keys import check_keys, check_rotation, find_pair
from drf_tessera.checks.middleware import check_middleware
from drf_tessera.checks.stores import check_databases, check_revocation_cache, check_throttle_cache
from drf_tessera.checks.tenants import check_tenant_function, check_tenants
from drf_tessera.checks.users import (
    check_email_has_index,
    check_email_is_unique,
    check_loaded_user,
    check_upgrades,
    check_user_fields,
)
from drf_tessera.conf import COOKIE, expects_legacy_tokens, read_settings
from drf_tessera.http import find_cookie_directory, find_view_class, walk_views
from drf_tessera.legacy import find_damage
from drf_tessera.models import Session
from drf_tessera.rest.throttling import LoginAddressThrottle, proxies_are_counted
from drf_tessera.rest.views import RefreshView

Apps = Sequence[AppConfig] | None


def connect() -> None:
    """Register the checks. The app calls this function once, when the app is ready."""
    register(check_distributions, Tags.compatibility)
    register(check_settings, Tags.security)
    register(check_user_fields, Tags.models)
    register(check_issuers, Tags.security)
    register(check_keys, Tags.security)
    register(check_rotation, Tags.database)
    register(check_introspection, Tags.urls)
    register(check_resource, Tags.urls)
    register(check_revocation_cache, Tags.caches)
    register(check_databases, Tags.models)
    register(check_tenants, Tags.security)
    register(check_tenant_function, Tags.security)
    register(check_refresh_views, Tags.urls)
    register(check_cookie_path, Tags.urls)
    register(check_challenge, Tags.security)
    register(check_middleware, Tags.security)
    register(check_upgrades, Tags.security)
    register(check_loaded_user, Tags.models, deploy=True)
    register(check_email_is_unique, Tags.security, deploy=True)
    register(check_email_has_index, Tags.models, deploy=True)
    register(check_throttle_cache, Tags.caches, deploy=True)
    register(check_proxies, Tags.security, deploy=True)
    register(check_plain_cookies, Tags.security, deploy=True)
    register(check_issuer, Tags.security, deploy=True)
    register(check_trusted_origins, Tags.security, deploy=True)
    register(check_legacy_tokens, Tags.security, deploy=True)


def check_distributions(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E001 and E006 of the packages that have the import names of other packages.

    The check is here and not in those packages, because pip may have overwritten or deleted their files.
    """
    return find_damage()


def check_settings(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report the problems of the settings.

    These are E001 to E007, E009, E010, E013 to E017, E019 to E021, E040 to E043, E060, E062, E071, and E008
    for ``CLAIMS``.
    """
    return [Error(found.message.shown, hint=found.hint.shown, id=found.id) for found in read_settings()[1]]


def check_refresh_views(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E012: a database without autocommit, or a refresh view that runs inside ``ATOMIC_REQUESTS``.

    Without autocommit there is no refresh. Inside the transaction of the request a refresh costs savepoints,
    and locks the session until the end of the request.
    """
    alias = router.db_for_write(Session)
    chosen = connections.settings[alias]
    if chosen.get("AUTOCOMMIT") is False:
        return [
            Error(
                _("The database %(alias)r has AUTOCOMMIT off, so no session can be refreshed or ended.")
                % {"alias": alias},
                hint=_("Remove AUTOCOMMIT from DATABASES, or route the app 'tessera' to another database."),
                id="tessera.E012",
            )
        ]
    if not chosen.get("ATOMIC_REQUESTS") or not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    return [
        Error(
            _("The refresh view at %(route)r runs inside a transaction (ATOMIC_REQUESTS).")
            % {"route": route},
            hint=_(
                "Add django.db.transaction.non_atomic_requests(using=%(alias)r) as the outermost decorator"
                " of the view."
            )
            % {"alias": alias},
            id="tessera.E012",
        )
        for route, callback in walk_views()
        if _is_refresh(callback) and alias not in getattr(callback, "_non_atomic_requests", set())
    ]


def _is_refresh(callback: Any) -> bool:
    view = find_view_class(callback)
    return view is not None and issubclass(view, RefreshView)


_FACTORS: Final = ("allauth.mfa", "django_otp", "dj_rest_auth.mfa")
"""Apps that give users a second factor."""


def check_challenge(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E032: users have second factors, and the password alone gets tokens."""
    settings, problems = read_settings()
    found = [name for name in _FACTORS if apps.is_installed(name)]
    if (
        problems
        or settings.challenge is not None
        or not found
        or not getattr(django_settings, "ROOT_URLCONF", None)
    ):
        return []
    return [
        Error(
            _("%(app)s is installed, and the login at %(route)r lets in with the password alone.")
            % {"app": found[0], "route": route},
            hint=_("Set TESSERA['CHALLENGE'] to a function that asks for it (docs/howto/logins.md)."),
            id="tessera.E032",
        )
        for route, callback in walk_views()
        if LoginAddressThrottle in getattr(find_view_class(callback), "throttle_classes", ())
    ]


def check_cookie_path(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E018: a refresh cookie that browsers would not send to the views that read the cookie."""
    settings, problems = read_settings()
    if problems or COOKIE not in settings.transports or not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    needed = find_cookie_directory()
    if needed is None:
        return [
            Error(
                _(
                    "TESSERA['PROFILE'] has 'browser', but the URLconf has no refresh view to read the"
                    " cookie."
                ),
                hint=_('Add path("api/token/", include("drf_tessera.rest.urls")) to the URLconf.'),
                id="tessera.E018",
            )
        ]
    if settings.cookie_path is None or needed.startswith(settings.cookie_path):
        return []
    return [
        Error(
            _(
                "TESSERA['COOKIE_PATH'] is %(path)r, so browsers would not send the cookie to the views under"
                " %(needed)r, which read the cookie."
            )
            % {"path": settings.cookie_path, "needed": needed},
            hint=_(
                "Remove COOKIE_PATH, because the path can be derived from the URLconf. If a proxy removes a"
                " prefix from the path, set FORCE_SCRIPT_NAME to that prefix."
            ),
            id="tessera.E018",
        )
    ]


def check_proxies(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W003: the number of proxies in front of the server is not set."""
    if proxies_are_counted():
        return []
    return [
        django_checks.Warning(
            _("REST_FRAMEWORK['NUM_PROXIES'] is not set, so the last hop counts as the client's address."),
            hint=_(
                "Set NUM_PROXIES, to 0 if there is no proxy. Otherwise all clients behind a proxy share one"
                " login limit."
            ),
            id="tessera.W003",
        )
    ]


def check_plain_cookies(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W005: cookies that browsers also send without TLS."""
    settings, problems = read_settings()
    if problems or COOKIE not in settings.transports or settings.cookie_secure is not False:
        return []
    return [
        django_checks.Warning(
            _("TESSERA['COOKIE_SECURE'] is False, so anybody in the network can read the refresh token."),
            hint=_("Remove COOKIE_SECURE. Cookies are then always Secure, except on localhost with DEBUG."),
            id="tessera.W005",
        )
    ]


def check_trusted_origins(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W006: trusted origins without TLS, or with a wildcard.

    An attacker in the network, or on any subdomain, could send requests from such an origin.
    """
    settings, problems = read_settings()
    if problems or COOKIE not in settings.transports:
        return []
    return [
        django_checks.Warning(
            _("CSRF_TRUSTED_ORIGINS has %(origin)r, so pages of that origin may use the refresh cookies.")
            % {"origin": origin},
            hint=_("Write each origin in full, with https:// and without a wildcard."),
            id="tessera.W006",
        )
        for origin in django_settings.CSRF_TRUSTED_ORIGINS
        if origin.startswith("http://") or "*" in origin
    ]


def check_issuer(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report I020: a key pair, for services that verify tokens, and an ``iss`` that they cannot know."""
    settings, problems = read_settings()
    pair = find_pair(settings)
    if problems or settings.issuer is not None or pair is None:
        return []
    return [
        django_checks.Info(
            _(
                "TESSERA['KEYS'] has a key pair (%(pair)s), but ISSUER is not set, so the claim 'iss'"
                " contains a random id."
            )
            % {"pair": pair},
            hint=_(
                "If other services verify the tokens with the public key, set ISSUER to the address of the"
                " API. Otherwise nothing has to be done."
            ),
            id="tessera.I020",
        )
    ]


def check_legacy_tokens(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W007: tokens of the previous package are accepted without an end date.

    A person who knows ``SECRET_KEY`` can forge such tokens.
    """
    settings, problems = read_settings()
    if problems or settings.legacy_tokens_until is not None or not expects_legacy_tokens():
        return []
    return [
        django_checks.Warning(
            _(
                "Tokens of the previous package are accepted without an end date. Anybody who knows"
                " SECRET_KEY can forge such tokens, and no logout ends them."
            ),
            hint=_(
                "Set TESSERA['LEGACY_TOKENS_UNTIL'] to the time when the last of these tokens expires, as a"
                " datetime with a time zone. The time may be in the future."
            ),
            id="tessera.W007",
        )
    ]

"""The checks of tenants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error
from django.utils.translation import gettext as _

from drf_tessera.conf import expects_legacy_tokens, list_installed_apps, list_schema_apps, read_settings

Apps = Sequence[AppConfig] | None


_TENANT_PACKAGES: Final = frozenset(
    {
        *("django_tenants", "tenant_schemas", "django_pgschemas", "django_multitenant", "tenant_users"),
        *("db_multitenant", "dynamic_db_router", "easy_tenants", "sqlite_tenants", "subdomain_tenancy"),
    }
)
"""Packages that choose a schema, a database or the rows for each request."""

_NAMED_SO: Final = re.compile(r"django_\w*tenan(t|cy)\w*")
"""Names of further packages for tenants. An app of a project seldom has such a name."""


def check_tenants(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E031 and W020: tenants whose users have the same primary keys, and that are not told apart."""
    settings, problems = read_settings()
    if problems:
        return []
    apps, shared = list_installed_apps(), list_schema_apps()
    of_users = get_user_model()._meta.app_config.name
    if "django_tenants" in apps and of_users in shared and "drf_tessera" not in shared:
        return [
            Error(
                _("Each schema has the users of %(app)r, but 'drf_tessera' is not in TENANT_APPS.")
                % {"app": of_users},
                hint=_(
                    "Add 'drf_tessera' to TENANT_APPS, so that each schema has the sessions of its users."
                ),
                id="tessera.E031",
            )
        ]
    named = {*apps, *django_settings.MIDDLEWARE, *django_settings.DATABASE_ROUTERS}
    packages = {str(path).partition(".")[0] for path in named}
    found = sorted(name for name in packages if name in _TENANT_PACKAGES or _NAMED_SO.fullmatch(name))
    if not found or settings.tenant is not None or "django_tenants" in apps:
        return []
    own: Any = getattr(django_settings, "TESSERA", {})
    if own.get("TENANT") == "":
        return []
    return [
        django_checks.Warning(
            _("%(app)s is installed, but TESSERA['TENANT'] is not set, so all tenants have the same keys.")
            % {"app": found[0]},
            hint=_(
                "Set TENANT to a function that returns the name of the tenant of a request. If all tenants"
                " have the same users, set TENANT to ''."
            ),
            id="tessera.W020",
        )
    ]


def check_tenant_function(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E030 and W021: a ``TENANT`` that fails without a request, and tokens that name no tenant."""
    settings, problems = read_settings()
    if problems or settings.tenant is None:
        return []
    try:
        name: object = settings.tenant(None)
    except Exception as error:  # noqa: BLE001 - any error of the function of the project
        name = error
    if not isinstance(name, str):
        return [
            Error(
                _("TESSERA['TENANT'] returns or raises %(value)r for None.") % {"value": name},
                hint=_("Commands and jobs have no request. Return the tenant in use there, or ''."),
                id="tessera.E030",
            )
        ]
    if not expects_legacy_tokens() or not settings.takes_legacy_tokens:
        return []
    return [
        django_checks.Warning(
            _(
                "Tokens of the previous package name no tenant, so each tenant accepts the tokens of the"
                " others."
            ),
            hint=_(
                "Give each tenant a signing key of its own in the settings of the previous package, or set"
                " TESSERA['LEGACY_TOKENS_UNTIL'] to a time in the past. Then each user logs in once more."
            ),
            id="tessera.W021",
        )
    ]

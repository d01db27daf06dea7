"""System checks for ``manage.py check``. ``docs/reference/checks.md`` lists every id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.models import Index, OrderBy, UniqueConstraint
from django.db.models.functions import Upper
from django.utils.module_loading import import_string

from drf_tessera.backends import EmailBackend
from drf_tessera.conf import COOKIE, expects_legacy_tokens, list_schema_apps, read_settings
from drf_tessera.exceptions import SettingsError
from drf_tessera.http import find_cookie_directory, find_view_class, forget_directories, walk_views
from drf_tessera.legacy import find_damage
from drf_tessera.models import Session
from drf_tessera.receivers import recognises_upgrades
from drf_tessera.rest.throttling import proxies_are_counted
from drf_tessera.rest.views import RefreshView
from drf_tessera.users import find_email_field, find_obstacles, find_user_fields

Apps = Sequence[AppConfig] | None


def connect() -> None:
    """Register the checks. The app calls this function once, when the app is ready."""
    register(check_distributions, Tags.compatibility)
    register(check_settings, Tags.security)
    register(check_user_fields, Tags.models)
    register(check_revocation_cache, Tags.caches)
    register(check_databases, Tags.models)
    register(check_tenants, Tags.security)
    register(check_tenant_function, Tags.security)
    register(check_refresh_views, Tags.urls)
    register(check_cookie_path, Tags.urls)
    register(check_challenge, Tags.security)
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

    These are E001 to E007, E009, E010, E013 to E017, E019 to E021, and E008 for ``CLAIMS``.
    """
    return [Error(found.message, hint=found.hint, id=found.id) for found in read_settings()[1]]


def check_user_fields(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E013 for ``USER_FIELDS``: a name that is not a column, or must not go into a token."""
    if read_settings()[1]:
        return []
    try:
        find_user_fields()
    except SettingsError as error:
        return [Error(error.detail, hint="Name plain columns of the user model.", id="tessera.E013")]
    return []


def check_upgrades(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E022: a version of Django that upgrades the hash of a password in an unknown way."""
    if recognises_upgrades():
        return []
    return [
        Error(
            "This version of Django upgrades the hash of a password in a way that drf-tessera does not"
            " recognise. Each such login would end all other sessions of the user.",
            hint="Use a version of Django that drf-tessera supports, or a newer version of drf-tessera.",
            id="tessera.E022",
        )
    ]


def check_loaded_user(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report I001: a user model whose row is loaded on every request, although ``USER`` is ``"lazy"``."""
    settings, problems = read_settings()
    obstacles = find_obstacles(get_user_model(), tokens_name_tenant=settings.tenant is not None)
    if problems or settings.user != "lazy" or not obstacles:
        return []
    return [
        django_checks.Info(
            "request.user is loaded on every request, with one query, because an instance of"
            f" {get_user_model()._meta.label} without its row would differ: {'; '.join(obstacles)}.",
            hint="Nothing has to be done. With TESSERA['USER'] = 'database' this is no longer reported.",
            id="tessera.I001",
        )
    ]


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
    hint = "Use Redis, or remove REVOCATION_CACHE to keep the revocations in the database."
    told = f"TESSERA['REVOCATION_CACHE'] is {settings.revocation_cache!r}, which is {backend}: "
    if name in _UNSHARED:
        return [
            Error(told + "a process cannot see the logouts of other processes.", hint=hint, id="tessera.E014")
        ]
    if name in _UNCOUNTED:
        told += "the cache does not count atomically, so one of two simultaneous logouts could be lost."
        return [Error(told, hint=hint, id="tessera.E014")]
    if options.get("IGNORE_EXCEPTIONS") or getattr(django_settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False):
        told += "the cache hides its failures (IGNORE_EXCEPTIONS)."
        return [Error(told, hint="Use a separate cache that does not hide its failures.", id="tessera.E014")]
    if name in _FORGETFUL:
        told += "the cache drops entries when it is full, and returns an empty answer when it fails."
        return [django_checks.Warning(told, hint=hint, id="tessera.W004")]
    return []


def check_databases(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E011: sessions and users in two databases. A refresh needs both tables in one statement."""
    ours, theirs = router.db_for_write(Session), router.db_for_write(get_user_model())
    if ours == theirs:
        return []
    return [
        Error(
            f"Sessions are written to the database {ours!r}, but users are written to {theirs!r}.",
            hint="Route the app 'tessera' to the database of the user model.",
            id="tessera.E011",
        )
    ]


_TENANT_PACKAGES: Final = frozenset(
    {
        *("django_tenants", "tenant_schemas", "django_pgschemas", "django_multitenant", "tenant_users"),
        *("db_multitenant", "dynamic_db_router"),
    }
)
"""Packages that choose a schema, a database or the rows for each request."""


def check_tenants(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E031 and W020: tenants whose users have the same primary keys, and that are not told apart."""
    settings, problems = read_settings()
    if problems:
        return []
    apps, shared = django_settings.INSTALLED_APPS, list_schema_apps()
    of_users = get_user_model()._meta.app_config.name
    if "django_tenants" in apps and of_users in shared and "drf_tessera" not in shared:
        return [
            Error(
                f"Each schema has the users of {of_users!r}, but 'drf_tessera' is not in TENANT_APPS.",
                hint="Add 'drf_tessera' to TENANT_APPS, so that each schema has the sessions of its users.",
                id="tessera.E031",
            )
        ]
    named = {*apps, *django_settings.MIDDLEWARE, *django_settings.DATABASE_ROUTERS}
    found = sorted(_TENANT_PACKAGES.intersection(str(path).partition(".")[0] for path in named))
    if not found or settings.tenant is not None or "django_tenants" in apps:
        return []
    own: Any = getattr(django_settings, "TESSERA", {})
    if own.get("TENANT") == "":
        return []
    return [
        django_checks.Warning(
            f"{found[0]} is installed, but TESSERA['TENANT'] is not set, so all tenants have the same keys.",
            hint="Set TENANT to a function that returns the name of the tenant of a request. If all tenants"
            " have the same users, set TENANT to ''.",
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
                f"TESSERA['TENANT'] returns or raises {name!r} for None.",
                hint="Commands and jobs have no request. Return the tenant in use there, or ''.",
                id="tessera.E030",
            )
        ]
    if not expects_legacy_tokens() or not settings.takes_legacy_tokens:
        return []
    return [
        django_checks.Warning(
            "Tokens of the previous package name no tenant, so each tenant accepts the tokens of the others.",
            hint="Give each tenant a signing key of its own in the settings of the previous package, or set"
            " TESSERA['LEGACY_TOKENS_UNTIL'] to a time in the past. Then each user logs in once more.",
            id="tessera.W021",
        )
    ]


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
                f"The database {alias!r} has AUTOCOMMIT off, so no session can be refreshed.",
                hint="Remove AUTOCOMMIT from DATABASES, or route the app 'tessera' to another database.",
                id="tessera.E012",
            )
        ]
    if not chosen.get("ATOMIC_REQUESTS") or not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    return [
        Error(
            f"The refresh view at {route!r} runs inside a transaction (ATOMIC_REQUESTS).",
            hint=(
                f"Add django.db.transaction.non_atomic_requests(using={alias!r}) as the outermost decorator"
                " of the view."
            ),
            id="tessera.E012",
        )
        for route, callback in walk_views()
        if _is_refresh(callback) and alias not in getattr(callback, "_non_atomic_requests", set())
    ]


def _is_refresh(callback: Any) -> bool:
    view = find_view_class(callback)
    return view is not None and issubclass(view, RefreshView)


_FACTORS: Final = ("allauth.mfa", "django_otp")
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
            f"{found[0]} is installed, and the login at {route!r} lets in with the password alone.",
            hint="Set TESSERA['CHALLENGE'] to a function that asks for it (docs/howto/logins.md).",
            id="tessera.E032",
        )
        for route, callback in walk_views()
        if getattr(find_view_class(callback), "takes_passwords", False)
    ]


def check_cookie_path(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E018: a refresh cookie that browsers would not send to the views that read the cookie."""
    settings, problems = read_settings()
    if problems or COOKIE not in settings.transports or not getattr(django_settings, "ROOT_URLCONF", None):
        return []
    forget_directories()
    needed = find_cookie_directory()
    if needed is None:
        return [
            Error(
                "TESSERA['PROFILE'] has 'browser', but the URLconf has no refresh view to read the cookie.",
                hint='Add path("api/token/", include("drf_tessera.rest.urls")) to the URLconf.',
                id="tessera.E018",
            )
        ]
    if settings.cookie_path is None or needed.startswith(settings.cookie_path):
        return []
    return [
        Error(
            f"TESSERA['COOKIE_PATH'] is {settings.cookie_path!r}, so browsers would not send the cookie to"
            f" the views under {needed!r}, which read the cookie.",
            hint="Remove COOKIE_PATH, because the path can be derived from the URLconf. If a proxy removes a"
            " prefix from the path, set FORCE_SCRIPT_NAME to that prefix.",
            id="tessera.E018",
        )
    ]


def check_email_is_unique(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W001: login by an e-mail address that two accounts may share."""
    if not any(_is_email_backend(path) for path in django_settings.AUTHENTICATION_BACKENDS):
        return []
    model, name = get_user_model(), find_email_field()
    field = next((field for field in model._meta.concrete_fields if field.name == name), None)
    unique = [
        item
        for item in model._meta.constraints
        if isinstance(item, UniqueConstraint) and item.condition is None
    ]
    # Any constraint on an expression counts as the constraint on Upper() that the hint recommends.
    constrained = any(name in item.fields or item.expressions for item in unique)
    if field is None or field.unique or constrained:
        return []
    return [
        django_checks.Warning(
            f"{model.__name__}.{name} is not unique, but EmailBackend uses this field for login.",
            hint=f"Accounts that share an address cannot log in by it. Add UniqueConstraint(Upper({name!r}), "
            "name=...) to the constraints of the model, or unique=True on MariaDB and MySQL.",
            id="tessera.W001",
        )
    ]


def check_email_has_index(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W012: each login by an e-mail address reads the whole table of users.

    The lookup is ``iexact``. PostgreSQL and Oracle compare ``UPPER(email)``. MariaDB and MySQL use ``LIKE``
    without a pattern, which an index on the column serves.
    """
    if not any(_is_email_backend(path) for path in django_settings.AUTHENTICATION_BACKENDS):
        return []
    model, name = get_user_model(), find_email_field()
    connection: Any = connections[router.db_for_read(model)]
    by_upper = "UPPER" in connection.operators.get("iexact", "")
    if name is None or not (by_upper or connection.vendor == "mysql"):
        return []
    if any(_begins_with(item, name, by_upper=by_upper) for item in _list_indexes(model, name)):
        return []
    wanted = f"Index(Upper({name!r}), name=...)" if by_upper else f"Index(fields=[{name!r}])"
    return [
        django_checks.Warning(
            f"No index of {model.__name__} serves a login by {name}, so each one reads the whole table.",
            hint=f"Add models.{wanted} to the indexes of the model. If the model is not yours, write the "
            "index into a migration of your own, and silence this check.",
            id="tessera.W012",
        )
    ]


def _list_indexes(model: Any, name: str) -> list[Any]:
    """Return the indexes and unique constraints of a model that apply to all rows."""
    field = model._meta.get_field(name)
    own = [Index(fields=[name])] if field.unique or field.db_index else []
    unique = [item for item in model._meta.constraints if isinstance(item, UniqueConstraint)]
    return own + [item for item in (*model._meta.indexes, *unique) if item.condition is None]


def _begins_with(index: Any, name: str, *, by_upper: bool) -> bool:
    """Return whether the first column of an index is the field, or ``Upper()`` of the field."""
    if not by_upper:
        return list(index.fields)[:1] == [name]
    first: Any = index.expressions[0] if index.expressions else None
    first = first.expression if isinstance(first, OrderBy) else first
    return isinstance(first, Upper) and getattr(first.source_expressions[0], "name", None) == name


def _is_email_backend(path: str) -> bool:
    try:
        found = import_string(path)
    except (ImportError, ImproperlyConfigured):
        return False  # Django itself reports a backend that cannot be imported
    return isinstance(found, type) and issubclass(found, EmailBackend)


def check_throttle_cache(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W002: login limits that each process counts separately, not atomically, or not for long."""
    cache = django_settings.CACHES.get("default", {})
    backend = cache.get("BACKEND", "")
    name = backend.rpartition(".")[2]
    most = cache.get("OPTIONS", {}).get("MAX_ENTRIES", cache.get("MAX_ENTRIES", 300))  # Django's default
    if name in _UNSHARED:
        fault = "each process counts for itself."
    elif name == "FileBasedCache":
        fault = "simultaneous guesses exceed the limits, because this cache does not count atomically."
    elif name == "DatabaseCache" and most < _ENOUGH_ENTRIES:
        fault = (
            f"with {most} entries at most, a flood of names makes it forget the counts. Set MAX_ENTRIES in"
        )
        fault += f" its OPTIONS to at least {_ENOUGH_ENTRIES}."
    else:
        return []
    return [
        django_checks.Warning(
            f"The login limits are counted in the default cache, which is {backend}: {fault}",
            hint="Use a cache that all processes share and that counts, such as Redis.",
            id="tessera.W002",
        )
    ]


def check_proxies(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report W003: the number of proxies in front of the server is not set."""
    if proxies_are_counted():
        return []
    return [
        django_checks.Warning(
            "REST_FRAMEWORK['NUM_PROXIES'] is not set, so the last hop counts as the client's address.",
            hint="Set NUM_PROXIES, to 0 if there is no proxy. Otherwise all clients behind a proxy share one"
            " login limit.",
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
            "TESSERA['COOKIE_SECURE'] is False, so anybody in the network can read the refresh token.",
            hint="Remove COOKIE_SECURE. Cookies are then always Secure, except on localhost with DEBUG.",
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
            f"CSRF_TRUSTED_ORIGINS has {origin!r}, so pages of that origin may use the refresh cookies.",
            hint="Write each origin in full, with https:// and without a wildcard.",
            id="tessera.W006",
        )
        for origin in django_settings.CSRF_TRUSTED_ORIGINS
        if origin.startswith("http://") or "*" in origin
    ]


def check_issuer(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report I020: a key pair, for services that verify tokens, and an ``iss`` that they cannot know."""
    settings, problems = read_settings()
    pairs = [key.alg for key in settings.keys if not key.alg.startswith("HS")]
    if problems or settings.issuer is not None or not pairs:
        return []
    return [
        django_checks.Info(
            f"TESSERA['KEYS'] has a key pair ({pairs[0]}), but ISSUER is not set, so the claim 'iss' contains"
            " a random id.",
            hint="If other services verify the tokens with the public key, set ISSUER to the address of the"
            " API. Otherwise nothing has to be done.",
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
            "Tokens of the previous package are accepted without an end date. Anybody who knows SECRET_KEY"
            " can forge such tokens, and no logout ends them.",
            hint=(
                "Set TESSERA['LEGACY_TOKENS_UNTIL'] to the time when the last of these tokens expires, as a"
                " datetime with a time zone. The time may be in the future."
            ),
            id="tessera.W007",
        )
    ]

"""``manage.py tessera_setup``: print the settings and urls that fit this project. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.models import UniqueConstraint
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import SettingsError
from drf_tessera.http import find_view_class, walk_views
from drf_tessera.management.languages import TranslatedCommand
from drf_tessera.models import Session
from drf_tessera.rest.views import RefreshView
from drf_tessera.texts import show
from drf_tessera.users import find_email_field, find_obstacles

_PREFIX: Final = "api/token/"
_OURS: Final = '"drf_tessera.JWTAuthentication"'
_HANDLER: Final = '"EXCEPTION_HANDLER": "drf_tessera.exception_handler",'
_DJANGOS_BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
_OUR_BACKEND: Final = "drf_tessera.backends.EmailBackend"
_UNSHARED: Final = ("LocMemCache", "DummyCache", "FileBasedCache")
_FACTORS: Final = ("django_otp", "allauth.mfa", "dj_rest_auth.mfa")
_BROWSER_SIGNS: Final = ("CSRF_TRUSTED_ORIGINS", "CORS_ALLOWED_ORIGINS", "CORS_ALLOW_CREDENTIALS")
_PROXY_SIGNS: Final = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
_AXES: Final = {
    "AXES_LOCKOUT_CALLABLE": 'AXES_LOCKOUT_CALLABLE = "drf_tessera.contrib.axes.answer_lockout"',
    "AXES_USERNAME_CALLABLE": 'AXES_USERNAME_CALLABLE = "drf_tessera.contrib.axes.find_username"',
    "AXES_CLIENT_IP_CALLABLE": 'AXES_CLIENT_IP_CALLABLE = "drf_tessera.contrib.axes.find_address"',
}


class Command(TranslatedCommand):
    """Read the settings, the urls and the user model. The output can be pasted."""

    help: str = gettext_noop("Print the settings and urls that fit this project. Nothing is written.")
    requires_system_checks: tuple[str, ...] = ()  # the project is not set up yet

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a block for each file, and the commands that come next."""
        module = str(getattr(settings, "SETTINGS_MODULE", None) or "settings")
        self._print_block(f"{module.replace('.', '/')}.py", list(_list_settings()))
        self._print_block(f"{settings.ROOT_URLCONF.replace('.', '/')}.py", list(_list_urls()))
        self.stdout.write("# " + _("Then run:"))
        for command in ("migrate", "check", "check --deploy", f"tessera_prune  ({_('each day')})"):
            self.stdout.write(f"#   python manage.py {command}")

    def _print_block(self, name: str, lines: list[str]) -> None:
        self.stdout.write("# " + _("%(file)s (at the end)") % {"file": name})
        for line in lines or ["# " + _("Nothing is missing.")]:
            self.stdout.write(line)
        self.stdout.write("")


# -- Settings --------------------------------------------------------------------------------------


def _list_settings() -> Iterator[str]:
    if not apps.is_installed("rest_framework"):
        yield 'INSTALLED_APPS += ["rest_framework"]'
    yield from _list_backends()
    yield from _list_rest_framework()
    yield from _list_tessera()
    yield from _list_cache()
    yield from _list_databases()
    if apps.is_installed("axes"):
        yield from (line for name, line in _AXES.items() if not getattr(settings, name, None))


def _list_backends() -> Iterator[str]:
    """Return a login by e-mail if the addresses are unique and Django's backend does not read them."""
    model, column = get_user_model(), find_email_field()
    chosen = list(settings.AUTHENTICATION_BACKENDS)
    if column is None or column == model.USERNAME_FIELD or _DJANGOS_BACKEND not in chosen:
        return
    lines = [_OUR_BACKEND if path == _DJANGOS_BACKEND else path for path in chosen]
    field: Any = model._meta.get_field(column)
    unique = [item for item in model._meta.constraints if isinstance(item, UniqueConstraint)]
    if field.unique or any(column in item.fields or item.expressions for item in unique):
        text = _("People can log in with %(name)r or %(email)r, because both are unique.")
        yield "# " + text % {"name": model.USERNAME_FIELD, "email": column}
        yield f"AUTHENTICATION_BACKENDS = {_write(lines)}"
    else:
        text = _("For a login by e-mail, first make %(email)r unique (tessera.W001), then write:")
        yield "# " + text % {"email": column}
        yield f"# AUTHENTICATION_BACKENDS = {_write(lines)}"


def _list_rest_framework() -> Iterator[str]:
    given: dict[str, Any] = getattr(settings, "REST_FRAMEWORK", None) or {}
    lines = []
    classes = [str(path) for path in given.get("DEFAULT_AUTHENTICATION_CLASSES", ())]
    if not any(path.partition(".")[0] == "drf_tessera" for path in classes):
        written = ", ".join([_OURS, *(f'"{path}"' for path in classes)])
        lines.append(f'"DEFAULT_AUTHENTICATION_CLASSES": [{written}],')
    if "EXCEPTION_HANDLER" not in given:
        lines.append(f"{_HANDLER}  # {_('each error of your views has a code, too')}")
    if given.get("NUM_PROXIES") is None:
        behind = any(getattr(settings, name, None) for name in _PROXY_SIGNS)
        text = _("the number of your own proxies in front of Django")
        lines.append(f'"NUM_PROXIES": {int(behind)},  # {text}')
    if apps.is_installed("drf_spectacular") and "DEFAULT_SCHEMA_CLASS" not in given:
        lines.append('"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",')
    yield from _list_dict("REST_FRAMEWORK", lines, given=bool(given))


def _list_tessera() -> Iterator[str]:
    given = getattr(settings, "TESSERA", None) or {}
    lines = []
    if "PROFILE" not in given:
        signs = [name for name in _BROWSER_SIGNS if getattr(settings, name, None)]
        if signs:
            text = _("for pages, because of %(setting)s") % {"setting": signs[0]}
            lines.append(f'"PROFILE": ["browser", "api"],  # {text}')
        else:
            text = _('"browser" keeps the refresh token in an HttpOnly cookie')
            lines.append(f'"PROFILE": "api",  # {text}')
    shared = [name for name, cache in settings.CACHES.items() if "redis" in str(cache.get("BACKEND")).lower()]
    if shared and "REVOCATION_CACHE" not in given:
        lines.append(f'# "REVOCATION_CACHE": "{shared[0]}",  # {_("with many processes")}')
    factors = [name for name in _FACTORS if apps.is_installed(name)]
    if factors and "CHALLENGE" not in given:
        text = _("needed for %(app)s: docs/howto/logins.md") % {"app": factors[0]}
        lines.append(f'# "CHALLENGE": "your.function",  # {text}')
    obstacles = find_obstacles(get_user_model(), tokens_name_tenant=_names_tenant())
    if obstacles and "USER" not in given:
        lines.append(f'"USER": "database",  # {"; ".join(map(show, obstacles))}')
    if getattr(settings, "SIMPLE_JWT", None) or getattr(settings, "JWT_AUTH", None):
        text = _("python manage.py tessera_migrate_check shows what becomes of your old settings.")
        lines.append(f"# {text}")
    yield from _list_dict("TESSERA", lines, given=bool(given))


def _names_tenant() -> bool:
    try:
        return get_settings().tenant is not None
    except SettingsError:
        return False  # `check` reports it


def _list_cache() -> Iterator[str]:
    """Return a cache that counts for all processes, by a package that is there."""
    backend = str(settings.CACHES.get("default", {}).get("BACKEND", ""))
    if not backend.endswith(_UNSHARED):
        return
    name = backend.rpartition(".")[2]
    text = _("With %(backend)s each process counts failed logins alone. With several processes:")
    yield "# " + text % {"backend": name}
    if find_spec("redis"):
        cache = (
            '"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:6379"'
        )
    else:
        cache = '"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache", '
        cache += '"OPTIONS": {"MAX_ENTRIES": 10_000}'
        yield f"# ({_('python manage.py createcachetable makes the table')})"
    yield f'# CACHES = {{"default": {{{cache}}}}}'


def _list_databases() -> Iterator[str]:
    ours, theirs = router.db_for_write(Session), router.db_for_write(get_user_model())
    if ours != theirs:
        text = _("Route the app 'tessera' to the database %(name)r of the users (DATABASE_ROUTERS).")
        yield "# " + text % {"name": theirs}
    if not connections[theirs].settings_dict["AUTOCOMMIT"]:
        text = _("Set AUTOCOMMIT of the database %(name)r to True, because a refresh needs it.")
        yield "# " + text % {"name": theirs}


def _list_dict(name: str, lines: list[str], *, given: bool) -> Iterator[str]:
    if not lines:
        return
    yield f"{name} = {{"
    if given:
        yield f"    **{name},"
    yield from (f"    {line}" for line in lines)
    yield "}"


def _write(paths: list[str]) -> str:
    return "[{}]".format(", ".join(f'"{path}"' for path in paths))


# -- Urls ------------------------------------------------------------------------------------------


def _list_urls() -> Iterator[str]:
    try:
        views = [(route, find_view_class(callback)) for route, callback in walk_views()]
    except (ImportError, ImproperlyConfigured) as error:
        yield "# " + _("The urls cannot be read: %(error)s") % {"error": error}
        views = []
    if any(view is not None and issubclass(view, RefreshView) for _, view in views):
        return
    taken = [route for route, _ in views if route.startswith(_PREFIX)]
    prefix = "api/auth/token/" if taken else _PREFIX
    if taken:
        yield "# " + _("%(prefix)s is taken by %(route)s.") % {"prefix": _PREFIX, "route": taken[0]}
    yield "from django.urls import include, path"
    yield ""
    yield f'urlpatterns += [path("{prefix}", include("drf_tessera.rest.urls"))]'

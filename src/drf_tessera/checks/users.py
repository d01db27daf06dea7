"""The checks of the user model and of the backends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks as django_checks
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router
from django.db.models import Index, OrderBy, UniqueConstraint
from django.db.models.functions import Upper
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from drf_tessera.backends import EmailBackend
from drf_tessera.conf import read_settings
from drf_tessera.exceptions import SettingsError
from drf_tessera.receivers import recognises_upgrades
from drf_tessera.users import find_email_field, find_obstacles, find_user_fields

Apps = Sequence[AppConfig] | None


def check_user_fields(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E013 for ``USER_FIELDS``: a name that is not a column, or must not go into a token."""
    if read_settings()[1]:
        return []
    try:
        find_user_fields()
    except SettingsError as error:
        return [Error(error.detail, hint=_("Name plain columns of the user model."), id="tessera.E013")]
    return []


def check_upgrades(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report E022: a version of Django that upgrades the hash of a password in an unknown way."""
    if recognises_upgrades():
        return []
    return [
        Error(
            _(
                "This version of Django upgrades the hash of a password in a way that drf-tessera does not"
                " recognise. Each such login would end all other sessions of the user."
            ),
            hint=_("Use a version of Django that drf-tessera supports, or a newer version of drf-tessera."),
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
            _(
                "request.user is loaded on every request, with one query, because an instance of %(model)s"
                " without its row would differ: %(reasons)s."
            )
            % {"model": get_user_model()._meta.label, "reasons": "; ".join(text.shown for text in obstacles)},
            hint=_("Nothing has to be done. With TESSERA['USER'] = 'database' this is no longer reported."),
            id="tessera.I001",
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
            _("%(column)s is not unique, but EmailBackend uses this field for login.")
            % {"column": f"{model.__name__}.{name}"},
            hint=_(
                "Accounts that share an address cannot log in by it. Add UniqueConstraint(Upper(%(name)r),"
                " name=...) to the constraints of the model, or unique=True on MariaDB and MySQL."
            )
            % {"name": name},
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
            _("No index of %(model)s serves a login by %(name)s, so each one reads the whole table.")
            % {"model": model.__name__, "name": name},
            hint=_(
                "Add models.%(index)s to the indexes of the model. If the model is not yours, write the"
                " index into a migration of your own, and silence this check."
            )
            % {"index": wanted},
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

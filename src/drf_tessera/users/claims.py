"""The project's own claims in access tokens: the columns of ``USER_FIELDS`` and the ``CLAIMS`` hook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BinaryField, Field, FileField, JSONField

from drf_tessera.conf import get_settings
from drf_tessera.database import UNREADABLE
from drf_tessera.exceptions import ClaimsHookError, SettingsError
from drf_tessera.models import Session
from drf_tessera.texts import Text
from drf_tessera.tokens import AccessToken

USER_CLAIM: Final = "user"
"""The claim of an access token that carries the columns of ``USER_FIELDS``."""

_UNWRITABLE: Final = (BinaryField, FileField, JSONField)
"""Fields whose values cannot be written as text, or can be changed without an assignment."""

_PERMISSIONS: Final = frozenset({"is_active", "is_staff", "is_superuser"})
"""Columns that Django's permissions depend on. A change of theirs must count at once."""


def find_user_fields() -> dict[str, Field[Any, Any]]:
    """Return the fields of ``USER_FIELDS`` by their column names.

    Raises:
        SettingsError: the user model has no such column, or the column must not go into a token.
    """
    return _find_fields(get_user_model(), get_settings().user_fields)


@lru_cache  # Any: for mypy a model class is not hashable
def _find_fields(model: Any, names: tuple[str, ...]) -> dict[str, Field[Any, Any]]:
    found = {}
    for name in names:
        column = {"column": f"{model._meta.label}.{name}"}
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            raise SettingsError(
                Text("%(model)s has no field %(name)r.", model=model._meta.label, name=name)
            ) from None
        if not isinstance(field, Field) or not field.concrete or field.is_relation or field.primary_key:
            raise SettingsError(Text("%(column)s is not a plain column. A token cannot carry it.", **column))
        if isinstance(field, _UNWRITABLE):
            raise SettingsError(Text("%(column)s has values that a token cannot carry.", **column))
        if name == "password":
            raise SettingsError(
                Text("A token must not carry the password's hash. Its holder could read the hash.")
            )
        if name in _PERMISSIONS:
            raise SettingsError(
                Text("Permissions depend on %(column)s. The value in a token may be out of date.", **column)
            )
        found[field.attname] = field
    return found


def describe_session(user: AbstractBaseUser, session: Session) -> Mapping[str, Any]:
    """Return the project's own claims for a session: ``USER_FIELDS`` and the result of the ``CLAIMS`` hook.

    Raises:
        ClaimsHookError: the hook did not return a dict, or returned the claim of ``USER_FIELDS``.
    """
    columns, settings = describe_user(user), get_settings()
    if settings.claims is None:
        return columns
    extra = settings.claims(user, session)
    if not isinstance(extra, Mapping):
        raise ClaimsHookError(f"The CLAIMS hook must return a dict, not {type(extra).__name__}.")
    if USER_CLAIM in extra:
        raise ClaimsHookError(f"The claim {USER_CLAIM!r} belongs to USER_FIELDS. Choose another name.")
    return {**extra, **columns}


def describe_user(user: AbstractBaseUser) -> dict[str, Any]:
    """Return the claim that carries the columns of ``USER_FIELDS``, or an empty dict without the setting."""
    fields = find_user_fields()
    if not fields:
        return {}
    return {USER_CLAIM: {name: _write(field.value_from_object(user)) for name, field in fields.items()}}


def _write(value: Any) -> Any:
    """Return a column's value in a form that the field's ``to_python`` can read."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    plain = value is None or isinstance(value, str | int | float | list | dict)
    return value if plain else str(value)


def read_columns(token: AccessToken) -> dict[str, Any]:
    """Return the columns that the token carries. A value that cannot be read is left out."""
    claim = token.get(USER_CLAIM)
    if not claim or not isinstance(claim, Mapping):
        return {}
    found = {}
    for name, field in find_user_fields().items():
        if name in claim:
            try:
                found[name] = field.to_python(claim[name])
            except UNREADABLE:
                continue
    return found

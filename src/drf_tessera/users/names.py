"""User names and e-mail addresses: columns of any kind, and texts as people type them."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models import Model
from django.db.models.manager import BaseManager

from drf_tessera.database import UNREADABLE

MAX_NAME_LENGTH: Final = 320
"""Characters. The longest possible e-mail address (RFC 3696, erratum 1690)."""


def clean_name(text: Any) -> Any:
    """Return a user name or an address as Django's own login form reads it.

    Like Django's ``UsernameField``, this removes surrounding spaces and converts the text to Unicode's form
    NFKC. So a phone that adds a space logs in, and so does a keyboard with full-width letters. A text above
    :data:`MAX_NAME_LENGTH` is not converted, because that takes time and no account has such a name. A value
    of another type is returned unchanged.
    """
    if not isinstance(text, str):
        return text
    stripped = text.strip()
    return stripped if len(stripped) > MAX_NAME_LENGTH else unicodedata.normalize("NFKC", stripped)


def fold_name(text: str) -> str:
    """Return the same text for all spellings that may log in to one account.

    Spellings differ in letter case, width and surrounding spaces. For a column of another type they also
    differ in digits and separators: an integer column reads "042" as 42, and a UUID column ignores hyphens.
    """
    name = clean_name(text)
    if len(name) <= MAX_NAME_LENGTH:
        with suppress(*UNREADABLE):
            value = find_name_field().to_python(name)
            name = str(value.normalize() if isinstance(value, Decimal) else value)
    return str(name.casefold())


def find_name_field() -> Any:
    """Return the field of the user model's ``USERNAME_FIELD``."""
    model = get_user_model()
    return model._meta.get_field(model.USERNAME_FIELD)


def find_email_field() -> str | None:
    """Return the name of the user model's column for the e-mail address, or ``None``.

    ``EMAIL_FIELD`` may be ``None``. It may also name a relation, or a column that cannot be compared without
    regard to letter case. Nobody logs in by such a field.
    """
    model = get_user_model()
    name = _name_email_field(model)
    field: Any = next((field for field in model._meta.concrete_fields if field.name == name), None)
    compares = field is not None and not field.is_relation and field.get_lookup("iexact") is not None
    return name if compares else None


def read_name(user: Any) -> str:
    """Return the user name as the text that a person types at login, or an empty text.

    The value may be a number, a UUID, a phone number or ``None``. If it is a related object, its key is the
    name, as in Django's ``createsuperuser``.
    """
    read = getattr(user, "get_username", None)
    value = read() if read else getattr(user, user.USERNAME_FIELD)
    return _write(user.serializable_value(user.USERNAME_FIELD) if isinstance(value, Model) else value)


def read_email(user: Any) -> str:
    """Return the e-mail address as a text. The text is empty if the user or the user model has no address."""
    name = _name_email_field(user)
    value = getattr(user, name, None) if name else None
    return "" if isinstance(value, Model | BaseManager) else _write(value)


def _name_email_field(model: Any) -> str | None:
    """Return the name of the field. A user model need not be derived from ``AbstractBaseUser``."""
    find = getattr(model, "get_email_field_name", None)
    return find() if find else None


def _write(value: Any) -> str:
    return "" if value is None else str(value)

"""From a text or a number in a token to the row of its user."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import validators
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from drf_tessera.database import (
    UNREADABLE,
    find_database,
    outlive_restart,
    savepoint,
    suppress_unreadable,
    translated_trouble,
)
from drf_tessera.exceptions import SessionEnded, UserGone, UserInactive
from drf_tessera.models import Session
from drf_tessera.tokens import AccessToken, SessionFacts, check_key
from drf_tessera.users.names import find_email_field, read_name

_LIMITS: Final = (
    validators.MinValueValidator,
    validators.MaxValueValidator,
    validators.MaxLengthValidator,
    validators.ProhibitNullCharactersValidator,
)


def parse_sub(sub: str) -> Any:
    """Return the primary key whose text is ``sub``.

    Django reads "042", "4_2" and Arabic digits as 42. If one user had two texts, a check on one text could be
    passed with the other, so only ``str(pk)`` itself is accepted.

    Raises:
        UserGone: the user model has no primary key with this text.
    """
    return parse_sub_of(get_user_model(), sub)


@lru_cache(maxsize=4096)  # Any: for mypy a model class is not hashable
def parse_sub_of(model: Any, sub: str) -> Any:
    """Return the primary key of ``model`` whose text is ``sub``. See :func:`parse_sub`."""
    pk = read_value(model._meta.pk, sub)
    if pk is None or str(pk) != sub:
        raise UserGone
    return pk


def read_value(field: Any, value: Any) -> Any:
    """Return ``value`` as a column holds it, or ``None`` if the column cannot hold it.

    Only the limits of the column count. A rule about the spelling, such as Django's for names, is a rule for
    forms.
    """
    try:
        found = field.to_python(value)
        for validate in field.validators:
            if isinstance(validate, _LIMITS):
                with suppress(AttributeError, TypeError):  # an object of the project's own is not a number
                    validate(found)
    except UNREADABLE:
        return None
    return found


def write_sub(pk: Any) -> str:
    """Return the ``sub`` of the user with this primary key: the text that the database's own value has.

    A new instance keeps the key that the project gave it, such as the text of a UUID in another form. Its row
    has the value that the column reads.

    Args:
        pk: the primary key of a saved user.
    """
    return str(get_user_model()._meta.pk.to_python(pk))


def find_user_by(field: str, value: object) -> AbstractBaseUser | None:
    """Return the user whose ``field`` has the same text as ``value``, or ``None``.

    This is for ids that are not a ``sub`` of ours, such as the ids in tokens of other packages. The function
    compares the texts, because Django reads 1.5 as user 1.
    """
    if value is None or "\0" in str(value):  # PostgreSQL accepts no text with a NUL character
        return None
    user = None
    with suppress_unreadable():  # the field cannot have such a value
        user = get_user_model()._default_manager.using(find_database()).filter(**{field: value}).first()
    return user if user is not None and str(getattr(user, field)) == str(value) else None


def find_users_by_text(text: str) -> dict[Any, list[str]]:
    """Return the keys of the users that a text of an operator may mean, each with the ways to read the text.

    The text may be a primary key, a user name, or an e-mail address in any letter case. Inactive users and
    users that the default manager hides are found too.
    """
    model, found = get_user_model(), dict[Any, list[str]]()
    email = find_email_field()
    lookups = {"primary key": "pk", "user name": model.USERNAME_FIELD}
    if email is not None:
        lookups["e-mail address"] = f"{email}__iexact"
    for way, lookup in lookups.items():
        with suppress_unreadable(), savepoint():
            users = model._base_manager.using(find_database()).filter(**{lookup: text})
            for pk in users.values_list("pk", flat=True):
                if way != "primary key" or str(pk) == text:  # Django reads "042" as 42
                    found.setdefault(pk, []).append(way)
    return found


def can_read(lookup: str, value: object) -> bool:
    """Return whether the user model's columns can be compared with ``value``. One query."""
    with suppress_unreadable():
        get_user_model()._default_manager.using(find_database()).filter(**{lookup: value}).exists()
        return True
    return False


def find_user_by_name(username: object) -> AbstractBaseUser | None:
    """Return the user with this name, found by the user model's own manager, or ``None``.

    A name may be a number if the names of the user model are numbers.
    """
    number = isinstance(username, int) and not isinstance(username, bool)
    if not (number or isinstance(username, str)) or "\0" in str(username):
        return None
    model: Any = get_user_model()
    with suppress(ObjectDoesNotExist, MultipleObjectsReturned), suppress_unreadable():
        user = model._default_manager.get_by_natural_key(username)
        return cast("AbstractBaseUser", user) if not number or read_name(user) == str(username) else None
    return None


def load_user(token: AccessToken | SessionFacts) -> AbstractBaseUser:
    """Load the user of a token and check its session, in one query.

    The query goes to the write database, so that a login is known at once even if replicas lag.

    Raises:
        UserGone: the user does not exist.
        UserInactive: the user may no longer log in.
        SessionEnded: the session was ended or has expired.
        TokenKeyUnknown: the key of the token was withdrawn.
        DatabaseUnavailable: the database cannot be used.
    """
    if isinstance(token, AccessToken):
        check_key(token.kid, fresh=True)  # this may be a process without a feed that brings the news
    with translated_trouble():
        return outlive_restart(partial(_load_user, token))


def _load_user(token: AccessToken | SessionFacts) -> AbstractBaseUser:
    live = Session.objects.live(timezone.now()).filter(pk=token.session_id, user_id=OuterRef("pk"))
    user = fetch_user(token.sub, parse_sub(token.sub), tessera_session_live=Exists(live))
    lives = user.tessera_session_live
    vars(user).pop(
        "tessera_session_live", None
    )  # the project's own code should find the row and nothing else
    if not lives:
        raise SessionEnded
    return cast("AbstractBaseUser", user)


def load_row(sub: str) -> AbstractBaseUser:
    """Load the user with a primary key, in one query, for a caller without a session of ours.

    Args:
        sub: the text of the primary key.

    Raises:
        UserGone, UserInactive, DatabaseUnavailable: see :func:`load_user`.
    """
    with translated_trouble():
        user: AbstractBaseUser = outlive_restart(lambda: fetch_user(sub, parse_sub(sub)))
        return user


def fetch_user(sub: str, pk: Any, **annotations: Any) -> Any:
    """Load the row of an active user whose key has the text ``sub``.

    Raises:
        UserGone, UserInactive: see :func:`load_user`.
    """
    model = get_user_model()
    user: Any = None
    with suppress(model.DoesNotExist), suppress_unreadable():
        user = select_users().annotate(**annotations).get(pk=pk)
    # A text key may match in another case or with trailing spaces under the database's collation.
    if user is None or str(user.pk) != sub:
        raise UserGone
    if not is_active(user):
        raise UserInactive
    return user


def select_users() -> QuerySet[Any]:
    """Select the users that the default manager shows, with all columns, in the database of the sessions."""
    users = get_user_model()._default_manager.using(find_database())
    return users.defer(None)  # even columns that the manager defers


def is_active(user: Any) -> bool:
    """Return whether a user may log in. ``is_active`` may be a column, a property or a method."""
    value = getattr(user, "is_active", True)
    return bool(value() if callable(value) else value)

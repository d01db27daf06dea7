"""From a verified token to its user: a real user that costs nothing until it is looked at.

The lazy user is an instance of the project's own user model that knows its primary key. It is made of
what Django has for deferred columns: the first one that is read asks the instance to load itself. So
``pk``, ``id``, ``is_authenticated``, truth, equality, ``isinstance``, foreign keys and filters need no
query, because they need no other column, and methods of the model work as they always do.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, cast

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import validators
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import (
    DEFERRED,
    BinaryField,
    Exists,
    Field,
    FileField,
    JSONField,
    Model,
    OuterRef,
)
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init
from django.utils import timezone

from drf_tessera.conf import Settings, get_settings
from drf_tessera.database import find_database
from drf_tessera.exceptions import (
    ClaimsHookError,
    Refusal,
    SessionEnded,
    SettingsError,
    UserGone,
    UserInactive,
)
from drf_tessera.models import Session
from drf_tessera.revocation import check_session
from drf_tessera.tokens import AccessToken, Login

USER_CLAIM: Final = "user"
"""The claim of an access token that carries the columns of ``USER_FIELDS``."""

Refuse = Callable[[Refusal], Exception]

_REFUSE: Final = "_tessera_refuse"
_KNOWN: Final = "_tessera_known"
_SUB: Final = "_tessera_sub"
_ASSIGNED: Final = "_tessera_assigned"
_NOTHING: Final[dict[str, Any]] = {}
_LIMITS: Final = (
    validators.MinValueValidator,
    validators.MaxValueValidator,
    validators.MaxLengthValidator,
    validators.ProhibitNullCharactersValidator,
)
"""Of a column's validators those that say what it can hold; others are rules for new rows."""

_UNWRITABLE: Final = (BinaryField, FileField, JSONField)
"""No text, or a value that can be changed without being assigned."""

_set_class: Final = vars(object)["__class__"].__set__


def find_user(token: AccessToken, *, refuse: Refuse) -> AbstractBaseUser:
    """Give the user of a verified token whose session has not been ended.

    With ``USER = "lazy"`` this is no query, but for the pull of the revocation feed that is due once
    in ``REVOCATION_POLL``; with ``USER = "database"`` it is :func:`load_user`.

    Args:
        token: verified.
        refuse: makes the exception that is raised when the user is looked at later, and is gone or
            inactive by then. It should be one that the framework around answers with a 401.

    Raises:
        UserGone, UserInactive, SessionEnded, RevocationUnavailable: as they say.
    """
    # Here and below some calls are spared that would read better: each costs half a microsecond of
    # the ten that authenticating a request may take (docs/explanation/performance.md).
    plan = _plan
    if plan is None or plan.settings is not get_settings():
        plan = _make_plan()
    if plan.strict:
        return load_user(token)
    check_session(token.session_id)
    return _make_lazy_user(plan, token, refuse)


def parse_sub(sub: str) -> Any:
    """Turn a ``sub`` into the primary key that it is the one text of.

    Django reads "042", "4_2" and Arabic digits as 42; two texts for one user are how a check on one
    of them is passed with the other, so only ``str(pk)`` itself is taken.

    Raises:
        UserGone: no primary key of the user model is written like this.
    """
    return _parse_sub(get_user_model(), sub)


@lru_cache(maxsize=4096)  # Any: to mypy a class of models has no hash
def _parse_sub(model: Any, sub: str) -> Any:
    field = model._meta.pk
    try:
        pk = field.to_python(sub)
        for validate in field.validators:
            if isinstance(validate, _LIMITS):
                validate(pk)
    except (ValidationError, ValueError, OverflowError, TypeError):
        raise UserGone from None
    if str(pk) != sub:
        raise UserGone
    return pk


def find_user_by(field: str, value: object) -> AbstractBaseUser | None:
    """Give the user whose ``field`` is written as ``value`` is, whatever that is; ``None``: there is none.

    For ids that are not a ``sub`` of ours, such as those of other packages' tokens. Here, too, only the
    one text of a value is taken: to Django 1.5 is user 1.
    """
    users = get_user_model()._default_manager.using(find_database())
    try:
        # PostgreSQL takes no text with a NUL.
        unwritable = value is None or "\0" in str(value)
        user = None if unwritable else users.filter(**{field: value}).first()
    except (ValueError, TypeError, OverflowError, ValidationError):
        return None  # no value of that field is written like this
    return user if user is not None and str(getattr(user, field)) == str(value) else None


def find_user_by_name(username: object) -> AbstractBaseUser | None:
    """Give the user of a name, as the user model's own manager finds it; ``None``: there is none.

    A name may be a number, where the user model's is.
    """
    number = isinstance(username, int) and not isinstance(username, bool)
    if not (number or isinstance(username, str)) or "\0" in str(username):
        return None
    model: Any = get_user_model()
    try:
        user = model._default_manager.get_by_natural_key(username)
    except (model.DoesNotExist, ValueError, OverflowError):  # a lone surrogate is a UnicodeEncodeError
        return None
    return cast("AbstractBaseUser", user) if not number or str(user.get_username()) == str(username) else None


def load_user(token: AccessToken | Login) -> AbstractBaseUser:
    """Load the user of a token of either kind and ask after its session: one query for both.

    The write database is asked, so that a login is known at once where replicas lag.

    Raises:
        UserGone: no such user.
        UserInactive: the user may not log in any more.
        SessionEnded: the session was ended or has expired.
    """
    live = Session.objects.live(timezone.now()).filter(pk=token.session_id, user_id=OuterRef("pk"))
    user = _fetch(token.sub, parse_sub(token.sub), tessera_session_live=Exists(live))
    if not user.tessera_session_live:
        raise SessionEnded
    return cast("AbstractBaseUser", user)


def _fetch(sub: str, pk: Any, **annotations: Any) -> Any:
    model = get_user_model()
    users = model._default_manager.using(find_database())
    try:
        user = users.defer(None).annotate(**annotations).get(pk=pk)  # all columns, whatever the manager says
    except (model.DoesNotExist, ValueError, OverflowError):
        raise UserGone from None
    # A text key may match in another case or with trailing spaces under the database's collation.
    if str(user.pk) != sub:
        raise UserGone
    if not user.is_active:
        raise UserInactive
    return user


# -- The lazy user ---------------------------------------------------------------------------------


def make_lazy_user(token: AccessToken, *, refuse: Refuse) -> AbstractBaseUser:
    """Make the user of ``token`` without a query, whatever has become of the session.

    Raises:
        UserGone: ``sub`` is no primary key of the user model.
    """
    return _make_lazy_user(_make_plan(), token, refuse)


def _make_lazy_user(plan: _Plan, token: AccessToken, refuse: Refuse) -> AbstractBaseUser:
    pk = _parse_sub(plan.model, token.sub)
    user: Any = plan.kind.__new__(plan.kind)
    state = user.__dict__
    state[_REFUSE] = refuse
    state[_SUB] = token.sub
    state[_KNOWN] = known = _read_columns(token) if plan.carries else _NOTHING
    if plan.constructs:
        columns = [field.attname for field in plan.model._meta.concrete_fields]
        plan.model.__init__(user, *(pk if name == plan.column else DEFERRED for name in columns))
        if _REFUSE in state:  # not loaded by a constructor that looked
            del state["_state"]
            state.pop(_ASSIGNED, None)
    state[plan.column] = pk
    if known and _KNOWN in state:
        state.update(known)
    return user  # type: ignore[no-any-return]  # an instance of the user model


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all lazy users have in common, as long as the settings are the same."""

    settings: Settings
    model: type[Model]
    kind: type[Model]
    """The class that they are made of."""
    column: str
    """The name of the primary key's column."""
    constructs: bool
    """Whether somebody waits for the construction of an instance; else that can be skipped."""
    strict: bool
    """Whether the row is loaded on every request, so that there are none."""
    carries: bool
    """Whether tokens carry columns."""


_plan: _Plan | None = None


def _make_plan() -> _Plan:
    global _plan  # noqa: PLW0603 - one slot, valid as long as its settings are
    settings, model = get_settings(), get_user_model()
    own_init = model.__init__ is not Model.__init__
    _plan = _Plan(
        settings=settings,
        model=model,
        kind=_make_class(model),
        column=model._meta.pk.attname,
        constructs=own_init or pre_init.has_listeners(model) or post_init.has_listeners(model),
        strict=settings.user == "database",
        carries=bool(settings.user_fields),
    )
    return _plan


class _State:
    """Makes an instance's ``_state`` when it is first asked for; most requests never do."""

    def __get__(self, user: Model | None, kind: type[Model]) -> ModelState | _State:
        if user is None:
            return self
        state = user.__dict__["_state"] = ModelState()
        state.adding = False
        state.db = find_database()
        return state


@lru_cache
def _make_class(model: type[Model]) -> type[Model]:
    """Make the class of lazy users: the model itself, that loads its row when a column is read.

    Made without Django's metaclass, so that it is no model of its own to Django. It says that its
    class is the model's, so that signals are sent by that; once loaded an instance really is that.
    """
    body = {
        "__module__": model.__module__,
        "__doc__": model.__doc__,
        "__slots__": (),
        "__class__": property(lambda self: model),
        "__reduce__": _reduce,
        "_state": _State(),
        "__setattr__": _assign,
        "refresh_from_db": _refresh_from_db,
        "save": _save,
        "delete": _delete,
    }
    return type.__new__(type(model), model.__name__, (model,), body)


def _load(user: Model) -> None:
    """Fill a lazy user from its row. What was assigned to it stays."""
    state = vars(user)
    refuse, known = state[_REFUSE], state[_KNOWN]
    try:
        row = _fetch(state[_SUB], parse_sub(state[_SUB]))
    except Refusal as error:
        raise refuse(error) from None
    assigned = state.pop(_ASSIGNED, frozenset())
    replaced = known.keys() - assigned
    for name, value in vars(row).items():
        if name in replaced or name not in state:
            state[name] = value
    del state[_REFUSE], state[_KNOWN], state[_SUB]
    _set_class(user, type(row))


def _refresh_from_db(
    self: Model, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
) -> None:
    """Load the whole row once; Django calls this for the first column that is read.

    A project that calls it wants what it does by itself, too: relations that are cached are forgotten.
    """
    asked = None if fields is None else list(fields)
    plain = asked is None or using is not None or from_queryset is not None
    again = plain or any(name in vars(self) or not _is_column(self, name) for name in asked or ())
    _load(self)
    if again:
        self.refresh_from_db(using=using, fields=asked, from_queryset=from_queryset)


def _is_column(user: Model, name: str) -> bool:
    return any(field.attname == name for field in user._meta.concrete_fields)


def _assign(self: Model, name: str, value: object) -> None:
    """Remember what was assigned: that is nothing that the row may replace."""
    vars(self).setdefault(_ASSIGNED, set()).add(name)
    object.__setattr__(self, name, value)


def _save(self: Model, *args: Any, **kwargs: Any) -> None:
    """Load before saving: what the token carries may be older than the row, and must not replace it."""
    _load(self)
    self.save(*args, **kwargs)


def _delete(self: Model, *args: Any, **kwargs: Any) -> Any:
    """Load before deleting: there is no row any more when a receiver of the deletion looks."""
    _load(self)
    return self.delete(*args, **kwargs)


def _reduce(self: Model) -> tuple[Any, ...]:
    """Copy and pickle as a lazy user, with ``refuse`` by its name."""
    return _revive, (self._meta.label, dict(vars(self)))


def _revive(label: str, state: dict[str, Any]) -> Model:
    model: Any = apps.get_model(label)  # Any: to mypy a class of models has no hash
    kind = _make_class(model)
    user = kind.__new__(kind)
    vars(user).update(state)
    return user


# -- Columns in the token --------------------------------------------------------------------------


def find_user_fields() -> dict[str, Field[Any, Any]]:
    """Find the fields of ``USER_FIELDS``.

    Raises:
        SettingsError: the user model has no such column, or it must not go into a token.
    """
    return _find_fields(get_user_model(), get_settings().user_fields)


@lru_cache  # Any: to mypy a class of models has no hash
def _find_fields(model: Any, names: tuple[str, ...]) -> dict[str, Field[Any, Any]]:
    found = {}
    for name in names:
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            raise SettingsError(f"{model._meta.label} has no field {name!r}.") from None
        if not isinstance(field, Field) or not field.concrete or field.is_relation or field.primary_key:
            raise SettingsError(f"{model._meta.label}.{name} is no plain column; a token cannot carry it.")
        if isinstance(field, _UNWRITABLE):
            raise SettingsError(f"{model._meta.label}.{name} has values that a token cannot carry.")
        if name == "password":
            raise SettingsError("The password's hash must not go into a token: whoever has one can read it.")
        found[field.attname] = field
    return found


def describe_session(user: AbstractBaseUser, session: Session) -> Mapping[str, Any]:
    """Collect what the project puts into access tokens: ``USER_FIELDS`` and the ``CLAIMS`` hook.

    Raises:
        ClaimsHookError: the hook's answer is no dict, or names the claim of ``USER_FIELDS``.
    """
    columns, settings = describe_user(user), get_settings()
    if settings.claims is None:
        return columns
    extra = settings.claims(user, session)
    if not isinstance(extra, Mapping):
        raise ClaimsHookError(f"The CLAIMS hook must return a dict, not {type(extra).__name__}.")
    if USER_CLAIM in extra:
        raise ClaimsHookError(f"The claim {USER_CLAIM!r} belongs to USER_FIELDS; choose another name.")
    return {**extra, **columns}


def describe_user(user: AbstractBaseUser) -> dict[str, Any]:
    """Give the claim that carries the columns of ``USER_FIELDS``; nothing, if there are none."""
    fields = find_user_fields()
    if not fields:
        return {}
    return {USER_CLAIM: {name: _write(field.value_from_object(user)) for name, field in fields.items()}}


def _write(value: Any) -> Any:
    """Write a column's value so that its field's ``to_python`` reads it."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | uuid.UUID | timedelta) else value


def _read_columns(token: AccessToken) -> dict[str, Any]:
    """Read what the token carries of the row. What cannot be read is left to the row."""
    claim = token.get(USER_CLAIM)
    if not claim or not isinstance(claim, Mapping):
        return {}
    found = {}
    for name, field in find_user_fields().items():
        if name in claim:
            try:
                found[name] = field.to_python(claim[name])
            except ValidationError:
                continue
    return found

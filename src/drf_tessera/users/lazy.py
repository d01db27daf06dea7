"""From a verified token to its user: a real user that costs no query until another column is read.

The lazy user is an instance of the project's own user model that knows its primary key. All other columns are
deferred columns of Django: the first one that is read asks the instance to load itself. So ``pk``, ``id``,
``is_authenticated``, truth, equality, ``isinstance``, foreign keys and filters need no query, because they
need no other column. The methods of the model work as always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import DEFERRED, Model
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from drf_tessera.conf import Settings, per_settings
from drf_tessera.database import find_database, read_calmly
from drf_tessera.exceptions import Refusal
from drf_tessera.revocation import check_session
from drf_tessera.tokens import AccessToken
from drf_tessera.users.claims import read_columns
from drf_tessera.users.lookup import fetch_user, load_user, parse_sub, parse_sub_of

Refuse = Callable[[Refusal], Exception]

_REFUSE: Final = "_tessera_refuse"
_KNOWN: Final = "_tessera_known"
_SUB: Final = "_tessera_sub"
_ASSIGNED: Final = "_tessera_assigned"
_NOTHING: Final[dict[str, Any]] = {}

_set_class: Final = vars(object)["__class__"].__set__


def lazy_user(token: AccessToken, *, refuse: Refuse) -> AbstractBaseUser:
    """Return the user of a verified token whose session has not been ended.

    With ``USER = "lazy"`` this makes no query, except the pull of the revocation feed that is due once per
    ``REVOCATION_POLL``. With ``USER = "database"`` this calls :func:`load_user`.

    Args:
        token: a verified token.
        refuse: makes the exception that is raised if a column is read later and the user is deleted or
            inactive by then. The framework should answer the exception with a 401.

    Raises:
        UserGone, UserInactive: see :func:`load_user`.
        SessionEnded, RevocationUnavailable: see :func:`check_session`.
    """
    # Here and below, some code is inlined although a call would read better, because each call costs half a
    # microsecond. Authenticating a request may take ten (docs/explanation/performance.md).
    plan = _find_plan()
    if plan.strict:
        return load_user(token)
    check_session(token.session_id)
    return _make_lazy_user(plan, token, refuse)


def _make_lazy_user(plan: _Plan, token: AccessToken, refuse: Refuse) -> AbstractBaseUser:
    pk = parse_sub_of(plan.model, token.sub)
    user: Any = plan.kind.__new__(plan.kind)
    state = user.__dict__
    state[_REFUSE] = refuse
    state[_SUB] = token.sub
    state[_KNOWN] = known = read_columns(token) if plan.carries else _NOTHING
    if plan.constructs:
        columns = [field.attname for field in plan.model._meta.concrete_fields]
        plan.model.__init__(user, *(pk if name == plan.column else DEFERRED for name in columns))
        if _REFUSE in state:  # the constructor has read no column, so the user is not loaded
            del state["_state"]
            state.pop(_ASSIGNED, None)
    state[plan.column] = pk
    if known and _KNOWN in state:
        state.update(known)
    return user  # type: ignore[no-any-return]  # an instance of the user model


@dataclass(frozen=True, slots=True)
class _Plan:
    """The facts that all lazy users have in common under the same settings."""

    model: type[Model]
    kind: type[Model]
    """The class of the lazy users."""
    column: str
    """The name of the primary key's column."""
    constructs: bool
    """Whether a custom ``__init__`` or a receiver must be called. Otherwise ``__init__`` is skipped."""
    strict: bool
    """Whether the row is loaded on every request, so that there are no lazy users."""
    carries: bool
    """Whether tokens carry columns."""


@per_settings
def _find_plan(settings: Settings) -> _Plan:
    model = get_user_model()
    own_init = model.__init__ is not Model.__init__
    return _Plan(
        model=model,
        kind=_make_class(model),
        column=model._meta.pk.attname,
        constructs=own_init or pre_init.has_listeners(model) or post_init.has_listeners(model),
        strict=settings.user == "database",
        carries=bool(settings.user_fields),
    )


class _State:
    """Makes the ``_state`` of an instance at its first use, because most requests never use it."""

    def __get__(self, user: Model | None, kind: type[Model]) -> ModelState | _State:
        if user is None:
            return self
        state = user.__dict__["_state"] = ModelState()
        state.adding = False
        state.db = find_database()
        return state


@lru_cache
def _make_class(model: type[Model]) -> type[Model]:
    """Make the class of lazy users: a subclass of the model that loads its row when a column is read.

    The class is made without Django's metaclass, so Django does not register it as another model. Its
    ``__class__`` is the model, so signals have the model as their sender. A loaded instance really has the
    class of the model.
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
    """Fill a lazy user from its row. Assigned values stay."""
    state = vars(user)
    refuse, known = state[_REFUSE], state[_KNOWN]
    try:
        row = read_calmly(lambda: fetch_user(state[_SUB], parse_sub(state[_SUB])))
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
    """Load the whole row once. Django calls this method for the first column that is read.

    If the project calls this method, the model's own method is called after that, because a project also
    expects that cached relations are forgotten.
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
    """Remember the names of assigned attributes, because the row must not replace these attributes."""
    vars(self).setdefault(_ASSIGNED, set()).add(name)
    object.__setattr__(self, name, value)


def _save(self: Model, *args: Any, **kwargs: Any) -> None:
    """Load before saving, because the token's columns may be older than the row and must not replace it."""
    _load(self)
    self.save(*args, **kwargs)


def _delete(self: Model, *args: Any, **kwargs: Any) -> Any:
    """Load before deleting, because the row no longer exists when a receiver reads a column."""
    _load(self)
    return self.delete(*args, **kwargs)


def _reduce(self: Model) -> tuple[Any, ...]:
    """Let the user be copied and pickled as a lazy user. ``refuse`` is pickled by its name."""
    return _revive, (self._meta.label, dict(vars(self)))


def _revive(label: str, state: dict[str, Any]) -> Model:
    model: Any = apps.get_model(label)  # Any: for mypy a model class is not hashable
    kind = _make_class(model)
    user = kind.__new__(kind)
    vars(user).update(state)
    return user

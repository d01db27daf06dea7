"""From a verified token to its user: a real user that costs no query until somebody looks at it.

The lazy user is an instance of the project's own user model that knows its primary key. The first column that
is read loads the row, and from then on the user is the loaded one. So ``pk``, ``id``, ``is_authenticated``,
truth, equality, ``isinstance``, foreign keys and filters need no query, because they need no other column.
Methods of the model work as they always do.

A model that keeps something about its instances needs the row when the instance is made. Such a user is
loaded at once; see :mod:`drf_tessera.users.deferral`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from inspect import getattr_static
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import SynchronousOnlyOperation
from django.db.models import Model
from django.db.models.base import ModelBase, ModelState

from drf_tessera.conf import Settings, current_tenant, per_settings
from drf_tessera.database import find_database, read_calmly, translated_trouble
from drf_tessera.exceptions import ProjectError, Refusal, TemporarilyUnavailable
from drf_tessera.revocation import check_session, knows_session
from drf_tessera.tokens import AccessToken
from drf_tessera.users.claims import read_columns
from drf_tessera.users.deferral import find_obstacles, find_own_descriptors
from drf_tessera.users.lookup import fetch_user, load_row, load_user, parse_sub, parse_sub_of

Refuse = Callable[[Refusal], Exception]
Fail = Callable[[TemporarilyUnavailable], Exception]

_REFUSE: Final = "_tessera_refuse"
_FAIL: Final = "_tessera_fail"
_KNOWN: Final = "_tessera_known"
_SUB: Final = "_tessera_sub"
_ASSIGNED: Final = "_tessera_assigned"
_LOADING: Final = "_tessera_loading"
_PLACE: Final = "_tessera_place"
_NOTHING: Final[dict[str, Any]] = {}

_IN_ASYNC_CODE: Final = (
    "The row of request.user is not loaded yet, and async code cannot wait for the query. Write "
    "'await request.user.arefresh_from_db()' first, or set TESSERA['USER'] = 'database'."
)

_IN_ANOTHER_TENANT: Final = (
    "The row of request.user is not loaded yet, and the tenant has changed since the request began. The same"
    " primary key is another person here. Read a field of request.user before you change the tenant."
)

_set_class: Final = vars(object)["__class__"].__set__
read_state: Final[Callable[[Model], dict[str, Any]]] = next(
    vars(kind)["__dict__"].__get__ for kind in Model.__mro__ if "__dict__" in vars(kind)
)
"""Return the dict of an instance itself. ``vars()`` of a lazy user loads the row first."""


def lazy_user(token: AccessToken, *, refuse: Refuse, fail: Fail | None = None) -> AbstractBaseUser:
    """Return the user of a verified token whose session has not been ended.

    With ``USER = "lazy"`` this costs no query, except the pull of the revocation feed that is due once in
    ``REVOCATION_POLL``. With ``USER = "database"``, and for user models that need their row at once, this is
    :func:`load_user`.

    Args:
        token: verified.
        refuse: makes the exception that is raised when the user is looked at later, and is gone or inactive
            by then. The framework around should answer the exception with a 401.
        fail: makes the exception that is raised when the user is looked at while the database cannot be used.
            The framework around should answer it with a 503. Without ``fail``, that is the error of this
            package itself, such as ``DatabaseUnavailable``. The user can be looked at again later.

    Raises:
        UserGone, UserInactive, SessionEnded, RevocationUnavailable, DatabaseUnavailable: as they say.
    """
    # Here and below some calls are avoided that would read better, because each costs half a microsecond of
    # the ten that authenticating a request may take (docs/explanation/performance.md).
    plan = _find_plan()
    if plan.strict:
        return load_user(token)
    check_session(token)
    return _make_lazy_user(plan, token, refuse, fail)


def loads_at_once() -> bool:
    """Return whether each request loads the row of its user, and with it the state of its session.

    This is so with ``USER = "database"``, and for user models that need their row at once.
    """
    return _find_plan().strict


def recall_user(token: AccessToken, *, refuse: Refuse, fail: Fail | None = None) -> AbstractBaseUser | None:
    """Return the user that :func:`lazy_user` returns, or ``None`` if that would wait or make a query.

    This is for coroutines. For ``None`` they call :func:`lazy_user` in a thread.

    Args:
        token: verified.
        refuse: as for :func:`lazy_user`.
        fail: as for :func:`lazy_user`.

    Raises:
        UserGone: the user model has no primary key with the text of ``sub``.
    """
    plan = _find_plan()
    if plan.strict or not knows_session(token):
        return None
    return _make_lazy_user(plan, token, refuse, fail)


def is_loaded(user: object) -> bool:
    """Return whether a user is not lazy, so that every field can be read without a query."""
    return not isinstance(type(user), _LazyClass)


def load_now(user: Any) -> None:
    """Load the row of a user if the user is lazy. The refusals of a lazy user are raised as elsewhere."""
    if not is_loaded(user):
        _load(user)


def lazy_row(sub: str, *, refuse: Refuse, fail: Fail | None = None) -> AbstractBaseUser:
    """Return the user with a primary key, as :func:`lazy_user` does, for a caller without a session of ours.

    Args:
        sub: the text of the primary key.
        refuse: as for :func:`lazy_user`.
        fail: as for :func:`lazy_user`.

    Raises:
        UserGone, UserInactive, DatabaseUnavailable: as they say, where the row is loaded on every request.
    """
    plan = _find_plan()
    if plan.strict:
        return load_row(sub)
    owner: Any = _Owner(sub)
    return _make_lazy_user(replace(plan, carries=False), owner, refuse, fail)


class _Owner(NamedTuple):
    """The only part of a token that names its user. The columns of ``USER_FIELDS`` are in tokens of ours."""

    sub: str


def _make_lazy_user(
    plan: _Plan, token: AccessToken, refuse: Refuse, fail: Fail | None = None
) -> AbstractBaseUser:
    pk = parse_sub_of(plan.model, token.sub)
    user: Any = object.__new__(plan.kind)
    state = read_state(user)
    state[_REFUSE] = refuse
    if fail is not None:
        state[_FAIL] = fail
    state[_SUB] = token.sub
    state[_KNOWN] = known = read_columns(token) if plan.carries else _NOTHING
    state[plan.column] = pk
    if known:
        state.update(known)
    if plan.tenanted:
        state[_PLACE] = _find_place()
    return user  # type: ignore[no-any-return]  # an instance of the user model


@dataclass(frozen=True, slots=True)
class _Plan:
    """The facts that all lazy users share, as long as the settings are the same."""

    model: type[Model]
    kind: type[Model]
    """The class that they are made of."""
    column: str
    """The name of the primary key's column."""
    strict: bool
    """Whether the row is loaded on every request, so that there are no lazy users."""
    carries: bool
    """Whether tokens carry columns."""
    tenanted: bool
    """Whether there are tenants."""


@per_settings
def _find_plan(settings: Settings) -> _Plan:
    model = get_user_model()
    tenanted = settings.tenant is not None
    strict = settings.user == "database" or bool(find_obstacles(model, tokens_name_tenant=tenanted))
    return _Plan(
        model=model,
        kind=model if strict else _make_class(model),
        column=model._meta.pk.attname,
        strict=strict,
        carries=bool(settings.user_fields),
        tenanted=tenanted,
    )


def _find_place() -> tuple[str, str]:
    """Return the tenant and the database in which a primary key is the one of the token's user."""
    return current_tenant(), find_database()


# -- The class of lazy users -----------------------------------------------------------------------


class _State:
    """Makes an instance's ``_state`` when it is first asked for; most requests never do."""

    def __get__(self, user: Model | None, kind: type[Model]) -> ModelState | _State:
        if user is None:
            return self
        state = read_state(user)["_state"] = ModelState()
        state.adding = False
        state.db = find_database()
        return state


class _Loading:
    """Loads the row before a descriptor that is not Django's is asked. It never sees an unloaded user."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, user: Model | None, kind: type[Model]) -> Any:
        if user is None:
            return getattr(kind.__mro__[1], self._name)
        _load(user)
        return getattr(user, self._name)

    def __set__(self, user: Model, value: object) -> None:
        _load(user)
        setattr(user, self._name, value)

    def __delete__(self, user: Model) -> None:
        _load(user)
        delattr(user, self._name)


class _Key:
    """Reads a primary key that is a foreign key, as in multi-table inheritance, without loading the row.

    The descriptor of a foreign key is asked before the instance's own dict, and it would load the row.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, user: Model | None, kind: type[Model]) -> Any:
        return getattr(kind.__mro__[1], self._name) if user is None else read_state(user)[self._name]

    def __set__(self, user: Model, value: object) -> None:
        read_state(user)[self._name] = value


class _LazyClass(ModelBase):
    """The type of the class of lazy users, which passes for the user model itself.

    ``type(request.user)(...)`` makes a new user of the model, and a dict finds the model's entry by
    ``type(request.user)``. Only the operator ``is`` cannot be answered.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__mro__[1](*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.__mro__[1]

    def __hash__(self) -> int:
        return hash(self.__mro__[1])


@lru_cache
def _make_class(model: type[Model]) -> type[Model]:
    """Make the class of lazy users: the model itself, but it loads its row when a column is read.

    It is made without Django's metaclass, so to Django it is not another model. Its instances say that their
    class is the model, so signals have the model as their sender. A loaded instance really is of that class.
    """
    body: dict[str, Any] = {
        "__module__": model.__module__,
        "__qualname__": model.__qualname__,
        "__doc__": model.__doc__,
        "__slots__": (),
        "__class__": property(lambda self: model),
        "__dict__": property(_read_loaded_state),
        "__reduce__": _reduce,
        "__repr__": _represent,
        "__setattr__": _assign,
        "__delattr__": _delete_attribute,
        "_state": _State(),
        **{name: _Loading(name) for name in find_own_descriptors(model)},
        **{name: _load_before(name) for name in ("save", "save_base", "delete")},
        "refresh_from_db": _refresh_from_db,
    }
    column = model._meta.pk.attname
    if hasattr(type(getattr_static(model, column)), "__set__"):
        body[column] = _Key(column)
    kind: Any = type.__new__(_LazyClass, model.__name__, (model,), body)
    return kind  # type: ignore[no-any-return]  # a class derived from the model


def _load(user: Model) -> None:
    """Fill a lazy user from its row. Assigned values stay.

    If the user is refused, the instance becomes an anonymous user. After any other error nothing has changed.
    """
    state = read_state(user)
    known, sub = state.get(_KNOWN), state.get(_SUB)
    if known is None or sub is None:  # another thread was faster
        return
    if state.get(_LOADING) == threading.get_ident():
        raise RuntimeError("The user's row is being loaded. Code that runs during this query cannot read it.")
    if _PLACE in state and state[_PLACE] != _find_place():
        raise ProjectError(_IN_ANOTHER_TENANT)
    state[_LOADING] = threading.get_ident()
    try:
        with translated_trouble():
            row = read_calmly(lambda: fetch_user(sub, parse_sub(sub)))
    except (Refusal, TemporarilyUnavailable) as error:
        raise _explain(user, error) from error.__cause__
    except SynchronousOnlyOperation as error:
        raise SynchronousOnlyOperation(_IN_ASYNC_CODE) from error
    finally:
        state.pop(_LOADING, None)
    if _REFUSE not in state:  # another thread was faster
        return
    replaced = known.keys() - state.pop(_ASSIGNED, frozenset())
    for name, value in vars(row).items():
        if name in replaced or name not in state:
            state[name] = value
    for name in (_REFUSE, _FAIL, _KNOWN, _SUB, _PLACE):
        state.pop(name, None)
    _set_class(user, type(row))


def _explain(user: Model, error: Refusal | TemporarilyUnavailable) -> Exception:
    """Return the exception to raise, because the row says no or cannot be read at the moment."""
    state = read_state(user)
    if isinstance(error, Refusal):
        refuse: Refuse = state[_REFUSE]
        _become_anonymous(user)
        return refuse(error)
    fail: Fail | None = state.get(_FAIL)
    return error if fail is None else fail(error)


def _become_anonymous(user: Any) -> None:
    """Change a refused user into an anonymous user, for everybody who has a reference to it.

    If the row had been loaded at once, the user would have been refused before the view, and everybody would
    have found an anonymous user. So error handlers, log filters and middleware find an anonymous user here,
    too. Otherwise each of them would raise the refusal again, outside of the code that answers it.
    """
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 - a user model may import this early

    read_state(user).clear()
    _set_class(user, AnonymousUser)


def _load_before(name: str) -> Callable[..., Any]:
    """Make a method that loads the row and then calls the model's own method.

    Saving must not write what the token carries, which may be older than the row. Deleting must leave an
    instance that receivers can still read when the row is gone.
    """

    def call(self: Model, *args: Any, **kwargs: Any) -> Any:
        _load(self)
        return getattr(self, name)(*args, **kwargs)

    call.__name__, call.__qualname__ = name, f"{__name__}.{name}"
    return call


def _refresh_from_db(self: Model, *args: Any, **kwargs: Any) -> None:
    """Load the whole row once, and then call the model's own method, which also forgets cached relations.

    If only missing columns are asked for, loading them is enough.
    """
    state, enough = read_state(self), False
    if kwargs.get("fields") is not None:
        kwargs["fields"] = list(kwargs["fields"])
        alone = not args and not any(kwargs[name] for name in kwargs.keys() - {"fields"})
        enough = alone and all(_is_missing(self, state, name) for name in kwargs["fields"])
    _load(self)
    if not enough:
        self.refresh_from_db(*args, **kwargs)


def _is_missing(user: Model, state: dict[str, Any], name: str) -> bool:
    return name not in state and any(field.attname == name for field in user._meta.concrete_fields)


def _read_loaded_state(self: Model) -> dict[str, Any]:
    _load(self)
    return vars(self)


def _assign(self: Model, name: str, value: object) -> None:
    """Remember the names of assigned values, because the row must not replace them."""
    read_state(self).setdefault(_ASSIGNED, set()).add(name)
    object.__setattr__(self, name, value)


def _delete_attribute(self: Model, name: str) -> None:
    _load(self)
    delattr(self, name)


def _represent(self: Model) -> str:
    """Return a text without loading the row, because reports of errors and debuggers ask at any moment."""
    return f"<{type(self).__name__}: {self.pk} (not loaded)>"


def _reduce(self: Model) -> tuple[Any, ...]:
    """Copy and pickle as a lazy user, with ``refuse`` by its name."""
    state = dict(read_state(self))
    state.pop(_LOADING, None)
    if "_state" in state:  # as Django does for every model
        state["_state"] = copy(state["_state"])
        state["_state"].fields_cache = dict(state["_state"].fields_cache)
    return _revive, (self._meta.label, state)


def _revive(label: str, state: dict[str, Any]) -> Model:
    model: Any = apps.get_model(label)  # Any: to mypy a class of models has no hash
    kind = _make_class(model)
    user = kind.__new__(kind)
    read_state(user).update(state)
    return user

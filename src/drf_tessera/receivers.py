"""Receivers that end sessions after a changed password, a deactivation or a deletion.

They are connected to every model that writes the password of a user: the user model, its proxies and its
children. With multi-table inheritance, the parents of the user model and the other children of these parents
write it too. Each model sends its own class as the sender.

``QuerySet.update()`` and ``bulk_update()`` send no signal. A deactivation by them is still noticed, because
every refresh asks for the user. After they changed passwords, call :func:`drf_tessera.sessions.revoke_all`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType
from typing import Any, Final, cast

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import get_hasher, identify_hasher, is_password_usable
from django.db.models import QuerySet
from django.db.models.signals import class_prepared, post_save, pre_delete, pre_save

from drf_tessera import sessions
from drf_tessera.models import columns_tell_who_is_active
from drf_tessera.sessions import Reason
from drf_tessera.users import is_active

_VERDICT: Final = "_tessera_end_sessions_for"
_ACTIVE_BEFORE: Final = "_tessera_was_active"
_ENDED: Final = "_tessera_ended_sessions_of"
_WATCHED: Final = frozenset({"password", "is_active"})
_checking: ContextVar[bool] = ContextVar("drf_tessera_checking_password", default=False)


def connect() -> None:
    """Connect the receivers to all models that write a row of a user, now or later.

    Other models have no receiver, because a receiver of their deletions would stop Django from deleting many
    rows with one statement.
    """
    for model in apps.get_models():
        connect_model(sender=model)
    class_prepared.connect(connect_model, dispatch_uid="drf_tessera.prepared")


def connect_model(*, sender: type[Any], **kwargs: object) -> None:
    """Connect the receivers to one model, if it writes a row of a user."""
    if any(issubclass(sender, owner) for owner in _find_owners()):
        pre_save.connect(compare_with_row, sender=sender, dispatch_uid="drf_tessera.compare")
        post_save.connect(end_after_save, sender=sender, dispatch_uid="drf_tessera.end")
    if issubclass(sender, get_user_model()):
        pre_delete.connect(end_before_delete, sender=sender, dispatch_uid="drf_tessera.delete")


def _find_owners() -> set[type[Any]]:
    """Return the user model, and its parents that have the columns in which a login stands."""
    model: Any = get_user_model()
    owners = {field.model for field in model._meta.concrete_fields if field.name in _WATCHED}
    # A property may read a column of any parent.
    return owners | {model} | (set() if columns_tell_who_is_active() else set(model._meta.get_parent_list()))


def _find_key(instance: Any, using: str) -> Any:
    """Return the user's key of a saved instance, or ``None``.

    The instance may be of a parent of the user model, or of another child of that parent. Then it may be
    nobody who logs in.
    """
    model: Any = get_user_model()
    if isinstance(instance, model):
        return getattr(instance, model._meta.pk.attname)
    shared = next(owner for owner in _find_owners() if isinstance(instance, owner))._meta.pk
    users = model._base_manager.using(using).filter(**{shared.name: getattr(instance, shared.attname)})
    return users.values_list("pk", flat=True).first()


@contextmanager
def checking_password() -> Iterator[None]:
    """Mark the block as a password check. A hash written inside the block is an upgrade of the old hash.

    Two simultaneous logins need the mark. The second login finds the strong hash of the first login in the
    row, and not the weak hash, so the old hash alone would not show that the write is an upgrade.
    """
    mark = _checking.set(True)
    try:
        yield
    finally:
        _checking.reset(mark)


def compare_with_row(*, instance: AbstractBaseUser, raw: bool, using: str, **kwargs: Any) -> None:
    """Record, before a user is saved, whether the save will end the sessions of the user.

    This costs one query, and only if ``password`` or ``is_active`` may change. So the save of ``last_login``
    at each login costs nothing. If only code can tell whether a user is active, the row is loaded before and
    after every other save.
    """
    vars(instance).pop(_VERDICT, None)  # remove the records of an earlier save that failed
    vars(instance).pop(_ACTIVE_BEFORE, None)
    if raw or instance._state.adding:
        return
    updated = kwargs.get("update_fields")
    if not columns_tell_who_is_active() and set(updated or ()) != {"last_login"}:
        vars(instance)[_ACTIVE_BEFORE] = _may_log_in(instance, using)
    if updated is not None and _WATCHED.isdisjoint(updated):
        return
    columns = _WATCHED.intersection(field.name for field in instance._meta.concrete_fields)
    rows = type(instance)._base_manager.using(using)
    before = rows.filter(pk=instance.pk).values(*columns).first() or {}
    vars(instance)[_VERDICT] = _judge(instance, before, updated)


def end_after_save(*, instance: AbstractBaseUser, using: str, **kwargs: Any) -> None:
    """End the sessions after the save. In a transaction, either both happen or neither happens.

    Outside a transaction, Django has already committed the save. If the sessions cannot be ended after
    several attempts, the code that saved the user gets the error. That code must call
    :func:`drf_tessera.sessions.revoke_all`, because a second save would find no change.
    """
    reason = vars(instance).pop(_VERDICT, None)
    if vars(instance).pop(_ACTIVE_BEFORE, False) and reason is None and not _may_log_in(instance, using):
        reason = Reason.USER_INACTIVE
    key = None if reason is None else _find_key(instance, using)
    if reason is not None and key is not None:
        sessions.revoke_all_of([key], reason=reason)


def _may_log_in(instance: AbstractBaseUser, using: str) -> bool:
    """Return whether the user of a row may log in.

    Only the row in the database can tell, because a property may read any column and a manager may hide the
    user. A manager that cannot answer here, for example outside of a request, hides nobody.
    """
    key = _find_key(instance, using)
    try:
        user = get_user_model()._default_manager.using(using).defer(None).filter(pk=key).first()
    except Exception:  # noqa: BLE001 - the project's own code, which must not stop a save
        return False
    return user is not None and is_active(user)


def end_before_delete(*, instance: AbstractBaseUser, using: str, origin: Any = None, **kwargs: Any) -> None:
    """End the sessions of a user that is about to be deleted. The notices stay when the rows are gone.

    If a queryset of users is deleted, this is called for each of them. The first call ends the sessions of
    all.
    """
    model: Any = get_user_model()
    key = _find_key(instance, using)
    if not isinstance(origin, QuerySet) or not issubclass(origin.model, model):
        sessions.revoke_all_of([key], reason=Reason.USER_DELETED)
        return
    ended = vars(origin).setdefault(_ENDED, set())
    if key not in ended:
        ended |= {key, *origin.using(using).values_list(model._meta.pk.attname, flat=True)}
        sessions.revoke_all_of(ended, reason=Reason.USER_DELETED)
    ended.discard(key)  # a second deletion by the same queryset starts from the beginning


def _judge(user: AbstractBaseUser, before: dict[str, Any], updated: Collection[str] | None) -> Reason | None:
    if columns_tell_who_is_active() and before.get("is_active", False) and not user.is_active:
        return Reason.USER_INACTIVE
    if "password" in before and before["password"] != user.password:
        if not is_password_usable(before["password"]) and not is_password_usable(user.password):
            return None  # both passwords are unusable, and only their random suffixes differ
        return None if _is_upgrade(user, before["password"], updated) else Reason.PASSWORD_CHANGED
    return None


def _is_upgrade(user: AbstractBaseUser, old: str, updated: Collection[str] | None) -> bool:
    """Return whether the new hash is a stronger hash of the same password.

    When Django checks a password and its hash is weak, Django sets the password, forgets the raw password
    (``_password`` stays in the instance as ``None``), and saves only this field. This function requires
    all of these signs, and a new hash that Django would write now. The old hash must be due for an
    upgrade, unless a password check is known to be in progress.
    """
    if not _is_saved_by_a_check(user, updated):
        return False
    return not _is_due(user.password) and (_checking.get() or _is_due(old))


def _is_saved_by_a_check(user: object, updated: Collection[str] | None) -> bool:
    return vars(user).get("_password", "never set") is None and set(updated or ()) == {"password"}


def recognises_upgrades() -> bool:
    """Return whether Django's password check still has the signs that :func:`_is_upgrade` relies on.

    The attribute ``_password`` is private to Django. If it had another name, each upgrade of a hash would
    look like a new password, and the login would end all other sessions of the user.
    """
    probe, check = _Probe(), AbstractBaseUser.check_password

    def upgrade(raw: str, encoded: str, setter: Callable[[str], object]) -> bool:
        setter(raw)  # as for a weak hash, but without the work of hashing
        return True

    try:
        FunctionType(check.__code__, {**check.__globals__, "check_password": upgrade})(probe, "raw")
        changed = _Probe()
        AbstractBaseUser.set_password(cast("AbstractBaseUser", changed), None)  # hashes nothing
    except Exception:  # noqa: BLE001 - any change of Django's that breaks the probe is a different protocol
        return False
    return probe.recognised and "_password" in vars(changed)


class _Probe:
    """Stands for a user whose password Django checks. It notes whether its save is recognised."""

    password = "weak"  # noqa: S105 - no password
    recognised = False

    def set_password(self, raw: str) -> None:
        """Remember the raw password as Django's method does, but do not hash it."""
        self._password = raw

    def save(self, *, update_fields: Collection[str]) -> None:
        """Record whether the receivers would recognise this save."""
        self.recognised = _is_saved_by_a_check(self, update_fields)


def _is_due(encoded: str) -> bool:
    """Return whether Django would replace this hash. A text that is not a hash is always due."""
    try:
        hasher = identify_hasher(encoded)
    except ValueError:
        return True
    preferred = get_hasher()
    return hasher.algorithm != preferred.algorithm or preferred.must_update(encoded)

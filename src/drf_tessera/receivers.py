"""Receivers that end sessions after a change of password, a deactivation or a deletion of the user.

The receivers are connected to the user model and to each model derived from it, because a proxy or a
child of the user model sends its own class as the sender.

``QuerySet.update()`` sends no signal. A deactivation by ``QuerySet.update()`` still takes effect, because
every refresh checks the user. After a change of passwords by ``QuerySet.update()``, call
:func:`drf_tessera.sessions.revoke_all`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import get_hasher, identify_hasher, is_password_usable
from django.db.models.signals import class_prepared, post_save, pre_delete, pre_save

from drf_tessera import sessions
from drf_tessera.sessions import Reason

_VERDICT: Final = "_tessera_end_sessions_for"
_WATCHED: Final = frozenset({"password", "is_active"})
_checking: ContextVar[bool] = ContextVar("drf_tessera_checking_password", default=False)


def connect() -> None:
    """Connect the receivers to the user model and to all models derived from it, now or later.

    The receivers are connected only to these senders. With a receiver for the deletions of every model,
    Django could no longer delete many rows with one statement anywhere in the project.
    """
    for model in apps.get_models():
        connect_model(sender=model)
    class_prepared.connect(connect_model, dispatch_uid="drf_tessera.prepared")


def connect_model(*, sender: type[Any], **kwargs: object) -> None:
    """Connect the receivers to one model, if the model is the user model or is derived from it."""
    if issubclass(sender, get_user_model()):
        pre_save.connect(compare_with_row, sender=sender, dispatch_uid="drf_tessera.compare")
        post_save.connect(end_after_save, sender=sender, dispatch_uid="drf_tessera.end")
        pre_delete.connect(end_before_delete, sender=sender, dispatch_uid="drf_tessera.delete")


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
    """Before a user is saved, note whether the save must end the user's sessions.

    The check costs one query, and only if ``password`` or ``is_active`` may change. The save of
    ``last_login`` at each login costs no query.
    """
    vars(instance).pop(_VERDICT, None)  # remove the note of an earlier save that failed
    if raw or instance._state.adding:
        return
    updated = kwargs.get("update_fields")
    if updated is not None and _WATCHED.isdisjoint(updated):
        return
    columns = _WATCHED.intersection(field.name for field in instance._meta.concrete_fields)
    rows = type(instance)._base_manager.using(using)
    before = rows.filter(pk=instance.pk).values(*columns).first() or {}
    setattr(instance, _VERDICT, _judge(instance, before, updated))


def end_after_save(*, instance: AbstractBaseUser, **kwargs: Any) -> None:
    """End the sessions after the save. In a transaction, either both happen or neither happens.

    Outside a transaction, Django has already committed the save. If the sessions cannot be ended after
    several attempts, the code that saved the user gets the error. That code must call
    :func:`drf_tessera.sessions.revoke_all`, because a second save would find no change.
    """
    reason = vars(instance).pop(_VERDICT, None)
    if reason is not None:
        sessions.revoke_all(instance, reason=reason)


def end_before_delete(*, instance: AbstractBaseUser, **kwargs: Any) -> None:
    """End the sessions of a user before its deletion. The revocations remain after the rows are deleted."""
    sessions.revoke_all(instance, reason=Reason.USER_DELETED)


def _judge(user: AbstractBaseUser, before: dict[str, Any], updated: Collection[str] | None) -> Reason | None:
    if before.get("is_active", False) and not user.is_active:
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
    if vars(user).get("_password", "never set") is not None or set(updated or ()) != {"password"}:
        return False
    return not _is_due(user.password) and (_checking.get() or _is_due(old))


def _is_due(encoded: str) -> bool:
    """Return whether Django would replace this hash. A text that is not a hash is always due."""
    try:
        hasher = identify_hasher(encoded)
    except ValueError:
        return True
    preferred = get_hasher()
    return hasher.algorithm != preferred.algorithm or preferred.must_update(encoded)

"""What ends sessions from outside: a changed password, a deactivation, a deletion.

Connected to the user model and to all that is derived from it: a proxy or a child of the user model
sends its own class as the sender, and must not slip by.

``QuerySet.update()`` sends no signal. A deactivation by it is still seen, because every refresh asks
after the user; after changing passwords by it, call :func:`drf_tessera.sessions.revoke_all`.
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
    """Connect the receivers to the user model and whatever is derived from it, now or later.

    To these senders alone: a receiver of every model's deletions would take Django's way of deleting
    many rows by one statement from the whole project.
    """
    for model in apps.get_models():
        connect_model(sender=model)
    class_prepared.connect(connect_model, dispatch_uid="drf_tessera.prepared")


def connect_model(*, sender: type[Any], **kwargs: object) -> None:
    """Connect the receivers to one model, if it is the user model or derived from it."""
    if issubclass(sender, get_user_model()):
        pre_save.connect(compare_with_row, sender=sender, dispatch_uid="drf_tessera.compare")
        post_save.connect(end_after_save, sender=sender, dispatch_uid="drf_tessera.end")
        pre_delete.connect(end_before_delete, sender=sender, dispatch_uid="drf_tessera.delete")


@contextmanager
def checking_password() -> Iterator[None]:
    """Say that a password is being checked: if a hash is written inside the block, it is a stronger one.

    Of two logins at once the second finds the hash of the first in the row, and not the weak one from
    which that could be told.
    """
    mark = _checking.set(True)
    try:
        yield
    finally:
        _checking.reset(mark)


def compare_with_row(*, instance: AbstractBaseUser, raw: bool, using: str, **kwargs: Any) -> None:
    """Note, before a user is saved, whether the save will take away what its sessions stand on.

    Costs one query, and only when ``password`` or ``is_active`` may change: the ``last_login`` of
    each login is not such a save.
    """
    vars(instance).pop(_VERDICT, None)  # of an earlier save that failed
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
    """End the sessions after the save; in a transaction both happen or neither does.

    Outside of one, Django has committed the save by now. If the sessions cannot be ended then, after
    several attempts, the error goes on to whoever saved, who calls
    :func:`drf_tessera.sessions.revoke_all`: a second save would find nothing changed.
    """
    reason = vars(instance).pop(_VERDICT, None)
    if reason is not None:
        sessions.revoke_all(instance, reason=reason)


def end_before_delete(*, instance: AbstractBaseUser, **kwargs: Any) -> None:
    """End the sessions of a user that is about to go; the rows go with it, the news does not."""
    sessions.revoke_all(instance, reason=Reason.USER_DELETED)


def _judge(user: AbstractBaseUser, before: dict[str, Any], updated: Collection[str] | None) -> Reason | None:
    if before.get("is_active", False) and not user.is_active:
        return Reason.USER_INACTIVE
    if "password" in before and before["password"] != user.password:
        if not is_password_usable(before["password"]) and not is_password_usable(user.password):
            return None  # none before and none now: only its random text differs
        return None if _is_upgrade(user, before["password"], updated) else Reason.PASSWORD_CHANGED
    return None


def _is_upgrade(user: AbstractBaseUser, old: str, updated: Collection[str] | None) -> bool:
    """Tell a stronger hash of the same password from another password.

    When Django checks a password and finds its hash weak, it sets the password, forgets the raw one
    (which leaves ``_password`` in the instance, as ``None``), and saves that one field. All of that has
    to be there, the new hash has to be one that Django would write now, and the old one due for it,
    unless it is known that a password is being checked.
    """
    if vars(user).get("_password", "never set") is not None or set(updated or ()) != {"password"}:
        return False
    return not _is_due(user.password) and (_checking.get() or _is_due(old))


def _is_due(encoded: str) -> bool:
    """Tell whether Django would hash this password anew; a password that is none is not up to date."""
    try:
        hasher = identify_hasher(encoded)
    except ValueError:
        return True
    preferred = get_hasher()
    return hasher.algorithm != preferred.algorithm or preferred.must_update(encoded)

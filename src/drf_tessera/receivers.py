"""What ends sessions from outside: a changed password, a deactivation, a deletion.

Connected to every model's signals and asked by ``isinstance``: a proxy or a child of the user model
sends its own class as the sender, and must not slip by.

``QuerySet.update()`` sends no signal. A deactivation by it is still seen, because every refresh asks
after the user; after changing passwords by it, call :func:`drf_tessera.sessions.revoke_all`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import get_hasher, identify_hasher
from django.db.models.signals import post_save, pre_delete, pre_save

from drf_tessera import sessions
from drf_tessera.sessions import Reason

_VERDICT: Final = "_tessera_end_sessions_for"
_WATCHED: Final = frozenset({"password", "is_active"})


def connect() -> None:
    """Connect the receivers; called once, when the app is ready."""
    pre_save.connect(compare_with_row, dispatch_uid="drf_tessera.compare")
    post_save.connect(end_after_save, dispatch_uid="drf_tessera.end")
    pre_delete.connect(end_before_delete, dispatch_uid="drf_tessera.delete")


def compare_with_row(*, instance: object, raw: bool, using: str, **kwargs: Any) -> None:
    """Note, before a user is saved, whether the save will take away what its sessions stand on.

    Costs one query, and only when ``password`` or ``is_active`` may change: the ``last_login`` of
    each login is not such a save.
    """
    if not isinstance(instance, get_user_model()):
        return
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


def end_after_save(*, instance: object, **kwargs: Any) -> None:
    """End the sessions in the transaction of the save itself: both happen or neither does."""
    if isinstance(instance, AbstractBaseUser):
        reason = vars(instance).pop(_VERDICT, None)
        if reason is not None:
            sessions.revoke_all(instance, reason=reason)


def end_before_delete(*, instance: object, **kwargs: Any) -> None:
    """End the sessions of a user that is about to go; the rows go with it, the news does not."""
    if isinstance(instance, get_user_model()):
        sessions.revoke_all(instance, reason=Reason.USER_DELETED)


def _judge(user: AbstractBaseUser, before: dict[str, Any], updated: Collection[str] | None) -> Reason | None:
    if before.get("is_active", False) and not user.is_active:
        return Reason.USER_INACTIVE
    if "password" in before and before["password"] != user.password:
        return None if _is_upgrade(user, before["password"], updated) else Reason.PASSWORD_CHANGED
    return None


def _is_upgrade(user: AbstractBaseUser, old: str, updated: Collection[str] | None) -> bool:
    """Tell a stronger hash of the same password from another password.

    Django re-hashes at a login: it saves the field ``password`` alone, remembers no raw password,
    and does it only where the old hash was due.
    """
    if getattr(user, "_password", None) is not None or set(updated or ()) != {"password"}:
        return False
    try:
        hasher = identify_hasher(old)
    except ValueError:
        return False
    preferred = get_hasher()
    return hasher.algorithm != preferred.algorithm or preferred.must_update(old)

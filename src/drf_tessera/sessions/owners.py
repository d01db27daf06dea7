"""The user of a session: whether the user may log in, and has not changed since the password was checked."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils.functional import LazyObject

from drf_tessera.database import find_database
from drf_tessera.exceptions import PasswordChanged, Refusal, UserGone, UserInactive
from drf_tessera.models import Session, active_users
from drf_tessera.users import is_active, select_users


def attach_active_user(session: Session) -> bool:
    """Load the user of a session, and return whether the user is active."""
    user = select_users().filter(pk=session.user_id).first()
    if user is None:
        return False
    session.user = user
    return is_active(user)


def select_unchanged(user: Any) -> QuerySet[Any]:
    """Select the user's row if the user is active and the password is still that of ``user``."""
    rows = active_users().using(find_database()).filter(pk=user.pk)
    known = vars(_unwrap(user)).get("password")
    # A user model may have no such column (password = None).
    stored = any(field.attname == "password" for field in rows.model._meta.concrete_fields)
    return rows if known is None or not stored else rows.filter(password=known)


def explain_user(user: Any) -> Refusal:
    """Return the reason why the row of a user was not selected by :func:`select_unchanged`."""
    if not get_user_model()._default_manager.using(find_database()).filter(pk=user.pk).exists():
        return UserGone()
    user = select_users().filter(pk=user.pk).first()
    return PasswordChanged() if user is not None and is_active(user) else UserInactive()


def _unwrap(user: Any) -> Any:
    """Return the user inside ``request.user``, which Django wraps until it is used."""
    if isinstance(user, LazyObject):
        bool(user)
        return user._wrapped  # noqa: SLF001 - Django has no public name for the object inside a LazyObject
    return user

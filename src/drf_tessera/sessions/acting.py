"""Act as another person for some minutes (RFC 8693)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from drf_tessera import signals
from drf_tessera.conf import Lifetimes
from drf_tessera.exceptions import ProjectError
from drf_tessera.models import ACTOR_LENGTH, SessionQuerySet
from drf_tessera.sessions import rows
from drf_tessera.sessions.grants import Grant
from drf_tessera.sessions.reasons import Reason
from drf_tessera.sessions.starting import Client, start
from drf_tessera.users import write_sub

MOST_MINUTES: Final = 60
"""The longest time for which somebody acts as another person."""


@sensitive_variables()
def impersonate(
    actor: AbstractBaseUser,
    user: AbstractBaseUser,
    minutes: int,
    *,
    client: Client | None = None,
    scope: str = "",
    transport: str | None = None,
    now: datetime | None = None,
) -> Grant:
    """Start a session of ``user`` in which ``actor`` acts, for ``minutes`` and no longer.

    Its access tokens have ``act``, so views can tell. Such a token changes no password, no factor and no
    session where :class:`~drf_tessera.rest.permissions.NotImpersonated` stands, as on our own views. Both
    people see the session in their list, and it is in the audit trail. ``amr`` is empty, because the user has
    proved nothing. The caller checks first whether ``actor`` may do this: Django's permission for it is
    ``tessera.impersonate``.

    Args:
        actor: the person who acts.
        user: the person whom the session belongs to.
        minutes: how long, at most 60. A refresh does not extend it.
        client: where the actor is.
        scope: see :func:`drf_tessera.sessions.start`.
        transport: see there.
        now: see there.

    Raises:
        PermissionDenied: both are the same person, or ``user`` is a superuser and ``actor`` is not.
        ProjectError: ``minutes`` is out of range.
        UserGone, UserInactive, TransportUnavailable and others: see :func:`drf_tessera.sessions.start`.
    """
    if not 1 <= minutes <= MOST_MINUTES:
        raise ProjectError(f"impersonate() needs 1 to {MOST_MINUTES} minutes, and not {minutes}.")
    sub = write_sub(actor.pk)
    if len(sub) > ACTOR_LENGTH:
        raise ProjectError(f"The primary key of the actor has more than {ACTOR_LENGTH} characters.")
    if actor.pk == user.pk or (_is_superuser(user) and not _is_superuser(actor)):
        raise PermissionDenied(_("This person cannot act as that one."))
    while_acting = timedelta(minutes=minutes)
    grant = start(
        user,
        client=client,
        amr=(),
        scope=scope,
        transport=transport,
        claims={"act": {"sub": sub}},
        lifetimes=Lifetimes(idle=while_acting, absolute=while_acting),
        persistent=False,
        now=now,
    )
    rows.report(signals.session_impersonated, session_id=grant.session_id, sub=grant.sub, actor=sub)
    return grant


def _is_superuser(user: Any) -> bool:
    return bool(getattr(user, "is_superuser", False))


def acting_sessions(actor: AbstractBaseUser, *, now: datetime | None = None) -> SessionQuerySet:
    """Select the live sessions in which a person acts as others, the latest first."""
    live = rows.select_sessions().live(now or timezone.now())
    return live.filter(actor=write_sub(actor.pk)).order_by("-created_at", "-pk")


def stop_acting(actor: AbstractBaseUser, session_id: UUID) -> bool:
    """End a session in which ``actor`` acts as somebody. Return whether it was live."""
    which = rows.select_sessions().filter(pk=session_id, actor=write_sub(actor.pk))
    return bool(rows.end(which, timezone.now(), Reason.LOGOUT))

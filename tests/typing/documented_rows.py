"""The columns of sessions, as a project with stubs for Django reads them. No cast is needed.

Without stubs a type checker does not know the columns of any model.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_type
from uuid import UUID

from django.contrib.auth.models import User

from drf_tessera import sessions
from drf_tessera.models import Session


def list_logins(user: User) -> list[tuple[UUID, datetime, datetime | None, str]]:
    found = sessions.live_sessions(user.pk).filter(ip__isnull=False)
    return [(row.id, row.created_at, row.rotated_at, row.label) for row in found]


def find_logins(user: User) -> int:
    return Session.objects.filter(user=user, revoked_at__isnull=True).count()


def add_claims(user: User, session: Session) -> dict[str, str]:
    assert_type(session.last_used_at, datetime)
    return {"login": session.created_at.isoformat(), "device": session.label, "user": str(session.user_id)}

"""Sessions that other code ends."""

from __future__ import annotations

from django.contrib.auth import get_user_model

from benchmarks.inside import database
from drf_tessera import sessions


def prepare(*, count: int) -> list[dict[str, str]]:
    """Create a database with ``count`` sessions of as many users. Return the tokens of the sessions."""
    database.create(users=count)
    grants = [sessions.start(user) for user in get_user_model().objects.all()]
    return [{"access": grant.access, "refresh": grant.refresh or ""} for grant in grants]

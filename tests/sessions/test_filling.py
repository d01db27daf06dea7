"""The rows that the benchmarks add by SQL fit the tables of today."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from benchmarks.inside import database, feed, filling, updates
from drf_tessera.models import Revocation, Session, SessionQuerySet

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("these benchmarks use PostgreSQL")


@pytest.mark.parametrize(
    ("changes", "rows", "parameters", "generation"),
    [(filling._TESSERA, filling._MOMENTS, (1, 0, 1, 3), 12), (updates._OWNERS, updates._MOMENTS, (3,), 0)],
)
def test_a_login_is_multiplied(
    django_user_model: Any, changes: dict[str, str], rows: str, parameters: tuple[int, ...], generation: int
) -> None:
    database.add_users(1000 if changes is updates._OWNERS else 1)
    filling.multiply_login(changes, rows, *parameters)
    found = list(SessionQuerySet(Session).live(timezone.now()))
    assert len(found) == len({session.pk for session in found}) == 3
    assert len({bytes(session.secret_hash) for session in found}) == 3
    for session in found:
        assert (session.generation, session.device) == (generation, "Chrome on Windows")
        assert not session.personal


def test_notices_are_added() -> None:
    database.run(feed._FILL, 3)
    assert Revocation.objects.count() == 3

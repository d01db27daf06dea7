"""The number of bytes of a user, after any number of refreshes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from benchmarks.inside import database, filling
from benchmarks.project.scheme import read_scheme

_TOKEN: list[str] = []
_DONE: list[int] = [0]


def begin() -> None:
    """Create a database with one user who has logged in."""
    database.create(users=1)
    user = get_user_model().objects.get()
    _DONE[0] = 0
    if read_scheme() == "tessera":
        from drf_tessera import sessions

        grant = sessions.start(user, client=sessions.Client(ip="203.0.113.7", user_agent=filling.USER_AGENT))
        _TOKEN[:] = [grant.refresh or ""]
    else:
        from rest_framework_simplejwt.tokens import RefreshToken

        _TOKEN[:] = [str(RefreshToken.for_user(user))]
    database.forget_durability()


def refresh(*, total: int) -> dict[str, Any]:
    """Refresh until ``total`` refreshes are done. Return the number of rows and bytes after that."""
    step = _refresh_tessera if read_scheme() == "tessera" else _refresh_simplejwt
    while _DONE[0] < total:
        _DONE[0] += 1
        step(_DONE[0])
    tables = filling.list_tables()
    rows = {name: database.run(f"SELECT count(*) FROM {name}")[0][0] for name in tables}
    stored = sum(
        database.run(f"SELECT coalesce(sum(pg_column_size(it.*)), 0) FROM {name} it")[0][0] for name in tables
    )
    database.run("VACUUM")
    return {"rows": sum(rows.values()), "bytes": int(stored), "disk": sum(filling.measure_size().values())}


def fill(*, rows: int, user_agent: str | None) -> dict[str, Any]:
    """Create a database with ``rows`` rows. Return the bytes of its tables with their indexes."""
    database.create(users=1000)
    agent = filling.USER_AGENT if user_agent is None else user_agent
    filling.fill(rows=rows, live=0, user_agent=agent)
    return {"tables": filling.measure_size(), "indexes": filling.measure_indexes()}


def _refresh_tessera(number: int) -> None:
    """Refresh as if a minute had passed each time: after the grace window, and within the session's life."""
    from drf_tessera import sessions

    grant = sessions.refresh(_TOKEN[0], now=timezone.now() + timedelta(minutes=number))
    _TOKEN[0] = grant.refresh or ""


def _refresh_simplejwt(number: int) -> None:
    from rest_framework_simplejwt.serializers import TokenRefreshSerializer

    serializer = TokenRefreshSerializer(data={"refresh": _TOKEN[0]})
    serializer.is_valid(raise_exception=True)
    _TOKEN[0] = serializer.validated_data["refresh"]

"""The table of sessions while its rows are refreshed for an hour."""

from __future__ import annotations

import random
from typing import Any, Final

from django.contrib.auth import get_user_model

from benchmarks.inside import database, filling
from drf_tessera import sessions

TABLE: Final = "tessera_session"
BATCH: Final = 100
"""Refreshes in one transaction. In a service each is one, but this measures pages and not commits."""

_OWNERS: Final = {"user_id": "(SELECT min(id) FROM auth_user) + number %% 1000"}
_MOMENTS: Final = """
SELECT number, now() - random() * interval '1 day' AS moment FROM generate_series(1, %s) AS number
"""
_REFRESH: Final = """
UPDATE tessera_session
SET generation = generation + 1, parent = generation, recoveries = 0, rotated_at = clock_timestamp(),
    idle_expires_at = clock_timestamp() + interval '14 days'
WHERE id = ANY(%s)
"""
"""The columns that a refresh writes."""


def prepare() -> None:
    """Create a database in which autovacuum has nothing to do.

    An hour takes seconds here, so an ANALYZE of any table, which takes a part of a second, would keep dead
    rows alive for minutes of this hour.
    """
    database.create(users=1000)
    for (name,) in database.run("SELECT relname FROM pg_stat_user_tables"):
        database.run(f"ALTER TABLE {name} SET (autovacuum_enabled = false)")
    database.run("VACUUM ANALYZE")


def refresh_by_view(*, count: int) -> dict[str, int]:
    """Refresh ``count`` sessions as the endpoint does. Return the number of updates and of HOT updates.

    This shows that :func:`measure` updates the columns that a refresh updates.
    """
    users = list(get_user_model().objects.order_by("pk"))
    tokens = [sessions.start(users[index % len(users)]).refresh for index in range(count)]
    database.run(f"VACUUM ANALYZE {TABLE}")
    _reset()
    for token in tokens:
        sessions.refresh(token or "")
    return _read_counts()


def measure(*, rows: int, rounds: int, fill_factor: int, vacuum: bool) -> dict[str, Any]:
    """Refresh each of ``rows`` sessions ``rounds`` times, in random order. Return the sizes and the counts.

    The table is vacuumed by the rule of autovacuum, and not by autovacuum itself, which looks once a minute
    and would not see an hour that takes seconds here.

    Args:
        rows: the number of sessions.
        rounds: the refreshes of each session. In an hour, with a refresh in five minutes, there are 12.
        fill_factor: the fill factor of the table.
        vacuum: whether the table is vacuumed.
    """
    database.forget_durability()
    database.run(f"TRUNCATE {TABLE}")
    database.run(f"ALTER TABLE {TABLE} SET (fillfactor = {fill_factor}, autovacuum_enabled = false)")
    filling.multiply_login(_OWNERS, _MOMENTS, rows)
    database.run(f"VACUUM ANALYZE {TABLE}")
    before = _measure_sizes()
    _reset()
    keys = [row[0] for row in database.run(f"SELECT id FROM {TABLE}")]
    minute = max(BATCH, len(keys) * rounds // 60 // BATCH * BATCH)
    limit = _find_limit(rows)
    done = vacuums = 0
    for _ in range(rounds):
        random.shuffle(keys)
        for start in range(0, len(keys), BATCH):
            database.run(_REFRESH, keys[start : start + BATCH])
            done += BATCH
            if vacuum and done % minute == 0 and _count_dead() > limit:
                database.run(f"VACUUM {TABLE}")
                vacuums += 1
    return {"before": before, "after": _measure_sizes(), "vacuums": vacuums, **_read_counts()}


def _find_limit(rows: int) -> float:
    """Return the number of dead rows from which autovacuum would vacuum the table."""
    least, share = (
        float(database.run(f"SHOW autovacuum_vacuum_{name}")[0][0]) for name in ("threshold", "scale_factor")
    )
    return least + share * rows


def _measure_sizes() -> dict[str, int]:
    heap, indexes = database.run(f"SELECT pg_table_size('{TABLE}'), pg_indexes_size('{TABLE}')")[0]
    return {"table": heap, "indexes": indexes}


def _reset() -> None:
    database.run(
        f"SELECT pg_stat_force_next_flush(), pg_stat_reset_single_table_counters('{TABLE}'::regclass)"
    )


def _read_counts() -> dict[str, int]:
    found = _read("tuples_updated", "tuples_hot_updated", "dead_tuples")
    return dict(zip(("updates", "hot", "dead"), found, strict=True))


def _count_dead() -> int:
    return _read("dead_tuples")[0]


def _read(*names: str) -> tuple[int, ...]:
    """Return statistics of the table. Without a request PostgreSQL would write them a second later."""
    database.run("SELECT pg_stat_force_next_flush()")
    columns = ", ".join(f"pg_stat_get_{name}('{TABLE}'::regclass)" for name in names)
    return tuple(map(int, database.run(f"SELECT {columns}")[0]))

"""Tables with as many rows as a service has after some time.

The database itself creates most rows. The peer's own code creates a few rows between them, at even distances.
The later refreshes use only these few rows, which are spread over the whole table and its indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import DatabaseError

from benchmarks.inside import database
from benchmarks.project.scheme import read_scheme

CHUNKS: Final = 20
USER_AGENT: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
    " Safari/537.36"
)
"""The user agent of a browser, with 111 characters."""

_TESSERA: Final = {
    "user_id": "(SELECT min(id) FROM auth_user) + number %% %s",
    "rotated_at": "moment + interval '1 hour'",
    "generation": "12",
    "parent": "11",
}
"""The columns of a session that was refreshed, where they differ from those of a login."""
_MOMENTS: Final = """
SELECT number, now() - %s * interval '1 day' - random() * interval '1 day' AS moment
FROM generate_series(%s, %s) AS number
"""
_LOGIN: Final = {
    "id": "gen_random_uuid()",
    "created_at": "moment",
    "idle_expires_at": "moment + interval '14 days'",
    "expires_at": "moment + interval '90 days'",
    "secret_hash": "decode(md5(number::text), 'hex')",
    "ip": "'203.0.113.7'",
}
"""The columns that differ between two logins."""
_SIMPLEJWT: Final = """
WITH outstanding AS (
    INSERT INTO token_blacklist_outstandingtoken (user_id, jti, token, created_at, expires_at)
    SELECT
        (SELECT min(id) FROM auth_user) + number %% %s, md5(random()::text || number), token, moment,
        moment + interval '1 day'
    FROM (
        SELECT number, %s || md5(random()::text || number) AS token,
            now() - %s * interval '1 day' - random() * interval '1 hour' AS moment
        FROM generate_series(%s, %s) AS number
    ) AS rows
    RETURNING id, created_at
)
INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at)
SELECT id, created_at FROM outstanding
"""
"""The rows of an earlier refresh: the used token, and its entry on the blacklist."""


def fill(
    *, rows: int, live: int, age: int = 0, user_agent: str = USER_AGENT, offset: int = 0
) -> list[list[str]]:
    """Add ``rows`` rows that are ``age`` days old. Return ``live`` refresh tokens and the keys of their rows.

    Args:
        rows: the number of rows that the database creates.
        live: the number of rows that the peer creates, by logins of users.
        age: in days. A token of simplejwt lives one day. A session of drf-tessera lives 14 days without a
            refresh.
        user_agent: the user agent of the logins whose rows the database creates.
        offset: the number of rows that already exist.
    """
    database.forget_durability()
    users = list(get_user_model().objects.order_by("pk"))
    tokens: list[list[str]] = []
    for chunk in range(CHUNKS):
        first, last = rows * chunk // CHUNKS, rows * (chunk + 1) // CHUNKS
        _add(len(users), age, user_agent, offset + first + 1, offset + last)
        wanted = live * (chunk + 1) // CHUNKS - live * chunk // CHUNKS
        start = _LOGINS[read_scheme()]
        tokens += [start(users[(len(tokens) + index) % len(users)]) for index in range(wanted)]
    database.run("VACUUM ANALYZE")
    database.run("SET synchronous_commit = on")
    with suppress(DatabaseError):  # not every role may; it writes the rows to the disk now
        database.run("CHECKPOINT")
    return tokens


def measure_size() -> dict[str, int]:
    """Return the bytes of each table of the peer, with its indexes."""
    return _ask_size("pg_total_relation_size")


def measure_indexes() -> dict[str, int]:
    """Return the bytes of the indexes alone."""
    return _ask_size("pg_indexes_size")


def count_deleted() -> int:
    """Return the number of deleted rows, from the server's statistics. It is approximate and a second old."""
    names = list(list_tables())
    found = database.run(
        "SELECT sum(n_tup_del) FROM pg_stat_user_tables WHERE relname = ANY(%s)",
        names,
    )
    return int(found[0][0] or 0)


def list_tables() -> tuple[str, ...]:
    """Return the names of the tables that hold the peer's sessions or tokens."""
    return _TABLES[read_scheme()]


def _ask_size(function: str) -> dict[str, int]:
    return {name: database.run(f"SELECT {function}(%s::regclass)", name)[0][0] for name in list_tables()}


def count_rows() -> int:
    """Return the number of rows in the peer's tables."""
    return sum(database.run(f"SELECT count(*) FROM {name}")[0][0] for name in list_tables())


def _add(users: int, age: int, user_agent: str, first: int, last: int) -> None:
    if read_scheme() == "tessera":
        multiply_login(_TESSERA, _MOMENTS, users, age, first, last, user_agent=user_agent)
        return
    from rest_framework_simplejwt.tokens import RefreshToken

    sample = str(RefreshToken.for_user(get_user_model().objects.order_by("pk")[0]))
    database.run(_SIMPLEJWT, users, sample[:-32], age, first, last)


def multiply_login(
    changes: Mapping[str, str], rows: str, *parameters: Any, user_agent: str = USER_AGENT
) -> None:
    """Add sessions like one that a login makes now. A new column gets the value that a login gives it.

    Args:
        changes: the expressions of other columns, beside those that differ between two logins.
        rows: a query that yields ``number`` and ``moment`` for each session.
        parameters: the parameters of ``changes``, and then those of ``rows``.
        user_agent: the user agent of the login.
    """
    from drf_tessera import sessions
    from drf_tessera.models import Session

    user = get_user_model().objects.order_by("pk")[0]
    grant = sessions.start(user, client=sessions.Client(user_agent=user_agent))
    names = [str(field.column) for field in Session._meta.concrete_fields]  # a concrete field has a column
    values = {name: f"login.{name}" for name in names} | _LOGIN | dict(changes)
    database.run(
        f"INSERT INTO {Session._meta.db_table} ({', '.join(names)})"
        f" SELECT {', '.join(values[name] for name in names)}"
        f" FROM {Session._meta.db_table} AS login, ({rows}) AS rows WHERE login.id = %s",
        *parameters,
        grant.session_id,
    )
    Session.objects.filter(pk=grant.session_id).delete()


def _start_tessera(user: Any) -> list[str]:
    from drf_tessera import sessions

    grant = sessions.start(user)
    return [grant.refresh or "", str(grant.session_id)]


def _start_simplejwt(user: Any) -> list[str]:
    from rest_framework_simplejwt.tokens import RefreshToken

    return [str(RefreshToken.for_user(user)), ""]


_LOGINS: Final[dict[str, Callable[[Any], list[str]]]] = {
    "tessera": _start_tessera,
    "simplejwt-blacklist": _start_simplejwt,
}
_TABLES: Final = {
    "tessera": ("tessera_session", "tessera_revocation"),
    "simplejwt-blacklist": ("token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken"),
}

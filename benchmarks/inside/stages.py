"""The stages of a refresh. Each stage is timed separately, in the same rounds."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils import timezone

from benchmarks.inside import application, database, refresh
from drf_tessera import rotation, sessions
from drf_tessera.conf import get_settings
from drf_tessera.models import Session, active_users
from drf_tessera.sessions import rows
from drf_tessera.sessions.clock import choose_moment, find_times
from drf_tessera.tokens import RefreshToken, mint_access_token, read_refresh_token, write_refresh_token

Stage = Callable[[str], float]

LEAD: Final = 3
"""The number of runs of each stage that are not timed, because the stage before has left cold caches."""
BATCH: Final = 8


def measure(*, rows: int, rounds: int) -> dict[str, float]:
    """Return the median microseconds of each stage. Each stage gets its own sessions in each round."""
    stages: dict[str, Stage] = {
        "the view, whole": _time_view,
        "sessions.refresh()": _time_flow,
        "read a refresh token, write one, mint an access token": _time_tokens,
        "sessions.rows.swap()": _time_swap,
        "its statement alone": _time_statement,
        "the same with EXISTS": _time_with_exists,
        "the same without asking after the user": _time_without_user,
        "a keyed UPDATE of the ORM": _time_orm,
    }
    refresh.prepare(rows=rows, users=1000, live=rounds * (LEAD + BATCH) * len(stages) + 200)
    found: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(rounds):
        for name in random.sample(list(stages), len(stages)):
            spent = [stages[name](refresh._tokens.pop()[0]) for _ in range(LEAD + BATCH)]
            found[name] += spent[LEAD:]
    database.drop()
    return {name: statistics.median(times) * 1e6 for name, times in found.items()}


def _time_view(text: str) -> float:
    return application.spend([application.prepare_post(refresh.PATH, {"refresh": text})])


def _time_flow(text: str) -> float:
    begun = time.perf_counter()
    sessions.refresh(text)
    return time.perf_counter() - begun


def _time_tokens(text: str) -> float:
    begun = time.perf_counter()
    token = read_refresh_token(text)
    write_refresh_token(token.facts, token.generation + 1, token.secret)
    mint_access_token(token.facts, {}, timezone.now())
    return time.perf_counter() - begun


def _time_swap(text: str) -> float:
    token, settings, now = read_refresh_token(text), get_settings(), timezone.now()
    position = rotation.rotate(token.generation, now)
    begun = time.perf_counter()
    rows.swap(token, position, None, settings.refresh_grace, settings.session_idle_lifetime)
    return time.perf_counter() - begun


def _prepare(token: RefreshToken) -> tuple[str, list[Any]]:
    """Return the statement that a refresh sends for this token, and its parameters."""
    now, settings = choose_moment(None), get_settings()
    statement = rows._compile_swap("default", get_user_model(), now is None)
    if statement is None:
        raise RuntimeError("The statement cannot be compiled once here.")
    values = {
        "id": token.facts.session_id,
        "secret_hash": token.secret_hash,
        "seen": token.generation,
        "generation": token.generation + 1,
        "parent": token.generation,
        **find_times(now, settings.refresh_grace, settings.session_idle_lifetime)._asdict(),
    }
    ready = {
        name: field.get_db_prep_value(values[name], connection) for name, field in statement.fields.items()
    }
    return statement.sql, [constant if name is None else ready[name] for name, constant in statement.places]


def _execute(sql: str, parameters: list[Any]) -> float:
    with connection.cursor() as cursor:
        begun = time.perf_counter()
        cursor.execute(sql, parameters)
        spent = time.perf_counter() - begun
        if cursor.rowcount != 1:
            raise RuntimeError("The statement changed no row.")
        return spent


def _time_statement(text: str) -> float:
    return _execute(*_prepare(read_refresh_token(text)))


def _time_with_exists(text: str) -> float:
    sql, parameters = _prepare(read_refresh_token(text))
    asked = Session.objects.filter(Exists(active_users().filter(pk=OuterRef("user_id"))))
    exists = str(asked.query).partition(" WHERE ")[2]
    return _execute(*_replace_question(sql, parameters, exists))


def _time_without_user(text: str) -> float:
    return _execute(*_replace_question(*_prepare(read_refresh_token(text)), "TRUE"))


def _replace_question(sql: str, parameters: list[Any], instead: str) -> tuple[str, list[Any]]:
    """Replace the sub-select for the user by another condition."""
    head, _, rest = sql.partition("(SELECT ")
    inside, _, tail = rest.partition(") IS NOT NULL")
    before, count = head.count("%s"), inside.count("%s")
    return f"{head}{instead}{tail}", [*parameters[:before], *parameters[before + count :]]


def _time_orm(text: str) -> float:
    token, now = read_refresh_token(text), timezone.now()
    begun = time.perf_counter()
    Session.objects.filter(pk=token.facts.session_id).update(rotated_at=now, idle_expires_at=now)
    return time.perf_counter() - begun

"""`python -m benchmarks.stages` times the statement of a refresh, and two that differ from it in one part."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from drf_tessera import sessions
from drf_tessera.models import Session
from drf_tessera.tokens import read_refresh_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def stages() -> Any:
    return import_module("benchmarks.inside.stages")


def test_the_statement_of_the_stages_is_the_one_of_a_refresh(stages: Any, anna: Any) -> None:
    text = sessions.start(anna).refresh or ""
    sent: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        sessions.refresh(text)
    assert stages._prepare(read_refresh_token(text))[0] in sent


def test_the_other_statements_differ_only_in_the_question_for_the_user(stages: Any, anna: Any) -> None:
    sql, parameters = stages._prepare(read_refresh_token(sessions.start(anna).refresh or ""))
    shorter, fewer = stages._replace_question(sql, parameters, "TRUE")
    assert "SELECT" in sql
    assert "SELECT" not in shorter
    assert sql.count("%s") == len(parameters)
    assert shorter.count("%s") == len(fewer)
    kept, whole = ({*re.findall(r"\w+", it.partition(" WHERE ")[2])} for it in (shorter, sql))
    columns = {field.column for field in Session._meta.concrete_fields}
    assert columns & whole - {"user_id", "id"} <= kept

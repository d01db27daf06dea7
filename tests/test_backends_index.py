"""A login by e-mail is one statement, and the index that check W012 advises serves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.db import connection, models
from django.db.models.functions import Lower, Upper

from drf_tessera.checks import users

ROWS = 5_000
SERVED = {"postgresql": "Bitmap Index Scan on by_email", "mysql": "by_email"}
ADVISED = {
    "postgresql": models.Index(Upper("email"), name="by_email"),
    "mysql": models.Index(fields=["email"], name="by_email"),
}
USELESS = [models.Index(Lower("email"), name="by_email"), models.Index(fields=["email"], name="by_email")]

by_address = pytest.mark.parametrize(
    "given", [{"email": "USER77@example.COM"}, {"username": "USER77@example.COM"}], ids=["email", "username"]
)
with_a_planner = pytest.mark.skipif(connection.vendor not in SERVED, reason="the plans of servers are read")
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="there UPPER() needs an index")


@contextmanager
def indexed(index: models.Index) -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.add_index(get_user_model(), index)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.remove_index(get_user_model(), index)


@pytest.fixture
def many(transactional_db: None) -> None:
    model: Any = get_user_model()
    if connection.vendor == "postgresql":
        # Another test may have left old versions of an updated row. PostgreSQL does not use an index that was
        # created beside them, as long as a transaction goes on that is as old, in any database of the server.
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {model._meta.db_table} CASCADE")
    model._default_manager.bulk_create(
        model(username=f"user{index}", email=f"User{index}@Example.com", password="x")
        for index in range(ROWS)
    )
    with connection.cursor() as cursor:
        cursor.execute({"postgresql": "ANALYZE auth_user"}.get(connection.vendor, "ANALYZE TABLE auth_user"))
        cursor.fetchall() if cursor.description else None


def explain(**credentials: str) -> str:
    """Return the plan of the one statement that finds the user of some credentials."""
    statements: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert authenticate(None, **credentials) is None
    ((sql, params),) = statements
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(str(row) for row in cursor.fetchall())


@with_a_planner
@by_address
def test_the_advised_index_serves_a_login_by_address(many: None, given: dict[str, str]) -> None:
    assert SERVED[connection.vendor] not in explain(**given, password="wrong")
    with indexed(ADVISED[connection.vendor]):
        plan = explain(**given, password="wrong")
    assert SERVED[connection.vendor] in plan
    assert "Seq Scan" not in plan


@on_postgresql
@pytest.mark.parametrize("index", USELESS, ids=["Lower", "the column"])
@by_address
def test_an_index_that_looks_as_good_does_not_serve_it(
    many: None, given: dict[str, str], index: models.Index
) -> None:
    with indexed(index):
        assert "Seq Scan" in explain(**given, password="wrong")


@with_a_planner
def test_a_login_by_name_needs_no_more_than_the_index_of_the_name(many: None) -> None:
    plan = explain(username="user77", password="wrong")
    assert {"postgresql": "Index Scan", "mysql": "const"}[connection.vendor] in plan


class TestCheck:
    """W012, for the operators of each database."""

    @pytest.fixture(params=["upper", "like"])
    def kind(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        operator = {"upper": "= UPPER(%s)", "like": "LIKE %s"}[request.param]
        monkeypatch.setitem(connection.operators, "iexact", operator)
        monkeypatch.setattr(connection, "vendor", {"upper": "postgresql", "like": "mysql"}[request.param])
        kind: str = request.param
        return kind

    def test_without_an_index(self, kind: str) -> None:
        (found,) = users.check_email_has_index(None)
        assert found.id == "tessera.W012"
        assert ("Upper" in str(found.hint)) == (kind == "upper")

    @pytest.mark.parametrize(
        ("where", "index", "serves"),
        [
            ("indexes", models.Index(Upper("email"), name="x"), "upper"),
            ("indexes", models.Index(Upper("email").desc(), name="x"), "upper"),
            ("indexes", models.Index(Lower("email"), name="x"), ""),
            ("indexes", models.Index(Upper("username"), name="x"), ""),
            ("indexes", models.Index(Upper("email"), name="x", condition=models.Q(is_active=True)), ""),
            ("indexes", models.Index(fields=["email"], name="x"), "like"),
            ("indexes", models.Index(fields=["username", "email"], name="x"), ""),
            ("constraints", models.UniqueConstraint(Upper("email"), name="x"), "upper"),
            ("constraints", models.UniqueConstraint(fields=["email"], name="x"), "like"),
        ],
        ids=str,
    )
    def test_an_index(
        self, kind: str, monkeypatch: pytest.MonkeyPatch, where: str, index: Any, serves: str
    ) -> None:
        monkeypatch.setattr(get_user_model()._meta, where, [index])
        assert bool(users.check_email_has_index(None)) == (serves != kind)

    @pytest.mark.parametrize("attribute", ["unique", "db_index"])
    def test_a_column_with_an_index(self, kind: str, monkeypatch: pytest.MonkeyPatch, attribute: str) -> None:
        monkeypatch.setitem(vars(get_user_model()._meta.get_field("email")), attribute, True)
        assert bool(users.check_email_has_index(None)) == (kind == "upper")

    def test_a_project_without_login_by_address(self, kind: str, settings: Any) -> None:
        settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
        assert users.check_email_has_index(None) == []

    def test_sqlite_can_use_no_index(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connection.operators, "iexact", "LIKE %s ESCAPE '\\'")
        monkeypatch.setattr(connection, "vendor", "sqlite")
        assert users.check_email_has_index(None) == []

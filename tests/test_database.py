"""An action after the end of a transaction runs once, also beside other packages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction

from drf_tessera import database


@pytest.mark.django_db
def test_a_transaction_without_a_savepoint_ends_with_the_test() -> None:
    called: list[int] = []
    with transaction.atomic(savepoint=False):
        database.after_transaction(lambda: called.append(1))
    assert called == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("kept", "times"), [(True, 2), (False, 1)])
def test_a_read_is_repeated_only_if_a_kept_connection_may_have_died(*, kept: bool, times: int) -> None:
    """A pool without a connection to spare would let the repetition wait for as long again."""
    called: list[int] = []

    def read() -> None:
        called.append(1)
        raise OperationalError("couldn't get a connection after 30.00 sec")

    connections["default"].ensure_connection() if kept else connections["default"].close()
    with pytest.raises(OperationalError):
        database.read_calmly(read)
    assert len(called) == times


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A pool in the place of the connection's own, which records each check of its connections."""
    found: list[int] = []
    connection = connections["default"]
    if connection.vendor == "postgresql":
        pytest.skip("its pool is a property; tests/outages/test_pool.py has a real one")
    monkeypatch.setattr(database, "_is_pooled", lambda connection: True)
    pool = SimpleNamespace(check=lambda: found.append(1), closed=False)
    monkeypatch.setitem(vars(connection), "pool", pool)
    return found


GONE = "server closed the connection unexpectedly"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("repeat", [database.read_calmly, database.outlive_restart])
def test_a_dead_connection_of_a_pool_is_replaced_by_one_from_elsewhere(
    repeat: Any, checked: list[int]
) -> None:
    """The next connection of the pool may be dead too. So the pool is checked, when the server is back."""
    ours, used = connections["default"], []

    def act() -> str:
        used.append(connections["default"])
        connections["default"].ensure_connection()
        if len(used) == 1:
            raise lost(GONE)
        assert checked == []
        return "done"

    ours.close()
    assert repeat(act) == "done"
    assert connections["default"] is ours
    assert used[0] is ours
    assert used[1] is not ours
    assert used[1].connection is None
    assert checked == [1]


@pytest.mark.django_db(transaction=True)
def test_a_pool_that_somebody_has_closed_does_not_spoil_what_is_done(
    checked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django makes another pool at the next use, and psycopg cannot check one that is not open."""
    found: Any = pytest.importorskip("psycopg_pool")
    called: list[int] = []

    def act() -> str:
        called.append(1)
        if len(called) == 1:
            raise lost(GONE)
        return "done"

    connections["default"].close()
    pool = found.ConnectionPool("host=127.0.0.1 port=1", min_size=1, max_size=2, open=False)
    monkeypatch.setitem(vars(connections["default"]), "pool", pool)
    assert database.outlive_restart(act) == "done"
    assert (len(called), checked) == (2, [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("repeat", [database.read_calmly, database.outlive_restart])
@pytest.mark.parametrize(("text", "times"), [("couldn't get a connection after 2.00 sec", 1), (GONE, 2)])
def test_nothing_waits_twice_for_a_pool(repeat: Any, checked: list[int], text: str, times: int) -> None:
    """Neither if it has no connection to spare, nor if the server is still away."""
    used: list[int] = []

    def fail() -> None:
        used.append(1)
        raise lost(text)

    connections["default"].close()
    with pytest.raises(OperationalError, match=text):
        repeat(fail)
    assert (len(used), checked) == (times, [])


def lost(text: str) -> OperationalError:
    """Return the error of a connection to PostgreSQL, as Django raises it."""
    error = OperationalError(text)
    error.__cause__ = type("Cause", (Exception,), {"sqlstate": None})()
    return error


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("checks", "looks"), [(False, True), (True, False)])
def test_a_connection_of_a_pool_is_looked_at_unless_the_pool_does_so(
    checked: list[int], monkeypatch: pytest.MonkeyPatch, *, checks: bool, looks: bool
) -> None:
    connection = connections["default"]
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", checks)
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    connection.close()
    database.revive_connection()
    assert checked == [1] * looks
    assert connection.connection is None


@pytest.mark.django_db(transaction=True)
def test_without_autocommit_nothing_is_repeated_on_a_new_connection(
    checked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django begins a transaction with the first statement, and its commit would not reach the repetition."""
    connection, used = connections["default"], []

    def fail() -> None:
        used.append(1)
        raise lost(GONE)

    connection.close()
    monkeypatch.setitem(connection.settings_dict, "AUTOCOMMIT", False)
    with pytest.raises(OperationalError):
        database.outlive_restart(fail)
    assert (len(used), checked) == (1, [])


def test_only_a_pool_of_psycopg_is_checked() -> None:
    options = {"OPTIONS": {"pool": True}}
    assert database._is_pooled(SimpleNamespace(vendor="postgresql", settings_dict=options))  # type: ignore[arg-type]
    assert not database._is_pooled(SimpleNamespace(vendor="oracle", settings_dict=options))  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_method_that_another_package_has_replaced_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, called = connections["default"], []
    original = connection.savepoint_commit

    def of_others(sid: str) -> None:
        original(sid)

    monkeypatch.setitem(vars(connection), "savepoint_commit", of_others)
    with transaction.atomic():
        database.after_transaction(lambda: called.append(1))
    assert called == [1]
    assert vars(connection)["savepoint_commit"] is of_others


@pytest.mark.django_db(transaction=True)
def test_an_action_at_the_commit_comes_before_the_callbacks_of_the_project(
    caplog: pytest.LogCaptureFixture,
) -> None:
    called: list[str] = []

    def fail() -> None:
        called.append("ours")
        raise ValueError("ours")

    with transaction.atomic():
        transaction.on_commit(lambda: called.append("theirs"))
        database.at_commit(fail)
        assert called == []
    assert called == ["ours", "theirs"]
    assert "ours" in caplog.text


@pytest.mark.django_db
def test_in_a_test_case_the_callbacks_keep_their_order(
    django_capture_on_commit_callbacks: Any,
) -> None:
    """``captureOnCommitCallbacks`` knows the callbacks of its block by their place in the list."""
    called: list[str] = []
    transaction.on_commit(lambda: called.append("before"))
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        database.at_commit(lambda: called.append("ours"))
    assert called == ["ours"]


def test_a_connection_beside_the_own_one_takes_none_from_the_pool() -> None:
    """Each thread may hold a connection of the pool in a broken transaction. Then none is left."""
    before = connections["default"]
    ours = before.copy()
    ours.settings_dict["OPTIONS"] = {**ours.settings_dict["OPTIONS"], "pool": {"max_size": 1}}
    try:
        with database._aside(ours):
            options = connections["default"].settings_dict["OPTIONS"]
    finally:
        connections["default"] = before
    assert "pool" not in options
    assert "pool" in ours.settings_dict["OPTIONS"]


def test_a_connection_beside_the_own_one_has_the_same_tenant() -> None:
    """django-tenants begins each connection in the public schema, where a primary key is another person."""
    chosen: list[tuple[Any, bool]] = []
    closed: list[int] = []
    other = SimpleNamespace(
        set_tenant=lambda tenant, public: chosen.append((tenant, public)),
        close=lambda: closed.append(1),
        settings_dict={"OPTIONS": {}},
    )
    ours: Any = SimpleNamespace(
        alias="default", tenant="one", include_public_schema=False, set_tenant=None, copy=lambda: other
    )
    before = connections["default"]
    try:
        with database._aside(ours):
            assert connections["default"] is other
    finally:
        connections["default"] = before
    assert (chosen, closed) == ([("one", False)], [1])


def test_a_new_connection_uses_the_schema_of_another_one() -> None:
    entered: list[Any] = []
    ours = SimpleNamespace(tenant="a tenant", include_public_schema=True, set_tenant=None)
    other = SimpleNamespace(set_tenant=lambda *arguments: entered.append(arguments))
    database.enter_schema(other, database.read_schema(ours))
    database.enter_schema(other, database.read_schema(SimpleNamespace()))
    assert entered == [("a tenant", True)]

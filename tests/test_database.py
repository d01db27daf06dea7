"""An action after the end of a transaction runs once, also beside other packages."""

from __future__ import annotations

import pytest
from django.db import connections, transaction

from drf_tessera import database


@pytest.mark.django_db
def test_a_transaction_without_a_savepoint_ends_with_the_test() -> None:
    called: list[int] = []
    with transaction.atomic(savepoint=False):
        database.after_transaction(lambda: called.append(1))
    assert called == []


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

"""Branches that only a rare project or database reaches."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AbstractBaseUser as User
from django.db import connections, transaction

from drf_tessera import backends, database, receivers, sessions
from drf_tessera.conf import LIMITS, transports
from drf_tessera.exceptions import RefreshInvalid
from drf_tessera.sessions import rows
from drf_tessera.tokens import read_refresh_token
from drf_tessera.users import lazy


def test_an_address_finds_nobody_if_the_user_model_has_no_column_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "find_email_field", lambda: None)
    assert backends._choose_by_address([object()], "anna@example.com") is None


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


def test_a_password_check_that_works_in_another_way_is_not_recognised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def check_password(self: Any, raw: str) -> bool:
        raise LookupError(raw)

    monkeypatch.setattr(AbstractBaseUser, "check_password", check_password)
    assert not receivers.recognises_upgrades()


def test_a_refresh_works_where_its_statement_cannot_be_compiled_once(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_compile_swap", lambda *args: None)
    first = sessions.start(anna)
    assert sessions.refresh(str(first.refresh)).refresh is not None


def test_a_refresh_token_of_a_transport_that_is_gone_is_refused(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = transports.TransportLimits(profile="pigeon", refresh_length=4096)
    monkeypatch.setitem(LIMITS, "pigeon", limits)  # type: ignore[arg-type]  # a mapping that code does not change
    token = str(sessions.start(anna, transport="pigeon").refresh)
    monkeypatch.undo()
    with pytest.raises(RefreshInvalid):
        read_refresh_token(token)


def test_a_foreign_descriptor_is_set_and_deleted_on_a_loaded_user(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        looks = 1

    loaded: list[Any] = []
    monkeypatch.setattr(lazy, "_load", loaded.append)

    class Lazy(Plain):
        own = lazy._Loading("looks")

    user = Lazy()
    user.own = 2
    assert (loaded, user.looks) == ([user], 2)
    del user.own
    assert (loaded, user.looks) == ([user, user], 1)

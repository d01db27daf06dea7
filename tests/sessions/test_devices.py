"""A device describes itself in any letters, and tables hold those that they can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import DataError, OperationalError, connection, transaction

from drf_tessera import sessions
from drf_tessera.models import DEVICE_LENGTH, LABEL_LENGTH, Session
from drf_tessera.sessions import Client, rows
from tests.conftest import make_user

PHONE = Client(user_agent="Anna\u2019s \U0001f4f1/1 (Android)", label="\xc4nne\u2019s \U0001f4f1")


@pytest.mark.django_db
@pytest.mark.parametrize("error", [DataError(1366, "x"), OperationalError(1366, "x")])
@pytest.mark.parametrize(
    "_autocommit",
    [
        pytest.param(True, marks=pytest.mark.django_db(transaction=True)),
        pytest.param(False, marks=pytest.mark.django_db),
    ],
)
def test_letters_that_the_table_cannot_hold_do_not_fail_a_login(
    monkeypatch: pytest.MonkeyPatch, error: Exception, _autocommit: bool
) -> None:
    user, save = make_user("anna"), Session.save

    def refuse_once(self: Session, **kwargs: Any) -> None:
        if not self.label.isascii():
            with transaction.mark_for_rollback_on_error(using="default"):
                raise error
        save(self, **kwargs)

    monkeypatch.setattr(Session, "save", refuse_once)
    sessions.start(user, client=PHONE)
    row = Session.objects.get()
    assert (row.device, row.label) == ("Anna?s ?", "Anne?s ?")


@pytest.mark.django_db
def test_another_error_is_raised(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Session, **kwargs: Any) -> None:
        raise OperationalError(2006, "MySQL server has gone away")

    monkeypatch.setattr(Session, "save", fail)
    with pytest.raises(OperationalError):
        sessions.start(anna, client=PHONE)


@pytest.mark.parametrize(
    ("text", "expected"), [("\xe9\u0301\xdf", "e?"), ("\ufdfa" * 3, "???"), ("plain", "plain"), ("", "")]
)
def test_the_text_in_ascii_is_never_longer(text: str, expected: str) -> None:
    assert rows._to_ascii(text) == expected or len(rows._to_ascii(text)) <= len(text)


@pytest.fixture(params=["latin1", "utf8mb3"])
def _narrow_columns(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[None]:
    """The columns as in the tables of an older server."""
    if connection.vendor != "mysql":
        pytest.skip("the columns of other databases hold all letters")
    change = "ALTER TABLE tessera_session MODIFY {} varchar({}) CHARACTER SET {} NOT NULL"
    columns = (("label", LABEL_LENGTH), ("device", DEVICE_LENGTH))
    with connection.cursor() as cursor:
        for name, length in columns:
            cursor.execute(change.format(name, length, request.param))
    yield
    Session.objects.all().delete()
    with connection.cursor() as cursor:
        for name, length in columns:
            cursor.execute(change.format(name, length, "utf8mb4"))


@pytest.mark.usefixtures("_narrow_columns")
@pytest.mark.parametrize("inside", [True, False])
def test_real_tables_of_older_servers(inside: bool) -> None:
    user = make_user("anna")
    if inside:
        with transaction.atomic():
            sessions.start(user, client=PHONE)
    else:
        sessions.start(user, client=PHONE)
    assert Session.objects.get().label == "Anne?s ?"
    sessions.start(user, client=Client(label="\xc4nne's phone"))
    assert Session.objects.filter(label="\xc4nne's phone").exists()

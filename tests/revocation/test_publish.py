"""One notice for each user, however many sessions there are, and one for each session where needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import OperationalError, connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.exceptions import DatabaseUnavailable, RevocationUnavailable
from drf_tessera.models import Revocation, Session
from drf_tessera.revocation.feed import get_feed
from drf_tessera.revocation.notices import NOBODY, Notice, read_scope
from drf_tessera.revocation.publish import Endings, publish_for_everybody, publish_keys
from drf_tessera.revocation.stores import TOLERANCE

pytestmark = pytest.mark.django_db


def list_scopes() -> list[str]:
    """Return the users of the notices. A notice of one session has an empty text."""
    scopes = (read_scope(text) for text in Revocation.objects.order_by("pk").values_list("scope", flat=True))
    return [scope.sub if scope else "" for scope in scopes]


def start_many(user: AbstractBaseUser, count: int) -> None:
    """Copy a session, because a login takes longer."""
    row = Session.objects.get(pk=sessions.start(user).session_id)
    copies = [
        Session(
            **{**{field.attname: getattr(row, field.attname) for field in row._meta.fields}, "id": uuid4()}
        )
        for _ in range(count - 1)
    ]
    Session.objects.bulk_create(copies)


def count_statements(act: Any) -> int:
    with CaptureQueriesContext(connection) as context:
        act()
    return len(context)


@pytest.mark.slow
@pytest.mark.parametrize("act", ["password", "deactivation", "deletion", "logout"])
def test_the_number_of_sessions_changes_neither_the_notices_nor_the_statements(
    anna: AbstractBaseUser, bob: AbstractBaseUser, act: str
) -> None:
    def change(user: Any) -> None:
        if act == "logout":
            sessions.revoke_all(user)
        elif act == "deletion":
            user.delete()
        else:
            user.is_active = act != "deactivation"
            user.password = f"{user.password}x" if act == "password" else user.password
            user.save()

    counts = []
    for user, count in ((anna, 3), (bob, 300)):
        start_many(user, count)
        Revocation.objects.all().delete()
        sub = str(user.pk)
        counts.append(count_statements(lambda: change(user)))  # noqa: B023
        assert list_scopes() == [sub]
    assert counts[0] == counts[1]


def test_a_user_with_one_session_gets_the_notice_of_that_session(anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    sessions.revoke_all(anna)
    assert list_scopes() == [""]
    assert str(Revocation.objects.get()) == str(grant.session_id)


def test_each_of_many_users_gets_one_notice(anna: AbstractBaseUser, bob: AbstractBaseUser) -> None:
    for user in (anna, bob):
        start_many(user, 3)
    assert sessions.revoke_all_of([anna.pk, bob.pk]) == 6
    assert sorted(list_scopes()) == sorted([str(anna.pk), str(bob.pk)])
    assert str(Revocation.objects.latest("pk")).endswith(list_scopes()[-1])


def test_two_kept_sessions_do_not_fit_into_one_notice(anna: AbstractBaseUser) -> None:
    first, second, *_ = [sessions.start(anna) for _ in range(4)]
    with sessions.sparing(first.session_id):
        ended = sessions.revoke_all(anna, keep=second.session_id, reason=sessions.Reason.PASSWORD_CHANGED)
    assert ended == 2
    assert list_scopes() == ["", ""]


def test_sessions_above_the_limit_are_not_all_of_their_user(anna: AbstractBaseUser, settings: Any) -> None:
    for _ in range(4):
        sessions.start(anna, now=timezone.now() - timedelta(hours=1))
    settings.TESSERA = {"MAX_SESSIONS_PER_USER": 2}
    sessions.start(anna)
    assert list_scopes() == [""] * 3


@pytest.mark.parametrize(
    ("sub", "fits"), [("7", True), ("x" * 255, True), ("x" * 256, False), ("", False), ("Zo\u00eb", False)]
)
def test_a_key_that_the_column_cannot_hold_is_not_written(sub: str, fits: bool) -> None:
    """A column of MariaDB may hold only the letters of one language."""
    endings, keys = Endings(timezone.now()), [uuid4(), uuid4()]
    endings.add_user(sub, keys, kept=())
    found = endings.list_notices()
    if fits:
        assert [(item.session_id, item.scope and item.scope.sub) for item in found] == [(NOBODY, sub)]
    else:
        assert [item.session_id for item in found] == keys


def test_a_notice_that_waited_counts_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that began while the notice waited for a lock has ended too, also by a clock that differs."""
    endings = Endings(timezone.now() - timedelta(minutes=10))
    endings.add_user("7", [uuid4(), uuid4()], kept=())
    (notice,) = endings.list_notices()
    now = timezone.now().timestamp()
    assert notice.scope
    assert notice.scope.certain == pytest.approx(now - 600 - TOLERANCE, abs=30)
    assert notice.scope.doubtful == pytest.approx(now + TOLERANCE, abs=30)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("joins", [True, False])
def test_the_end_of_everybody_is_certain_at_once_and_sent_to_a_cache(
    monkeypatch: pytest.MonkeyPatch, *, joins: bool
) -> None:
    feed, sent = get_feed(), list[Any]()
    monkeypatch.setattr(feed.store, "joins_transaction", joins, raising=False)
    monkeypatch.setattr(feed.store, "publish", sent.extend)
    now = timezone.now()
    assert publish_for_everybody(int(now.timestamp()), now)
    assert feed.ended.judge(uuid4(), "1", int(now.timestamp()) - 1) is True
    assert len(sent) == (0 if joins else 1)


@pytest.mark.django_db(transaction=True)
def test_the_transaction_of_a_logout_is_repeated_if_its_notice_meets_another_writer(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notice may be the victim of a deadlock, or the first statement on a connection that has died."""
    grant, insert, calls = sessions.start(anna), QuerySet.bulk_create, list[str]()

    def fail_once(rows: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(rows.model.__name__)
        if len(calls) == 1:
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        return insert(rows, *args, **kwargs)

    monkeypatch.setattr(QuerySet, "bulk_create", fail_once)
    assert sessions.revoke(grant.session_id)
    assert calls == ["Revocation"] * 2
    assert Revocation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "publish", [partial(publish_for_everybody, 1), publish_keys], ids=["everybody", "keys"]
)
@pytest.mark.parametrize("trouble", [(1213, "Deadlock found"), (2006, "Server has gone away")])
def test_a_notice_that_meets_another_writer_or_a_dead_connection_is_repeated(
    monkeypatch: pytest.MonkeyPatch, publish: Callable[[Any], object], trouble: tuple[int, str]
) -> None:
    """A mass logout may have run for an hour when it repeats its notice."""
    insert, calls = QuerySet.bulk_create, list[str]()
    connection.ensure_connection()  # one that was opened for the statement would not be replaced

    def fail_once(rows: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(rows.model.__name__)
        if len(calls) == 1:
            raise OperationalError(*trouble)
        return insert(rows, *args, **kwargs)

    monkeypatch.setattr(QuerySet, "bulk_create", fail_once)
    publish(timezone.now())
    assert calls == ["Revocation"] * 2
    assert Revocation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_logout_whose_notice_finds_no_room_changes_nothing(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = sessions.start(anna)

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError(1021, "Disk full")

    with monkeypatch.context() as patch:
        patch.setattr(QuerySet, "bulk_create", fail)
        with pytest.raises(DatabaseUnavailable):
            sessions.revoke(grant.session_id)
        with pytest.raises(RevocationUnavailable):
            get_feed().store.publish([Notice(grant.session_id, 0)])
    assert sessions.revoke(grant.session_id)

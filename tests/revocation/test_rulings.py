"""Where the notices leave a session in doubt, its row tells, and no query is made twice."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, OperationalError, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.exceptions import MigrationMissing, RevocationUnavailable, SessionEnded
from drf_tessera.models import Revocation, Session, SessionQuerySet
from drf_tessera.revocation import check_session
from drf_tessera.revocation.feed import get_feed
from drf_tessera.revocation.notices import NOBODY, Ended, Notice, Scope, make_mark
from drf_tessera.revocation.rulings import has_ended
from drf_tessera.tokens import verify_access_token
from tests.conftest import bearer, make_user

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(hours=1)


def refresh(grant: sessions.Grant) -> str:
    """Return a fresh access token of a session that began long ago."""
    return sessions.refresh(str(grant.refresh)).access


def is_let_in(api: APIClient, access: str) -> bool:
    return api.get("/me/", **bearer(access)).status_code == 200


class TestUser:
    def test_a_login_in_the_same_second_gets_in_and_an_older_session_does_not(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        old = [sessions.start(anna) for _ in range(2)]
        assert sessions.revoke_all(anna) == 2
        new = sessions.start(anna)
        assert Revocation.objects.count() == 1
        for _ in range(2):
            assert not any(is_let_in(api, grant.access) for grant in old)
            assert is_let_in(api, new.access)

    def test_a_login_by_a_slow_clock_gets_in_and_one_by_a_fast_clock_has_ended(
        self, api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fast = [sessions.start(anna, now=timezone.now() + timedelta(seconds=20)) for _ in range(2)]
        sessions.revoke_all(anna)
        slow = sessions.start(anna, now=timezone.now() - timedelta(seconds=20))
        now = time.time() + 25
        monkeypatch.setattr(time, "time", lambda: now)
        assert not any(is_let_in(api, grant.access) for grant in fast)
        assert is_let_in(api, slow.access)

    @pytest.mark.django_db(transaction=True)
    def test_the_answer_of_the_row_costs_one_query(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        old = [sessions.start(anna) for _ in range(2)]
        sessions.revoke_all(anna)
        grants = [*old, sessions.start(anna)]
        tokens = [verify_access_token(grant.access) for grant in grants]
        get_feed().check(uuid4())  # pulls
        with django_assert_num_queries(3):
            for token in tokens * 3:
                if token.session_id == grants[-1].session_id:
                    check_session(token)
                else:
                    with pytest.raises(SessionEnded):
                        check_session(token)

    @pytest.mark.django_db(transaction=True)
    def test_a_session_that_began_long_ago_needs_no_query(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        old = [sessions.start(anna, now=timezone.now() - LONG_AGO) for _ in range(2)]
        tokens = [verify_access_token(refresh(grant)) for grant in old]
        sessions.revoke_all(anna)
        get_feed().check(uuid4())
        with django_assert_num_queries(0):
            for token in tokens:
                with pytest.raises(SessionEnded):
                    check_session(token)

    @pytest.mark.django_db(transaction=True)
    def test_the_kept_session_needs_no_query(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        kept, *others = (sessions.start(anna) for _ in range(3))
        assert sessions.revoke_all(anna, keep=kept.session_id) == 2
        get_feed().check(uuid4())
        with django_assert_num_queries(0):
            check_session(verify_access_token(kept.access))
        for grant in others:
            with pytest.raises(SessionEnded):
                check_session(verify_access_token(grant.access))

    def test_a_new_user_with_the_key_of_a_deleted_user_gets_in(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        key = anna.pk
        old = [sessions.start(anna) for _ in range(2)]
        anna.delete()
        assert not any(is_let_in(api, grant.access) for grant in old)
        new = sessions.start(make_user("other", id=key))
        assert is_let_in(api, new.access)
        assert not any(is_let_in(api, grant.access) for grant in old)


class TestEveryPath:
    """Each change that ends all sessions of a user publishes one notice, and it is felt at once."""

    def change_password(self, user: Any) -> None:
        user.set_password("another password")
        user.save()

    def deactivate(self, user: Any) -> None:
        user.is_active = False
        user.save()

    def delete(self, user: Any) -> None:
        user.delete()

    def log_out_everywhere(self, user: Any) -> None:
        access = sessions.start(user).access
        assert APIClient().delete("/api/token/sessions/", **bearer(access)).status_code == 200

    @pytest.mark.slow
    @pytest.mark.parametrize("path", ["change_password", "deactivate", "delete", "log_out_everywhere"])
    @pytest.mark.parametrize("began", [timedelta(), LONG_AGO])
    def test_one_notice_is_felt_by_all_sessions(
        self, api: APIClient, anna: AbstractBaseUser, path: str, began: timedelta
    ) -> None:
        bystander = sessions.start(make_user("bystander"))
        grants = [sessions.start(anna, now=timezone.now() - began) for _ in range(5)]
        tokens = [refresh(grant) for grant in grants] if began else [grant.access for grant in grants]
        assert all(is_let_in(api, access) for access in tokens)
        getattr(self, path)(anna)
        assert Revocation.objects.count() == 1
        assert not any(is_let_in(api, access) for access in tokens)
        assert is_let_in(api, bystander.access)


class TestTransaction:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("began", [timedelta(), LONG_AGO])
    def test_a_notice_that_is_rolled_back_after_a_check_is_forgotten(
        self, anna: AbstractBaseUser, began: timedelta
    ) -> None:
        grants = [sessions.start(anna, now=timezone.now() - began) for _ in range(2)]
        tokens = [verify_access_token(refresh(grant) if began else grant.access) for grant in grants]
        with transaction.atomic():
            sessions.revoke_all(anna)
            for token in tokens:
                with pytest.raises(SessionEnded):
                    check_session(token)
            transaction.set_rollback(True)
        for token in tokens:
            check_session(token)
        sessions.revoke_all(anna)
        for token in tokens * 2:
            with pytest.raises(SessionEnded):
                check_session(token)

    @pytest.mark.django_db(transaction=True)
    def test_inside_a_transaction_the_answer_is_not_remembered(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        """Its snapshot may be older than the notice."""
        token = verify_access_token(sessions.start(anna).access)
        ended, now = Ended(), int(time.time())
        ended.learn([Notice(NOBODY, now + 300, Scope(token.sub, now - 60, now + 60, make_mark()))])
        facts = (token.session_id, token.sub, token.auth_time)
        with transaction.atomic(), django_assert_num_queries(2):
            assert has_ended(ended, *facts) is has_ended(ended, *facts) is False
        with django_assert_num_queries(1):
            assert has_ended(ended, *facts) is has_ended(ended, *facts) is False


def test_a_row_that_cannot_be_read_is_a_temporary_failure(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = verify_access_token(sessions.start(anna).access)
    sessions.start(anna)
    sessions.revoke_all(anna)

    get_feed().check(uuid4())
    for error, expected in (
        (DatabaseError(), RevocationUnavailable),
        (OperationalError("no such table: tessera_session"), MigrationMissing),
    ):

        def fail(self: object, error: Exception = error) -> bool:
            raise error

        monkeypatch.setattr(SessionQuerySet, "exists", fail)
        with pytest.raises(expected):
            check_session(token)


def test_a_cache_of_queries_is_not_asked(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such packages (cacheops) give all querysets this method."""
    asked: list[int] = []

    def nocache(self: Any) -> Any:
        asked.append(1)
        return self

    monkeypatch.setattr(SessionQuerySet, "nocache", nocache, raising=False)
    SessionQuerySet(Session).uncached()
    assert asked

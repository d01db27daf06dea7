"""The inspection of tokens without a refresh, and claims for the life of a session."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.exceptions import (
    ClaimsHookError,
    ProjectError,
    RefreshContended,
    RefreshInvalid,
    RefreshReused,
    SessionExpired,
    SessionRevoked,
    SessionUnknown,
    TransportMismatch,
    UserInactive,
)
from drf_tessera.models import Session
from drf_tessera.sessions import inspect_refresh_token, rewrite_refresh_token, rows, sign_access_token
from drf_tessera.tokens import read_refresh_token, verify_access_token

pytestmark = pytest.mark.django_db(transaction=True)


def start(user: AbstractBaseUser, **more: Any) -> str:
    refresh = sessions.start(user, **more).refresh
    assert refresh is not None
    return refresh


def describe(user: Any, session: Any) -> dict[str, Any]:
    return {"hook": str(session.pk), "color": "blue"}


def test_looking_spends_nothing(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    text = start(anna)
    with django_assert_num_queries(1):
        token = inspect_refresh_token(text)
    assert token == read_refresh_token(text)
    assert inspect_refresh_token(text, transport="header") == token
    assert sessions.refresh(text).refresh is not None


def test_looking_refuses_as_a_refresh_does(anna: Any) -> None:
    text = start(anna)
    with pytest.raises(TransportMismatch):
        inspect_refresh_token(text, transport="cookie")
    with pytest.raises(RefreshInvalid):
        inspect_refresh_token(text + "x")
    with pytest.raises(SessionExpired):
        inspect_refresh_token(text, now=timezone.now() + timedelta(days=20))
    with transaction.atomic():
        assert inspect_refresh_token(text)  # an inspection writes nothing, so it may be repeated
    anna.is_active = False
    type(anna).objects.update(is_active=False)
    with pytest.raises(UserInactive):
        inspect_refresh_token(text)
    sessions.revoke(read_refresh_token(text).facts.session_id)
    with pytest.raises(SessionRevoked):
        inspect_refresh_token(text)
    Session.objects.all().delete()
    with pytest.raises(SessionUnknown):
        inspect_refresh_token(text)


def use_twice(text: str) -> None:
    for _ in range(2):
        text = sessions.refresh(text).refresh or ""
        Session.objects.update(rotated_at=timezone.now() - timedelta(minutes=5))


def test_looking_at_a_replaced_token_ends_its_session(anna: AbstractBaseUser) -> None:
    text = start(anna)
    use_twice(text)
    with pytest.raises(RefreshReused):
        inspect_refresh_token(text)
    assert Session.objects.get().revoked_for == "refresh_reused"


def test_looking_gives_up_when_others_are_always_faster(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = start(anna)
    use_twice(text)
    monkeypatch.setattr(rows, "end", lambda *args: [])
    with pytest.raises(RefreshContended):
        inspect_refresh_token(text)


@override_settings(TESSERA={"PROFILE": ["api", "browser"]})
def test_claims_hold_for_the_life_of_a_session(anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna, claims={"color": "green"})
    assert verify_access_token(grant.access)["color"] == "green"
    again = sessions.refresh(grant.refresh or "")
    assert verify_access_token(again.access)["color"] == "green"
    cookie = sessions.start(anna, claims={"color": "green"}, transport="cookie")
    assert read_refresh_token(cookie.refresh or "").facts.transport == "cookie"


@override_settings(TESSERA={"CLAIMS": "tests.sessions.test_inspection.describe"})
def test_the_hook_goes_before_them_and_is_asked_for_each_token(anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna, claims={"color": "green"})
    assert verify_access_token(grant.access)["color"] == "blue"
    login = read_refresh_token(grant.refresh or "").facts
    token = verify_access_token(sign_access_token(login, {"more": 1}))
    assert (token["hook"], token["color"], token["more"]) == (str(login.session_id), "blue", 1)
    Session.objects.all().delete()
    with pytest.raises(SessionUnknown):
        sign_access_token(login, {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"sub": "1"}, ClaimsHookError),
        ({"x": object()}, ClaimsHookError),
        ({"x": float("nan")}, ClaimsHookError),
        ({"x": "y" * 7000}, ProjectError),
    ],
)
def test_claims_that_cannot_be_carried_start_no_session(
    anna: AbstractBaseUser, claims: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        sessions.start(anna, claims=claims)
    assert not Session.objects.exists()


def test_a_refresh_token_is_written_again_with_other_claims(anna: AbstractBaseUser) -> None:
    text = start(anna)
    other = rewrite_refresh_token(read_refresh_token(text), {"color": "red"})
    assert read_refresh_token(other).facts.claims == {"color": "red"}
    assert verify_access_token(sessions.refresh(other).access)["color"] == "red"
    with pytest.raises(ClaimsHookError, match="no JSON form"):
        rewrite_refresh_token(read_refresh_token(text), {"x": object()})


def test_one_more_access_token_needs_no_query(anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    login = read_refresh_token(start(anna)).facts
    with django_assert_num_queries(0):
        text = sessions.sign_access_token(login, {"color": "green"})
    assert verify_access_token(text).session_id == login.session_id


def test_a_theft_that_is_found_in_a_transaction_ends_the_session(anna: AbstractBaseUser) -> None:
    text = start(anna)
    use_twice(text)
    with transaction.atomic(), pytest.raises(RefreshReused):
        inspect_refresh_token(text)
    assert Session.objects.get().revoked_for == "refresh_reused"


def test_another_scope_holds_from_then_on(anna: AbstractBaseUser) -> None:
    token = read_refresh_token(start(anna))
    text = rewrite_refresh_token(token, {}, scope="read")
    assert read_refresh_token(rewrite_refresh_token(read_refresh_token(text), {})).facts.scope == "read"
    assert verify_access_token(sessions.refresh(text).access).scope == "read"

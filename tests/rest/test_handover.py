"""A session is handed over to another subdomain: once, in 30 seconds, to the page that has asked for it."""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.urls import include, path
from rest_framework.test import APIClient

from drf_tessera import sessions, signals, tickets
from drf_tessera.exceptions import TicketInvalid
from drf_tessera.http import name_cookies
from drf_tessera.rest.handover import AcceptHandoverView, HandoverView
from drf_tessera.tokens import verify_access_token
from tests import views
from tests.conftest import bearer, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [
    path("api/token/handover/", HandoverView.as_view()),
    path("api/token/accept/", AcceptHandoverView.as_view()),
    path("api/token/", include("drf_tessera.rest.urls")),
    path("me/", views.Me.as_view()),
]

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
SHOP = "shop.example.com"


def ask(api: APIClient, access: str, **changes: str) -> Any:
    body = {"audience": SHOP, "challenge": CHALLENGE, **changes}
    return api.post("/api/token/handover/", body, **bearer(access))


def accept(api: APIClient, ticket: str, host: str = SHOP, **changes: Any) -> Any:
    body = {"ticket": ticket, "verifier": VERIFIER, **changes}
    return api.post("/api/token/accept/", body, headers={"host": host})


@pytest.fixture
def grant(anna: AbstractBaseUser) -> sessions.Grant:
    return sessions.start(anna, scope="notes:read", claims={"plan": "pro"}, amr=("pwd", "otp"))


@pytest.fixture
def ticket(api: APIClient, grant: sessions.Grant) -> str:
    answer = ask(api, grant.access)
    assert answer.status_code == 200, answer.content
    assert answer.json()["expires_in"] == tickets.TICKET_LIFETIME
    return str(answer.json()["ticket"])


def test_the_other_subdomain_gets_a_token_of_the_same_session_and_no_refresh_token(
    api: APIClient, grant: sessions.Grant, ticket: str
) -> None:
    answer = accept(api, ticket)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["session"], body["token_type"], body["expires_in"]) == (str(grant.session_id), "Bearer", 300)
    assert set(body) == {"access", "token_type", "expires_in", "session"}
    assert "no-store" in answer["Cache-Control"]
    here, there = verify_access_token(grant.access), verify_access_token(body["access"])
    assert there.jti != here.jti
    assert there.facts == here.facts.__class__(
        **{name: getattr(here.facts, name) for name in ("session_id", "sub", "auth_time", "amr", "scope")},
        expires_at=there.expires_at,
    )
    assert there["plan"] == "pro"
    assert sessions.refresh(str(grant.refresh)).session_id == grant.session_id, "the session goes on"


def test_receivers_learn_of_it(
    api: APIClient, grant: sessions.Grant, ticket: str, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[dict[str, Any]] = []

    def hear(signal: object, sender: object, **told: Any) -> None:
        heard.append(told)

    signals.session_handed_over.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        accept(api, ticket)
    signals.session_handed_over.disconnect(hear)
    assert heard == [{"session_id": grant.session_id, "sub": grant.sub, "audience": SHOP}]


def test_a_logout_ends_both(api: APIClient, grant: sessions.Grant, ticket: str, still_feed: None) -> None:
    there = accept(api, ticket).json()["access"]
    assert api.get("/me/", **bearer(there)).status_code == 200
    assert api.post("/api/token/revoke/", {"refresh": grant.refresh}).status_code == 200
    for access in (there, grant.access):
        assert api.get("/me/", **bearer(access)).json()["code"] == "session_ended"


def test_a_logout_at_the_other_subdomain_ends_both(
    api: APIClient, grant: sessions.Grant, ticket: str
) -> None:
    there = accept(api, ticket).json()["access"]
    answer = api.delete(f"/api/token/sessions/{grant.session_id}/", **bearer(there))
    assert answer.status_code == 204
    assert api.get("/me/", **bearer(grant.access)).json()["code"] == "session_ended"
    assert api.post("/api/token/refresh/", {"refresh": grant.refresh}).json()["code"] == "session_revoked"


def refused(answer: Any, code: str = "ticket_invalid") -> bool:
    return bool((answer.status_code, answer.json()["code"]) == (401, code))


def test_a_ticket_is_used_once(api: APIClient, ticket: str, refused_tokens: list[dict[str, Any]]) -> None:
    assert accept(api, ticket).status_code == 200
    assert refused(accept(api, ticket))
    assert [told["code"] for told in refused_tokens] == ["ticket_invalid"]


def test_a_ticket_lives_for_thirty_seconds(
    api: APIClient, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + tickets.TICKET_LIFETIME + 2)
    assert refused(accept(api, ticket))


def test_another_host_and_another_verifier_use_up_nothing(api: APIClient, ticket: str) -> None:
    assert refused(accept(api, ticket, host="evil.example.com"))
    assert refused(accept(api, ticket, verifier="w" * 43))
    assert accept(api, ticket, host=SHOP.upper()).status_code == 200


def test_a_ticket_is_for_one_purpose(grant: sessions.Grant, ticket: str) -> None:
    """A ticket of a socket is seen by more programs, and a ticket of a subdomain opens no socket."""
    token = verify_access_token(grant.access)
    socket = tickets.issue_ticket(token)
    for text, more in (
        (ticket, {}),
        (ticket, {"audience": SHOP}),
        (socket, {"audience": SHOP, "verifier": VERIFIER}),
        (socket, {"verifier": VERIFIER}),
    ):
        with pytest.raises(TicketInvalid):
            tickets.redeem_ticket(text, **more)
    assert tickets.redeem_ticket(socket) == token


def test_a_session_that_has_ended_is_not_handed_over(
    api: APIClient, grant: sessions.Grant, ticket: str, anna: AbstractBaseUser
) -> None:
    sessions.revoke(grant.session_id)
    assert refused(accept(api, ticket), "session_ended")


def test_an_inactive_user_is_refused(api: APIClient, ticket: str, anna: AbstractBaseUser) -> None:
    get_user_model().objects.filter(pk=anna.pk).update(is_active=False)
    assert refused(accept(api, ticket), "user_inactive")


def test_a_session_that_ends_between_two_queries_is_refused(
    grant: sessions.Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drf_tessera.exceptions import SessionEnded
    from drf_tessera.sessions import again

    token, load = verify_access_token(grant.access), again.load_user

    def end_after(found: Any) -> Any:
        user = load(found)
        sessions.revoke(grant.session_id)
        return user

    monkeypatch.setattr(again, "load_user", end_after)
    with pytest.raises(SessionEnded):
        sessions.mint_again(token, audience=SHOP)


def test_the_claims_hook_is_asked_again(grant: sessions.Grant, settings: Any) -> None:
    settings.TESSERA = {"CLAIMS": lambda user, session: {"plan": "team"}}
    found = sessions.mint_again(verify_access_token(grant.access), audience=SHOP)
    assert verify_access_token(found.access)["plan"] == "team"


def test_a_person_who_acts_as_another_one_still_does(api: APIClient, anna: AbstractBaseUser) -> None:
    acting = sessions.impersonate(make_user("bob"), anna, 10)
    there = accept(api, ask(api, acting.access).json()["ticket"]).json()["access"]
    assert verify_access_token(there)["act"] == verify_access_token(acting.access)["act"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("audience", "https://shop.example.com"),
        ("audience", "shop.example.com/path"),
        ("audience", "Shop.example.com"),
        ("audience", ""),
        ("challenge", "short"),
        ("challenge", CHALLENGE + "="),
    ],
)
def test_a_wrong_body_is_explained(api: APIClient, grant: sessions.Grant, name: str, text: str) -> None:
    answer = ask(api, grant.access, **{name: text})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [name])


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:8000", "shop.example.com:443"])
def test_a_host_may_have_a_port(api: APIClient, grant: sessions.Grant, host: str) -> None:
    assert ask(api, grant.access, audience=host).status_code == 200


def test_a_token_that_was_handed_over_is_not_handed_over_again(
    api: APIClient, ticket: str, refused_tokens: list[dict[str, Any]]
) -> None:
    """Otherwise somebody with a stolen access token could renew the token until the session ends."""
    there = accept(api, ticket).json()["access"]
    assert verify_access_token(there)["handed_over"] == SHOP
    assert refused(ask(api, there, audience="other.example.com"))
    assert [told["code"] for told in refused_tokens] == ["ticket_invalid"]
    with pytest.raises(TicketInvalid):
        tickets.issue_ticket(verify_access_token(there), audience="other.example.com")
    with pytest.raises(TicketInvalid):  # a view of the project that has a ticket from elsewhere
        sessions.mint_again(verify_access_token(there), audience="other.example.com")


def test_a_token_that_was_handed_over_opens_sockets(api: APIClient, ticket: str) -> None:
    token = verify_access_token(accept(api, ticket).json()["access"])
    assert tickets.redeem_ticket(tickets.issue_ticket(token)) == token


def test_a_long_token_is_handed_over_too(api: APIClient, anna: AbstractBaseUser) -> None:
    """A ticket carries the claims of its token, and a token may have 8192 characters."""
    access = sessions.start(anna, claims={"x": secrets.token_urlsafe(3200)}).access
    ticket = ask(api, access).json()["ticket"]
    assert len(ticket) > 4096
    assert accept(api, ticket).status_code == 200


def test_a_stranger_gets_no_ticket(api: APIClient) -> None:
    assert api.post("/api/token/handover/", {}).status_code == 401
    assert refused(accept(api, "nonsense"))


def test_with_the_access_cookie_no_script_sees_the_token(
    grant: sessions.Grant, api: APIClient, settings: Any
) -> None:
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    ticket = ask(api, grant.access).json()["ticket"]
    client = APIClient(enforce_csrf_checks=True)
    body = {"ticket": ticket, "verifier": VERIFIER}

    def send(origin: str) -> Any:
        headers = {"host": SHOP, "origin": origin}
        return client.post("/api/token/accept/", body, secure=True, headers=headers)

    evil = send("https://evil.example.com")
    assert (evil.status_code, evil.json()["code"]) == (403, "csrf_origin")
    answer = send(f"https://{SHOP}")
    assert set(answer.json()) == {"expires_in", "session"}
    cookie = answer.cookies[name_cookies()[1]]
    assert verify_access_token(cookie.value).session_id == grant.session_id
    assert (cookie["max-age"], cookie["httponly"]) == (300, True)
    assert len(answer.cookies) == 1

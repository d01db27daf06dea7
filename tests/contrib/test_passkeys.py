"""Passkeys of allauth: each login with one ends in one session of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.models import Session
from drf_tessera.tokens import verify_access_token
from tests.conftest import bearer
from tests.contrib.authenticator import Authenticator
from tests.contrib.headless import ANNA, WORD, App, install_allauth, read_amr, read_code, sign_up

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture(scope="module", autouse=True)
def allauth(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), install_allauth():
        yield


def ask(app: App, path: str, key: str = "request_options") -> Any:
    return app.call(path, method="get")["data"][key]


def sign_up_with_passkey(app: App) -> tuple[Authenticator, dict[str, Any]]:
    app.call("auth/webauthn/signup", {"email": ANNA}, 401)
    app.call("auth/email/verify", {"key": read_code()}, 401)
    passkey = Authenticator()
    made = passkey.create(ask(app, "auth/webauthn/signup", "creation_options"))
    return passkey, app.call("auth/webauthn/signup", {"name": "Phone", "credential": made}, method="put")[
        "meta"
    ]


def add_passkey(app: App, passkey: Authenticator) -> None:
    app.call("auth/reauthenticate", {"password": WORD})
    made = passkey.create(ask(app, "account/authenticators/webauthn", "creation_options"))
    app.call("account/authenticators/webauthn", {"name": "Key", "credential": made})


def log_in_with_passkey(app: App, passkey: Authenticator, status: int = 200) -> Any:
    answer = passkey.get(ask(app, "auth/webauthn/login"))
    return app.call("auth/webauthn/login", {"credential": answer}, status)


def test_a_sign_up_with_a_passkey_ends_in_one_session() -> None:
    _, meta = sign_up_with_passkey(App())
    assert read_amr(meta) == (("pop",), "pop")
    assert Session.objects.count() == 1
    assert not get_user_model().objects.get().has_usable_password()


@pytest.mark.slow
def test_a_passkey_logs_in_without_a_password() -> None:
    passkey, _ = sign_up_with_passkey(App())
    other = App()
    assert read_amr(log_in_with_passkey(other, passkey)["meta"]) == (("pop",), "pop")
    assert Session.objects.count() == 2
    answer = passkey.get(ask(App(), "auth/webauthn/login"))
    other.call("auth/session", status=401, method="delete")
    assert sessions.live_sessions(Session.objects.latest("created_at").user_id).count() == 1
    App().call("auth/webauthn/login", {"credential": answer}, 400)  # of another challenge


@pytest.mark.slow
def test_a_passkey_is_a_second_factor_after_a_password(api: APIClient) -> None:
    """It proves that the person has a key, even if the key does not ask for a PIN."""
    first, passkey = App(), Authenticator(verifies=False)
    sign_up(first)
    add_passkey(first, passkey)
    other = App()
    asked = other.call("auth/login", {"email": ANNA, "password": WORD}, 401)
    assert "access_token" not in asked["meta"]
    answer = passkey.get(ask(other, "auth/webauthn/authenticate"))
    forged = {**answer, "response": {**answer["response"], "signature": "AAAA"}}
    other.call("auth/webauthn/authenticate", {"credential": forged}, 400)
    answer = passkey.get(ask(other, "auth/webauthn/authenticate"))
    meta = other.call("auth/webauthn/authenticate", {"credential": answer})["meta"]
    assert read_amr(meta) == (("pwd", "pop"), "pop")
    assert Session.objects.count() == 2
    assert api.post("/api/token/revoke/", {}, **bearer(meta["access_token"])).json() == {"revoked": True}
    other.call("auth/session", status=410, method="get")


@pytest.mark.slow
def test_a_passkey_that_does_not_know_its_person_is_not_a_login() -> None:
    first, passkey = App(), Authenticator(verifies=False)
    sign_up(first)
    add_passkey(first, passkey)
    log_in_with_passkey(App(), passkey, 400)
    passkey.flags = Authenticator().flags
    passkey.origin = "https://shop.example"
    log_in_with_passkey(App(), passkey, 400)
    assert Session.objects.count() == 1


@pytest.mark.slow
def test_a_password_alone_does_not_pass_our_own_login_of_a_person_with_a_passkey(
    api: APIClient, settings: Any
) -> None:
    """The recovery codes that allauth makes with the first passkey are the way in."""
    settings.TESSERA = {"CHALLENGE": "drf_tessera.contrib.allauth.ask_for_code"}
    app = App()
    sign_up(app)
    add_passkey(app, Authenticator())
    (code, *_) = app.call("account/authenticators/recovery-codes", method="get")["data"]["unused_codes"]
    asked = api.post("/api/token/", {"email": ANNA, "password": WORD}).json()
    assert asked["code"] == "challenge_required"
    answer = {"ticket": asked["ticket"], "answer": code}
    assert api.post("/api/token/", answer).status_code == 200


@pytest.mark.slow
def test_a_passkey_proves_again_within_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account without a password can do it in no other way. The time is that of the proof."""
    from allauth.account.internal.flows import login

    monkeypatch.setattr(sessions, "start", partial(sessions.start, now=timezone.now() - timedelta(hours=1)))
    app = App()
    passkey, first = sign_up_with_passkey(app)
    body = {"refresh_token": first["refresh_token"]}
    old = verify_access_token(app.call("tokens/refresh", body)["data"]["access_token"])
    answer = passkey.get(ask(app, "auth/webauthn/reauthenticate"))
    monkeypatch.setattr(login, "time", SimpleNamespace(time=lambda: old.auth_time + 1800.5))
    app.call("auth/webauthn/reauthenticate", {"credential": answer})
    stranger = App().call("tokens/refresh", body)["data"]
    assert verify_access_token(stranger["access_token"]).auth_time == old.auth_time
    found = app.call("tokens/refresh", body)["data"]
    token = verify_access_token(found["access_token"])
    assert (token.session_id, token.amr) == (old.session_id, ("pop",))
    assert token.auth_time == old.auth_time + 1800
    monkeypatch.delattr(sessions, "refresh_proved")  # the later refreshes are usual ones
    again = app.call("tokens/refresh", {"refresh_token": found["refresh_token"]})["data"]
    assert verify_access_token(again["access_token"]).auth_time == token.auth_time


@pytest.mark.slow
def test_another_session_of_the_person_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "start", partial(sessions.start, now=timezone.now() - timedelta(hours=1)))
    app, other = App(), App()
    passkey, first = sign_up_with_passkey(app)
    log_in_with_passkey(other, passkey)
    answer = passkey.get(ask(other, "auth/webauthn/reauthenticate"))
    other.call("auth/webauthn/reauthenticate", {"credential": answer})
    found = other.call("tokens/refresh", {"refresh_token": first["refresh_token"]})["data"]
    assert verify_access_token(found["access_token"]).auth_time < time.time() - 3000


def test_a_sign_up_with_an_address_alone_is_not_called_a_passkey(settings: Any) -> None:
    settings.ACCOUNT_SIGNUP_FIELDS = ["email*"]
    app = App()
    app.call("auth/signup", {"email": ANNA}, 401)
    meta = app.call("auth/email/verify", {"key": read_code()})["meta"]
    assert read_amr(meta) == (("email",), "email")

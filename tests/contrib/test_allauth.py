"""allauth's headless API: each login ends in one session of ours. The package is the real one."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import requests
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.test import RequestFactory
from django_otp.oath import TOTP
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.exceptions import DatabaseUnavailable
from drf_tessera.models import Session
from drf_tessera.tokens import verify_access_token
from tests.conftest import bearer
from tests.contrib.headless import ANNA, WORD, App, install_allauth, log_in, read_amr, read_code, sign_up
from tests.environments import install_packages
from tests.issuers.material import make_jwk
from tests.servers import PATIENCE, ROOT, find_port, is_open, require, wait_until

pytestmark = [pytest.mark.once, pytest.mark.django_db]

BACK = "http://shop.example/back"


@pytest.fixture(scope="module", autouse=True)
def allauth(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), install_allauth():
        yield


@pytest.fixture
def app() -> App:
    return App()


def count_live() -> int:
    return Session.objects.filter(revoked_at=None).count()


def test_a_sign_up_with_a_code_ends_in_one_session(app: App) -> None:
    assert read_amr(sign_up(app)) == (("pwd",), "pwd")
    assert Session.objects.count() == 1


def test_the_strategy_has_every_method_that_allauth_may_call() -> None:
    """The strategy does not inherit them, so a new one of allauth would be missing."""
    from allauth.headless import app_settings
    from allauth.headless.tokens.strategies.base import AbstractTokenStrategy

    strategy = app_settings.TOKEN_STRATEGY
    assert isinstance(strategy, AbstractTokenStrategy)
    methods = {name for name in vars(AbstractTokenStrategy) if not name.startswith("_")}
    assert methods - set(vars(type(strategy))) == {"create_access_token"}, (
        "only the payload's default calls it"
    )
    assert "SessionToken" in strategy.openapi_spec()["securitySchemes"]


@pytest.mark.slow
def test_a_second_answer_of_the_login_has_no_second_session(app: App) -> None:
    sign_up(app)
    assert "access_token" not in app.call("auth/session", method="get")["meta"]
    app.call("auth/reauthenticate", {"password": WORD})
    assert Session.objects.count() == 1


def activate(app: App) -> tuple[TOTP, list[str]]:
    """Add an authenticator app to the account, and return it with the recovery codes."""
    app.call("auth/reauthenticate", {"password": WORD})
    secret = app.call("account/authenticators/totp", status=404, method="get")["meta"]["secret"]
    device = TOTP(base64.b32decode(secret))
    app.call("account/authenticators/totp", {"code": f"{device.token():06}"})
    codes = app.call("account/authenticators/recovery-codes", method="get")["data"]["unused_codes"]
    cache.clear()  # allauth accepts each code once
    return device, codes


@pytest.mark.slow  # it makes two logins with two steps
def test_each_second_factor_ends_in_one_session(app: App) -> None:
    """allauth makes two answers at this step, and asks for the tokens twice."""
    sign_up(app)
    device, codes = activate(app)
    for number, code in enumerate((codes[0], f"{device.token():06}"), 2):
        other = App()
        first = other.call("auth/login", {"email": ANNA, "password": WORD}, 401)
        assert "access_token" not in first["meta"]
        other.call("auth/2fa/authenticate", {"code": "000000x"}, 400)
        assert read_amr(other.call("auth/2fa/authenticate", {"code": code})["meta"]) == (
            ("pwd", "otp"),
            "otp",
        )
        assert Session.objects.count() == number


@pytest.mark.slow
def test_a_code_in_the_mailbox_logs_in(app: App) -> None:
    sign_up(app)
    other = App()
    other.call("auth/code/request", {"email": ANNA}, 401)
    meta = other.call("auth/code/confirm", {"code": read_code()})["meta"]
    assert read_amr(meta) == (("email",), "email")


@pytest.mark.parametrize(
    ("records", "ways"),
    [
        ([("mfa", {"type": "webauthn", "passwordless": True})], ("pop",)),
        ([("socialaccount", {"provider": "shop"}), ("mfa", {"type": "totp"})], ("fed", "otp")),
        ([("code", {"phone": "+491"}), ("code", {"email": ANNA})], ("sms", "email")),
        ([("password", {}), ("password", {"reauthenticated": True})], ("pwd",)),
        ([("code", {})], ("email",)),
        ([], ("sms",)),
    ],
)
def test_each_record_of_allauth_has_a_name(records: Any, ways: tuple[str, ...]) -> None:
    """Without a record the account has just been made. This one has neither a password nor an address."""
    from allauth.account.internal.flows.login import record_authentication

    from drf_tessera.contrib.allauth import TokenStrategy

    request = RequestFactory().post("/")
    request.session, request.user = SessionStore(), get_user_model().objects.create_user("bob")
    for method, more in records:
        record_authentication(request, request.user, method, **more)
    made = TokenStrategy().create_access_token_payload(request)
    assert verify_access_token(made["access_token"]).amr == ways
    assert TokenStrategy().create_access_token_payload(request) == made  # the second answer of one request


@pytest.mark.slow
def test_a_logout_of_allauth_ends_our_session(app: App) -> None:
    sign_up(app)
    App().call("auth/session", status=401, method="delete")  # a stranger's logout ends nothing
    assert count_live() == 1
    app.call("auth/session", status=401, method="delete")
    assert count_live() == 0


def test_a_logout_of_ours_ends_the_session_of_allauth(app: App, api: APIClient) -> None:
    meta = sign_up(app)
    other = App()
    log_in(other)
    assert api.post("/api/token/revoke/", {}, **bearer(meta["access_token"])).json() == {"revoked": True}
    app.call("auth/session", status=410, method="get")
    other.call("auth/session", method="get")


@pytest.mark.slow
def test_a_reset_ends_all_sessions(app: App) -> None:
    sign_up(app)
    log_in(App())
    other = App()
    other.call("auth/password/request", {"email": ANNA}, 401)
    other.call("auth/password/reset", {"key": read_code(), "password": f"another {WORD}"}, 401)
    assert count_live() == 0
    app.call("auth/session", status=410, method="get")


@pytest.mark.slow
def test_a_reset_that_logs_in_ends_the_other_sessions_only(app: App, api: APIClient, settings: Any) -> None:
    settings.ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
    old = sign_up(app)
    other = App()
    other.call("auth/password/request", {"email": ANNA}, 401)
    body = {"key": read_code(), "password": f"another {WORD}"}
    meta = other.call("auth/password/reset", body)["meta"]
    assert read_amr(meta) == (("email",), "email")
    assert count_live() == 1
    assert api.get("/api/token/sessions/", **bearer(meta["access_token"])).status_code == 200
    assert api.get("/api/token/sessions/", **bearer(old["access_token"])).status_code == 401
    app.call("auth/session", status=410, method="get")


def test_a_changed_password_ends_all_sessions(app: App) -> None:
    sign_up(app)
    log_in(App())
    app.call("account/password/change", {"current_password": WORD, "new_password": f"another {WORD}"})
    assert count_live() == 0
    app.call("auth/session", status=410, method="get")


def test_the_refresh_of_allauth_is_ours(app: App, api: APIClient) -> None:
    """Within the window the client keeps its refresh token, so the answer names none."""
    first = sign_up(app)
    second = app.call("tokens/refresh", {"refresh_token": first["refresh_token"]})["data"]
    verify_access_token(second["access_token"])
    again = app.call("tokens/refresh", {"refresh_token": first["refresh_token"]})["data"]
    assert "refresh_token" not in again
    assert api.post("/api/token/refresh/", {"refresh": second["refresh_token"]}).status_code == 200
    app.call("tokens/refresh", {"refresh_token": "tsr_x"}, 400)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["start", "live_sessions", "revoke", "refresh"])
def test_trouble_that_passes_is_a_503(app: App, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    meta = sign_up(app)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(sessions, step, fail)
    calls: dict[str, Any] = {
        "start": lambda: App().call("auth/login", {"email": ANNA, "password": WORD}, 503),
        "live_sessions": lambda: app.call("auth/session", status=503, method="get"),
        "revoke": lambda: app.call("auth/session", status=503, method="delete"),
        "refresh": lambda: app.call("tokens/refresh", {"refresh_token": meta["refresh_token"]}, 503),
    }
    assert calls[step]()["code"] == "database_unavailable"


@pytest.mark.slow
def test_our_own_login_asks_for_the_same_factor(app: App, api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"CHALLENGE": "drf_tessera.contrib.allauth.ask_for_code"}
    app.call("auth/signup", {"email": ANNA, "password": WORD}, 401)
    body = {"email": ANNA, "password": WORD}
    assert api.post("/api/token/", body).json()["code"] == "email_unconfirmed"
    app.call("auth/email/verify", {"key": read_code()})
    assert api.post("/api/token/", body).status_code == 200
    codes = activate(app)[1]
    asked = api.post("/api/token/", body).json()
    assert (asked["code"], asked["challenge"]) == ("challenge_required", {"kind": "totp"})
    for answer, status in (({"code": 1}, 401), ("x", 401), (codes[0], 200)):
        body = {"ticket": asked["ticket"], "answer": answer}
        assert api.post("/api/token/", body).status_code == status


def test_a_project_may_have_no_factors(settings: Any) -> None:
    """Its own login asks for none, and a sign-up was not by a passkey."""
    from drf_tessera.contrib.allauth import TokenStrategy, ask_for_code

    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "allauth.mfa"]
    request = RequestFactory().post("/")
    request.session, request.user = SessionStore(), get_user_model().objects.create_user("bob", email=ANNA)
    assert ask_for_code(request, request.user) is None
    made = TokenStrategy().create_access_token_payload(request)
    assert verify_access_token(made["access_token"]).amr == ("email",)


class Person:
    """Somebody at a provider: follows its redirects, fills its forms, and keeps its cookies."""

    def __init__(self, issuer: str) -> None:
        self.issuer, self.browser = issuer, requests.Session()

    def get_id_token(self, name: str) -> str:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": "shop",
            "response_type": "code",
            "scope": "openid email",
            "redirect_uri": BACK,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        where = f"{self.issuer}/auth?{urlencode(asked)}"
        for body in ({"prompt": "login", "login": name, "password": "x"}, {"prompt": "consent"}):
            where = self._follow(where)
            where = self._send("post", where, data=body).headers["Location"]
        code = parse_qs(urlsplit(self._follow(where)).query)["code"][0]
        exchanged = {
            "grant_type": "authorization_code",
            "client_id": "shop",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": verifier,
        }
        return self._send("post", f"{self.issuer}/token", data=exchanged).json()["id_token"]

    def _follow(self, where: str) -> str:
        """Return the address of the form, or of the app, to which redirects lead."""
        while not where.startswith(BACK):
            answer = self._send("get", where)
            if answer.status_code == 200:
                return where
            where = urljoin(where, answer.headers["Location"])
        return where

    def _send(self, method: str, where: str, **more: Any) -> requests.Response:
        answer = self.browser.request(method, where, timeout=PATIENCE, allow_redirects=False, **more)
        assert answer.status_code < 400, answer.text
        return answer


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[str]:
    """Start a real OpenID provider, and return its address."""
    (node,) = require("node")
    folder, port = ROOT / "tests" / "issuers" / "node", find_port()
    install_packages(folder)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [make_jwk("one", "RS256")]}))
    command = [node, str(folder / "people.mjs"), str(port), str(keys)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_open(port), "the provider does not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.mark.server
def test_a_social_login_ends_in_one_session(app: App, issuer: str, settings: Any) -> None:
    """The same person comes twice, and has one account and two sessions."""
    found = {"provider_id": "shop", "name": "Shop", "client_id": "shop", "settings": {"server_url": issuer}}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [found]}}
    token = {"client_id": "shop", "id_token": Person(issuer).get_id_token("anna")}
    body = {"provider": "shop", "process": "login", "token": token}
    assert read_amr(app.call("auth/provider/token", body)["meta"]) == (("fed",), "fed")
    assert read_amr(App().call("auth/provider/token", body)["meta"]) == (("fed",), "fed")
    assert (Session.objects.count(), get_user_model().objects.count()) == (2, 1)
    head, _, _ = token["id_token"].rpartition(".")
    forged = {**body, "token": {**token, "id_token": f"{head}.{'A' * 342}"}}
    App().call("auth/provider/token", forged, 400)
    assert Session.objects.count() == 2

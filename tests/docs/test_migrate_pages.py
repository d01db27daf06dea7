"""The pages of ``docs/migrate``: their links and names exist, and their views work as described.

knox and dj-rest-auth are not installed here. This module has STAND-INS for their classes that find the user,
with the interface that the pages use (a token row that can be deleted; a cookie that names a user). So these
tests check drf-tessera's side of each exchange, and not the other package's side.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from drf_tessera import sessions
from drf_tessera.conf.settings import KEYS
from drf_tessera.models import Session
from tests.conftest import bearer

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "migrate").glob("*.md"))
KNOX = ROOT / "docs" / "migrate" / "from-knox.md"
DJ_REST_AUTH = ROOT / "docs" / "migrate" / "from-dj-rest-auth.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SITE = {"HTTP_ORIGIN": "https://testserver", "secure": True}
OTHER_SITE = {"HTTP_ORIGIN": "https://evil.example", "secure": True}
COOKIE_NAME = "__Secure-tessera_refresh_token"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
by_hand = pytest.mark.parametrize("page", [KNOX, DJ_REST_AUTH], ids=lambda page: page.stem)


# -- Links and names -------------------------------------------------------------------------------


def test_there_are_pages() -> None:
    assert {KNOX, DJ_REST_AUTH} <= set(PAGES)


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    assert targets
    for target in targets:
        if "://" not in target:
            assert (page.parent / target.partition("#")[0]).exists(), target


@by_hand
def test_every_setting_of_ours_exists(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r"""TESSERA\[["']([^"']+)["']\]""", text)
    for body in re.findall(r"^TESSERA = (\{.*?\})$", text, re.MULTILINE | re.DOTALL):
        named += ast.literal_eval(body)
    assert named
    assert set(named) <= set(KEYS)


@by_hand
def test_every_name_of_ours_exists(page: Path) -> None:
    """Check the dotted names in the text, and the imports of the Python blocks."""
    text = page.read_text()
    named = set(re.findall(r"[`\"](drf_tessera(?:\.\w+)+)[`\"(]", text))
    named |= {f"drf_tessera.{name}" for name in re.findall(r"`(sessions\.\w+)", text)}
    for block in BLOCK.findall(text):
        if block.startswith("# app/"):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("drf_tessera"):
                    named |= {f"{node.module}.{item.name}" for item in node.names}
    assert named
    for name in named:
        assert resolves(name), name


def resolves(name: str) -> bool:
    """Return whether a dotted name is a module, or an attribute of a module."""
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(import_module(module), attribute) or bool(import_module(name))
    except ImportError:
        return False


# -- Stand-ins for the other packages --------------------------------------------------------------


class KnoxToken:
    """A stand-in for a row of knox. It can be deleted once, and returns the count as Django's models do."""

    rows: dict[str, KnoxToken] = {}  # noqa: RUF012 - the table of this test

    def __init__(self, text: str, user: AbstractBaseUser) -> None:
        self.text, self.user = text, user
        self.rows[text] = self

    def delete(self) -> tuple[int, dict[str, int]]:
        return int(self.rows.pop(self.text, None) is not None), {}


class KnoxAuthenticationStandIn(BaseAuthentication):
    """A stand-in for ``knox.auth.TokenAuthentication``."""

    prefix = "Token"

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, KnoxToken] | None:
        scheme, _, text = get_authorization_header(request).decode().partition(" ")
        if scheme != self.prefix:
            return None
        if text not in KnoxToken.rows:
            raise AuthenticationFailed("Invalid token.")
        return KnoxToken.rows[text].user, KnoxToken.rows[text]

    def authenticate_header(self, request: Request) -> str:
        return self.prefix


class KnoxLogoutAllStandIn:
    """A stand-in for ``knox.views.LogoutAllView``, which the page's view calls with ``super``."""

    def post(self, request: Any, format: str | None = None) -> HttpResponse:  # noqa: A002 - the name in knox
        return HttpResponse(status=204)


class KnoxManagerStandIn:
    """A stand-in for the manager of knox's tokens."""

    def filter(self, *, user_id: str) -> Any:
        mine = [token for token in KnoxToken.rows.values() if str(token.user.pk) == user_id]
        return SimpleNamespace(delete=lambda: [token.delete() for token in mine])


class OldCookieStandIn(BaseAuthentication):
    """A stand-in for ``dj_rest_auth.jwt_auth.JWTCookieAuthentication``."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, str] | None:
        name = request.COOKIES.get("old")
        return (get_user_model().objects.get(pk=name), name) if name else None


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], ModuleType]:
    """Load a file of a page as a module of the app ``app``, under the name that the page states."""
    monkeypatch.setattr(KnoxToken, "rows", {})
    put(monkeypatch, "knox")
    put(monkeypatch, "knox.auth", TokenAuthentication=KnoxAuthenticationStandIn)
    put(monkeypatch, "knox.views", LogoutAllView=KnoxLogoutAllStandIn)
    tokens = SimpleNamespace(objects=KnoxManagerStandIn())
    put(monkeypatch, "knox.models", get_token_model=lambda: tokens)
    put(monkeypatch, "dj_rest_auth")
    put(
        monkeypatch,
        "dj_rest_auth.jwt_auth",
        JWTCookieAuthentication=OldCookieStandIn,
        unset_jwt_cookies=lambda response: response.delete_cookie("old"),
    )
    put(monkeypatch, "app", __path__=[])

    def load(page: Path, name: str) -> ModuleType:
        mark = f"# app/{name}.py\n"
        (source,) = [block for block in BLOCK.findall(page.read_text()) if block.startswith(mark)]
        module = put(monkeypatch, f"app.{name}", __package__="app")
        exec(compile(source, f"{page.name}: {name}.py", "exec"), vars(module))  # noqa: S102 - a page's file
        return module

    return load


def put(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def mount(monkeypatch: pytest.MonkeyPatch, **views: Any) -> override_settings:
    """Serve views, each under its name, in addition to the URLconf of the tests."""
    own = [path("api/token/", include("drf_tessera.rest.urls")), path("", include("tests.urls"))]
    patterns = [path(f"{name}/", view.as_view()) for name, view in views.items()]
    put(monkeypatch, "migrate_urls", urlpatterns=[*patterns, *own])
    return override_settings(ROOT_URLCONF="migrate_urls")


# -- From knox -------------------------------------------------------------------------------------


def test_a_knox_token_is_exchanged_once(
    api: APIClient, anna: AbstractBaseUser, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    KnoxToken("k1", anna)
    with mount(monkeypatch, exchange=app(KNOX, "exchange").ExchangeView):
        answer = api.post("/exchange/", HTTP_AUTHORIZATION="Token k1", HTTP_USER_AGENT="curl")
        again = api.post("/exchange/", HTTP_AUTHORIZATION="Token k1")
        nobody = api.post("/exchange/")
        grant = answer.json()
        assert api.get("/me/", **bearer(grant["access"])).json() == {"id": str(anna.pk)}
        assert "refresh" in api.post("/api/token/refresh/", {"refresh": grant["refresh"]}).json()
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert not KnoxToken.rows
    assert (again.status_code, nobody.status_code) == (401, 401)
    assert nobody.json()["code"] == "not_authenticated"
    assert Session.objects.get().device == "curl"


def test_two_exchanges_at_once_begin_one_session(
    api: APIClient, anna: AbstractBaseUser, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    KnoxToken("k1", anna)
    monkeypatch.setattr(KnoxToken, "delete", lambda self: (0, {}))  # another request has just deleted the row
    with mount(monkeypatch, exchange=app(KNOX, "exchange").ExchangeView):
        assert api.post("/exchange/", HTTP_AUTHORIZATION="Token k1").status_code == 401
    assert not Session.objects.exists()


def test_knox_leaves_a_jwt_under_the_same_prefix_to_us(anna: AbstractBaseUser, app: Any) -> None:
    kind = app(KNOX, "authentication").KnoxAuthentication
    kind.prefix = "Bearer"
    KnoxToken("k1", anna)
    factory = APIRequestFactory()
    ours = bearer(sessions.start(anna).access)
    assert kind().authenticate(Request(factory.get("/", **ours))) is None
    assert kind().authenticate(Request(factory.get("/"))) is None
    assert kind().authenticate(Request(factory.get("/", **bearer("k1"))))[0] == anna


@pytest.mark.django_db(transaction=True)  # signals are sent after the commit
def test_logouts_end_both_kinds(anna: AbstractBaseUser, bob: AbstractBaseUser, app: Any) -> None:
    page = app(KNOX, "logout")
    try:
        KnoxToken("bobs", bob)
        KnoxToken("k1", anna)
        grant = sessions.start(anna)
        assert page.LogoutEverywhereView().post(SimpleNamespace(user=anna)).status_code == 204
        assert not sessions.live_sessions(anna.pk).exists()
        assert set(KnoxToken.rows) == {"bobs"}

        KnoxToken("k2", anna)
        grant = sessions.start(anna)
        sessions.revoke(grant.session_id)
        assert set(KnoxToken.rows) == {"bobs", "k2"}  # a logout of one device

        sessions.start(anna)
        anna.set_password("another one")
        anna.save()
        assert set(KnoxToken.rows) == {"bobs"}
    finally:
        page.session_revoked.disconnect(page.end_knox_tokens)


# -- From dj-rest-auth -----------------------------------------------------------------------------


@override_settings(TESSERA={"PROFILE": "browser"})
def test_old_cookies_are_exchanged(anna: AbstractBaseUser, app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    app(DJ_REST_AUTH, "tokens")
    api = APIClient(enforce_csrf_checks=True)
    api.cookies["old"] = str(anna.pk)
    with mount(monkeypatch, exchange=app(DJ_REST_AUTH, "exchange").ExchangeView):
        refused = api.post("/exchange/", **OTHER_SITE)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_origin")
        assert not Session.objects.exists()
        answer = api.post("/exchange/", **SITE)
        restored = api.post("/api/token/refresh/", {"with_user": True}, **SITE)
        assert api.post("/exchange/", **SITE).status_code == 401
    assert answer.status_code == 200
    assert set(answer.json()) == set(restored.json()) >= {"access", "expires_in", "session", "user"}
    cookie = answer.cookies[COOKIE_NAME]
    assert (cookie["path"], cookie["httponly"], cookie["secure"]) == ("/api/token/", True, True)
    assert answer.cookies["old"].value == ""
    assert restored.json()["session"] == answer.json()["session"]
    assert restored.json()["user"] == answer.json()["user"]


@override_settings(TESSERA={"PROFILE": "browser"})
def test_a_login_view_of_dj_rest_auth_answers_with_our_session(anna: AbstractBaseUser, app: Any) -> None:
    class LoginView:
        """A stand-in for dj-rest-auth's login and MFA login."""

        def get_response(self) -> str:
            return "theirs"

    class Login(app(DJ_REST_AUTH, "tokens").SessionMixin, LoginView):
        amr = ("otp",)

    view = Login()
    view.user, view.request = anna, Request(APIRequestFactory().post("/", **SITE))
    view.process_login()
    answer = view.get_response()
    assert COOKIE_NAME in answer.cookies
    assert Session.objects.get().amr == "otp"
    view.ephemeral_token = "the second factor is still to come"
    assert view.get_response() == "theirs"

"""The refresh token in a cookie, and optionally the access token in another cookie."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.handlers.asgi import ASGIRequest
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.test import APIClient

from drf_tessera import JWTAuthentication
from drf_tessera.conf import COOKIE, LIMITS
from drf_tessera.exceptions import ProjectError
from drf_tessera.http import cookies
from drf_tessera.models import Session
from drf_tessera.rest.views import RefreshView
from tests.conftest import PASSWORD, bearer
from tests.rest.test_endpoints import age

pytestmark = pytest.mark.django_db

REFRESH = "__Secure-tessera_refresh_token"
ACCESS = "__Host-tessera_access_token"
MARKER = "__Host-tessera_signed_in"
HOST_REFRESH = "__Host-tessera_refresh_token"
BOTH = {"PROFILE": ["api", "browser"]}


class Browser:
    """A client that keeps cookies by path, like a browser, and shows the cookies of the last answer."""

    def __init__(self, *, secure: bool = True, host: str = "api.example.com") -> None:
        self.api = APIClient()
        self.secure = secure
        self.host = host

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"host": self.host, **headers}
        call = getattr(self.api, method)
        return call(path, {} if body is None else body, headers=sent, secure=self.secure)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("post", path, body, **headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.send("get", path, **headers)

    def log_in(self, user: AbstractBaseUser, **extra: object) -> Any:
        body = {"username": user.get_username(), "password": PASSWORD, **extra}
        answer = self.post("/api/token/", body)
        assert answer.status_code == 200, answer.content
        return answer


@pytest.fixture
def browser(settings: Any) -> Browser:
    settings.TESSERA = {"PROFILE": "browser"}
    return Browser()


class TestProfiles:
    def test_api_never_reads_a_cookie(self, browser: Browser, anna: AbstractBaseUser, settings: Any) -> None:
        browser.log_in(anna)
        settings.TESSERA = {"PROFILE": "api"}
        answer = browser.post("/api/token/refresh/")
        assert answer.status_code == 400
        assert answer.json()["fields"]["refresh"][0]["code"] == "required"
        assert browser.post("/api/token/revoke/").json()["code"] == "token_missing"
        assert Session.objects.get().revoked_at is None

    def test_api_is_the_default(self, browser: Browser, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {}
        answer = browser.log_in(anna)
        assert not answer.cookies
        assert answer.json()["refresh"].startswith("tsr_")

    def test_browser_puts_no_refresh_token_into_a_body(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        for answer in (browser.log_in(anna), browser.post("/api/token/refresh/")):
            assert answer.status_code == 200
            assert REFRESH in answer.cookies
            assert "refresh" not in answer.json()
            assert b"tsr_" not in answer.content

    @pytest.mark.parametrize(
        ("profile", "asked"), [("api", "cookie"), ("browser", "header"), (["api"], "cookie")]
    )
    def test_a_transport_that_is_not_offered(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any, profile: Any, asked: str
    ) -> None:
        settings.TESSERA = {"PROFILE": profile}
        body = {"username": anna.get_username(), "password": PASSWORD, "transport": asked}
        answer = browser.post("/api/token/", body)
        assert answer.status_code == 400
        assert answer.json()["code"] == "transport_unavailable"
        assert "only by" in answer.json()["detail"]
        assert asked not in answer.json()["detail"]

    @pytest.mark.parametrize("asked", ["", "body", None, 1, [], {}])
    def test_an_unknown_transport_is_a_400(
        self, browser: Browser, anna: AbstractBaseUser, asked: Any
    ) -> None:
        body = {"username": anna.get_username(), "password": PASSWORD, "transport": asked}
        answer = browser.post("/api/token/", body)
        assert answer.status_code == 400
        assert "transport" in answer.json()["fields"]

    @pytest.mark.parametrize(("profile", "first"), [(["api", "browser"], False), (["browser", "api"], True)])
    def test_the_first_profile_is_for_clients_that_do_not_choose(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any, profile: list[str], first: bool
    ) -> None:
        settings.TESSERA = {"PROFILE": profile}
        assert (REFRESH in browser.log_in(anna).cookies) == first
        assert REFRESH in browser.log_in(anna, transport="cookie").cookies
        assert "refresh" in browser.log_in(anna, transport="header").json()


class TestASessionStaysOnItsTransport:
    @pytest.fixture(autouse=True)
    def _both(self, settings: Any) -> None:
        settings.TESSERA = BOTH

    @pytest.mark.parametrize("path", ["/api/token/refresh/", "/api/token/revoke/"])
    def test_a_token_of_a_cookie_is_refused_in_a_body(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any, path: str
    ) -> None:
        settings.TESSERA = BOTH
        token = browser.log_in(anna, transport="cookie").cookies[REFRESH].value
        answer = Browser().post(path, {"refresh": token})
        assert answer.status_code == 401
        assert answer.json()["code"] == "transport_mismatch"
        session = Session.objects.get()
        assert session.revoked_at is None
        assert session.generation == 0

    def test_a_token_of_a_body_is_refused_in_a_cookie(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any
    ) -> None:
        settings.TESSERA = BOTH
        token = browser.log_in(anna).json()["refresh"]
        browser.api.cookies[REFRESH] = token
        answer = browser.post("/api/token/refresh/")
        assert answer.status_code == 401
        assert answer.json()["code"] == "transport_mismatch"

    def test_a_refresh_keeps_it(self, browser: Browser, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = BOTH
        browser.log_in(anna, transport="cookie")
        for _ in range(3):
            answer = browser.post("/api/token/refresh/")
            assert REFRESH in answer.cookies
            assert "refresh" not in answer.json()
            age()

    def test_the_token_in_the_body_takes_precedence_over_the_cookie(
        self, browser: Browser, anna: AbstractBaseUser, bob: AbstractBaseUser, settings: Any
    ) -> None:
        """A page may have one session by cookie and another session by header."""
        settings.TESSERA = BOTH
        browser.log_in(anna, transport="cookie")
        mine = browser.log_in(bob).json()
        answer = browser.post("/api/token/refresh/", {"refresh": mine["refresh"]})
        assert answer.json()["session"] == mine["session"]
        assert not answer.cookies
        answer = browser.post("/api/token/revoke/", {"refresh": mine["refresh"]})
        assert answer.json() == {"revoked": True}
        assert not answer.cookies
        assert browser.post("/api/token/refresh/").status_code == 200

    def test_a_profile_that_was_taken_away_is_refused(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any
    ) -> None:
        settings.TESSERA = BOTH
        token = browser.log_in(anna, transport="header").json()["refresh"]
        settings.TESSERA = {"PROFILE": "browser"}
        answer = browser.post("/api/token/refresh/", {"refresh": token})
        assert answer.status_code == 401
        assert answer.json()["code"] == "transport_mismatch"
        assert browser.post("/api/token/revoke/", {"refresh": token}).json() == {"revoked": True}


class TestAttributes:
    def test_the_refresh_cookie_has_its_attributes(self, browser: Browser, anna: AbstractBaseUser) -> None:
        for answer in (browser.log_in(anna), browser.post("/api/token/refresh/")):
            cookie = answer.cookies[REFRESH]
            assert set(answer.cookies) == {REFRESH, MARKER}
            assert {name: value for name, value in cookie.items() if value and name != "expires"} == {
                "path": "/api/token/",
                "max-age": 14 * 86400,
                "httponly": True,
                "secure": True,
                "samesite": "Lax",
            }

    def test_max_age_is_the_idle_limit_and_never_beyond_the_absolute_one(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any
    ) -> None:
        settings.TESSERA = {
            "PROFILE": "browser",
            "SESSION_IDLE_LIFETIME": timedelta(hours=2),
            "SESSION_LIFETIME": timedelta(hours=3),
        }
        assert browser.log_in(anna).cookies[REFRESH]["max-age"] == 7200

    @pytest.mark.slow
    @pytest.mark.parametrize("samesite", ["Lax", "Strict", "None"])
    @pytest.mark.parametrize("path", [None, "/", "/api/"])
    @pytest.mark.parametrize("secure", [None, True, False])
    def test_deleted_with_the_very_attributes_that_it_was_set_with(  # noqa: PLR0917 - each is a parameter
        self,
        browser: Browser,
        anna: AbstractBaseUser,
        settings: Any,
        samesite: str,
        path: str | None,
        secure: bool | None,
    ) -> None:
        if secure is False and samesite == "None":
            return  # E017: browsers drop these cookies
        settings.TESSERA = {
            "PROFILE": "browser",
            "ACCESS_COOKIE": True,
            "COOKIE_SAMESITE": samesite,
            "COOKIE_PATH": path,
            "COOKIE_SECURE": secure,
        }
        was = _describe(browser.log_in(anna))
        left = _describe(browser.post("/api/token/revoke/"))
        assert was == left
        prefixed = {name.partition("tessera")[0] for name in was}
        assert prefixed == (
            {""} if secure is False else {"__Host-", "__Secure-"} if path != "/" else {"__Host-"}
        )
        for text in was.values():
            # Browsers that block third-party cookies drop a cookie without Partitioned for pages of another
            # site.
            assert ("Partitioned" in text) == (samesite == "None")
            assert ("Secure" in text) == (secure is not False)
        answer = browser.post("/api/token/revoke/")
        assert answer.json() == {"revoked": False}

    def test_deletion_is_a_date_that_has_passed(self, browser: Browser, anna: AbstractBaseUser) -> None:
        browser.log_in(anna)
        cookie = browser.post("/api/token/revoke/").cookies[REFRESH]
        assert cookie.value == ""
        assert cookie["max-age"] == 0
        assert cookie["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"

    def test_the_largest_refresh_token_fits(self) -> None:
        assert len("__Secure-") + len(cookies.REFRESH) + LIMITS[COOKIE].refresh_length < 4096

    def test_the_largest_access_token_just_fits(self) -> None:
        assert len(ACCESS) + (LIMITS[COOKIE].access_cookie_length or 0) == 4096

    @pytest.mark.parametrize(
        ("debug", "host", "secure", "expected"),
        [
            (True, "localhost:8000", False, False),
            (True, "127.0.0.1:8000", False, False),
            (True, "[::1]:8000", False, False),
            (True, "app.localhost", False, False),
            (True, "localhost", True, True),
            (True, "api.example.com", False, True),
            (True, "localhost.example.com", False, True),
            (True, "[::2]:8000", False, True),
            (False, "localhost:8000", False, True),
        ],
    )
    def test_plain_cookies_only_for_development_on_this_machine(  # noqa: PLR0917 - each is a parameter
        self,
        browser: Browser,
        anna: AbstractBaseUser,
        settings: Any,
        debug: bool,
        host: str,
        secure: bool,
        expected: bool,
    ) -> None:
        settings.DEBUG = debug
        local = Browser(secure=secure, host=host)
        for cookie in local.log_in(anna).cookies.values():
            assert bool(cookie["secure"]) == expected
            assert cookie.key.startswith("__") == expected
        assert local.post("/api/token/refresh/").status_code == 200

    @pytest.mark.parametrize("path", ["/api/token/", "/api/token/refresh/"])
    def test_no_answer_with_a_token_is_kept_by_caches(
        self, browser: Browser, anna: AbstractBaseUser, path: str
    ) -> None:
        answer = browser.log_in(anna) if path == "/api/token/" else browser.post(path)
        assert "no-store" in answer["Cache-Control"]


def _describe(answer: Any) -> dict[str, str]:
    """Return everything of a cookie that a browser compares, so all except the value and the time."""
    return {
        cookie.key: "; ".join(
            part
            for part in cookie.OutputString().split("; ")[1:]
            if not part.startswith(("Max-Age", "expires"))
        )
        for cookie in answer.cookies.values()
    }


class TestRefresh:
    def test_nobody_is_logged_in(self, browser: Browser) -> None:
        answer = browser.post("/api/token/refresh/")
        assert answer.status_code == 401
        assert answer.json() == {"detail": "There is no refresh token; log in.", "code": "refresh_missing"}

    @pytest.mark.parametrize("body", [{}, {"refresh": None}])
    def test_by_cookie(self, browser: Browser, anna: AbstractBaseUser, body: Any) -> None:
        browser.log_in(anna)
        answer = browser.post("/api/token/refresh/", body)
        assert answer.status_code == 200
        assert browser.get("/me/", **_header(answer.json()["access"])).status_code == 200

    def test_with_user_says_who_it_is_by_one_query_more(
        self, browser: Browser, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        """A page does not know its user after a reload."""
        user = browser.log_in(anna).json()["user"]
        with django_assert_num_queries(2):
            answer = browser.post("/api/token/refresh/", {"with_user": True})
        assert answer.json()["user"] == user
        assert "user" not in browser.post("/api/token/refresh/", {"with_user": False}).json()
        assert browser.post("/api/token/refresh/", {"with_user": "x"}).status_code == 400

    def test_a_user_serializer_that_fails_has_spent_nothing(
        self, browser: Browser, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser.log_in(anna)
        monkeypatch.setattr(RefreshView, "user_serializer_class", BrokenSerializer)
        with pytest.raises(ZeroDivisionError):
            browser.post("/api/token/refresh/", {"with_user": True})
        assert Session.objects.get().generation == 0

    def test_with_user_refuses_as_a_refresh_does(self, browser: Browser, anna: AbstractBaseUser) -> None:
        """A refusal also ends everything that a refused refresh ends."""
        old = browser.log_in(anna).cookies[REFRESH].value
        browser.post("/api/token/refresh/")
        age()
        browser.post("/api/token/refresh/")
        age()
        for value, code in (("x", "refresh_invalid"), (old, "refresh_reused"), (old, "session_revoked")):
            answer = browser.post(
                "/api/token/refresh/", {"with_user": True}, cookie=f"{REFRESH}={value}"
            ).json()
            assert (answer["code"], "user" in answer) == (code, False)

    def test_within_the_grace_window_no_cookie_is_set(self, browser: Browser, anna: AbstractBaseUser) -> None:
        old = browser.log_in(anna).cookies[REFRESH].value
        new = browser.post("/api/token/refresh/").cookies[REFRESH].value
        browser.api.cookies[REFRESH] = old
        answer = browser.post("/api/token/refresh/")
        assert answer.status_code == 200
        assert not answer.cookies
        browser.api.cookies[REFRESH] = new
        age()
        assert REFRESH in browser.post("/api/token/refresh/").cookies

    def test_a_lost_answer_is_repeated_with_its_cookie(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        old = browser.log_in(anna).cookies[REFRESH].value
        browser.post("/api/token/refresh/")
        age()
        values = {old}
        for _ in range(2):
            browser.api.cookies[REFRESH] = old
            values.add(browser.post("/api/token/refresh/").cookies[REFRESH].value)
        assert len(values) == 3

    def test_a_refusal_leaves_the_cookie(self, browser: Browser, anna: AbstractBaseUser) -> None:
        """The refusal may be late. It would delete the cookie of a newer login."""
        browser.log_in(anna)
        Session.objects.update(revoked_at="2020-01-01T00:00:00Z")
        answer = browser.post("/api/token/refresh/")
        assert answer.status_code == 401
        assert not answer.cookies

    @pytest.mark.parametrize("value", ["", "x", "tsr_", '"tsr_a"', "tsr_" + "A" * 3000, "\\"])
    def test_rubbish_is_a_401(self, browser: Browser, value: str) -> None:
        answer = browser.post("/api/token/refresh/", cookie=f"{REFRESH}={value}")
        assert answer.status_code == 401
        assert answer.json()["code"] in {"refresh_invalid", "refresh_missing"}

    def test_the_name_without_its_prefix_is_not_ours(self, browser: Browser, anna: AbstractBaseUser) -> None:
        """A browser accepts the prefixed name only from this host and only over TLS."""
        token = browser.log_in(anna).cookies[REFRESH].value
        answer = browser.post("/api/token/refresh/", cookie=f"{cookies.REFRESH}={token}")
        assert answer.json()["code"] == "refresh_missing"

    def test_the_same_cookie_twice_is_accepted(self, browser: Browser, anna: AbstractBaseUser) -> None:
        token = browser.log_in(anna).cookies[REFRESH].value
        twice = f"{REFRESH}={token}; other=1; {REFRESH}={token}"
        assert browser.post("/api/token/refresh/", cookie=twice).status_code == 200


class TestLogout:
    def test_by_cookie(self, browser: Browser, anna: AbstractBaseUser) -> None:
        access = browser.log_in(anna).json()["access"]
        assert browser.post("/api/token/revoke/").json() == {"revoked": True}
        assert browser.get("/me/", **_header(access)).status_code == 401
        assert not browser.api.cookies[REFRESH].value

    def test_by_header_takes_the_cookie_of_that_session_along(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        access = browser.log_in(anna).json()["access"]
        answer = browser.post("/api/token/revoke/", **_header(access))
        assert answer.json() == {"revoked": True}
        assert answer.cookies[REFRESH].value == ""

    def test_by_header_leaves_the_cookie_of_another_session(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any
    ) -> None:
        settings.TESSERA = BOTH
        browser.log_in(anna, transport="cookie")
        access = browser.log_in(anna, transport="header").json()["access"]
        assert not browser.post("/api/token/revoke/", **_header(access)).cookies
        assert browser.post("/api/token/refresh/").status_code == 200

    @pytest.mark.parametrize("way", ["cookie", "refresh", "header", "access cookie"])
    def test_a_logout_of_a_named_session_ends_only_that_session(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any, way: str
    ) -> None:
        """A late logout may arrive with the cookie of the next login."""
        settings.TESSERA = {**BOTH, "ACCESS_COOKIE": way == "access cookie"}
        other = Browser().log_in(anna, transport="header").json()["session"]
        body = browser.log_in(anna, transport="cookie" if "cookie" in way else "header").json()
        sent: dict[str, str] = {"refresh": body["refresh"]} if way == "refresh" else {}
        headers = _header(body["access"]) if way == "header" else {}
        if way == "access cookie":
            del browser.api.cookies[REFRESH]
        answer = browser.post("/api/token/revoke/", {**sent, "session": other}, **headers)
        assert (answer.status_code, answer.json(), dict(answer.cookies)) == (200, {"revoked": False}, {})
        assert Session.objects.filter(revoked_at=None).count() == 2
        answer = browser.post("/api/token/revoke/", {**sent, "session": body["session"]}, **headers)
        assert answer.json() == {"revoked": True}
        assert Session.objects.get(revoked_at=None).pk == UUID(other)

    def test_a_malformed_session_id_is_a_400(self, browser: Browser) -> None:
        assert browser.post("/api/token/revoke/", {"session": "x"}).status_code == 400

    def test_nobody_is_logged_in(self, browser: Browser) -> None:
        """The answer clears no cookie, because another site may have sent the request, without the cookie."""
        answer = browser.post("/api/token/revoke/")
        assert (answer.status_code, answer.json()) == (200, {"revoked": False})
        assert not answer.cookies

    @pytest.mark.parametrize("value", ["x", "tsr_", "tsr_" + "A" * 200])
    def test_rubbish_is_cleared(self, browser: Browser, value: str) -> None:
        answer = browser.post("/api/token/revoke/", cookie=f"{REFRESH}={value}")
        assert answer.json() == {"revoked": False}
        assert answer.cookies[REFRESH].value == ""

    def test_everywhere_clears_it(self, browser: Browser, anna: AbstractBaseUser) -> None:
        access = browser.log_in(anna).json()["access"]
        answer = browser.send("delete", "/api/token/sessions/", **_header(access))
        assert answer.json() == {"revoked": 1}
        assert answer.cookies[REFRESH].value == ""

    def test_everywhere_leaves_the_cookie_of_somebody_else(
        self, browser: Browser, anna: AbstractBaseUser, bob: AbstractBaseUser, settings: Any
    ) -> None:
        settings.TESSERA = BOTH
        browser.log_in(bob, transport="cookie")
        access = browser.log_in(anna, transport="header").json()["access"]
        assert not browser.send("delete", "/api/token/sessions/", **_header(access)).cookies

    def test_deleting_the_current_session_by_its_id_deletes_the_cookie(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        body = browser.log_in(anna).json()
        path = f"/api/token/sessions/{body['session']}/"
        answer = browser.send("delete", path, **_header(body["access"]))
        assert answer.status_code == 204
        assert answer.cookies[REFRESH].value == ""

    def test_deleting_another_session_by_its_id_keeps_the_cookie(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        other = Browser().log_in(anna).json()
        body = browser.log_in(anna).json()
        path = f"/api/token/sessions/{other['session']}/"
        answer = browser.send("delete", path, **_header(body["access"]))
        assert answer.status_code == 204
        assert not answer.cookies

    def test_an_unreadable_cookie_does_not_stop_the_logout(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        access = browser.log_in(anna).json()["access"]
        header = _header(access)
        for cookie in (f"{REFRESH}=x", f"{REFRESH}=a; {REFRESH}=b"):
            answer = browser.send("delete", "/api/token/sessions/others/", cookie=cookie, **header)
            assert answer.json() == {"revoked": 0}
        answer = browser.send("delete", "/api/token/sessions/", cookie=cookie, **header)
        assert (answer.status_code, dict(answer.cookies)) == (200, {})


class TestAccessCookie:
    @pytest.fixture(autouse=True)
    def _on(self, settings: Any) -> None:
        settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}

    @pytest.fixture
    def browser(self) -> Browser:
        return Browser()

    def test_no_script_gets_a_token(self, browser: Browser, anna: AbstractBaseUser) -> None:
        for answer in (browser.log_in(anna), browser.post("/api/token/refresh/")):
            assert set(answer.cookies) == {REFRESH, ACCESS, MARKER}
            assert {"access", "refresh", "token_type"}.isdisjoint(answer.json())
            cookie = answer.cookies[ACCESS]
            assert (cookie["path"], cookie["max-age"], cookie["httponly"]) == ("/", 300, True)

    def test_authenticates(self, browser: Browser, anna: AbstractBaseUser) -> None:
        browser.log_in(anna)
        assert browser.get("/me/").json() == {"id": str(anna.pk)}
        assert browser.get("/strict/").json() == {"id": str(anna.pk)}
        assert browser.get("/public/").json()["id"] == str(anna.pk)

    @pytest.mark.usefixtures("still_feed")
    def test_costs_no_query(
        self, browser: Browser, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        browser.log_in(anna)
        browser.get("/me/")
        with django_assert_num_queries(0):
            browser.get("/me/")

    def test_is_not_read_without_the_option(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any
    ) -> None:
        browser.log_in(anna)
        settings.TESSERA = {"PROFILE": "browser"}
        assert browser.get("/me/").status_code == 401

    @pytest.mark.parametrize("header", ["Bearer x", "Bearer", "bearer "])
    def test_counts_only_without_a_header_of_ours(
        self, browser: Browser, anna: AbstractBaseUser, header: str
    ) -> None:
        browser.log_in(anna)
        assert browser.get("/me/", authorization=header).status_code == 401

    def test_counts_beside_what_a_browser_sends_by_itself(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        """For example behind a proxy that asks for its own password."""
        browser.log_in(anna)
        assert browser.get("/me/", authorization="Basic eDp5").status_code == 200
        assert browser.post("/api/token/revoke/", authorization="Basic eDp5").json() == {"revoked": True}

    def test_is_told_to_caches(self, browser: Browser, anna: AbstractBaseUser, settings: Any) -> None:
        """Otherwise ``cache_page`` would show the answer of one user to another user."""
        browser.log_in(anna)
        assert "Cookie" in browser.get("/me/")["Vary"]
        assert "Cookie" in Browser().get("/public/")["Vary"]
        settings.TESSERA = {"PROFILE": "browser"}
        assert "Cookie" not in browser.get("/public/").get("Vary", "")

    def test_its_token_alone_is_refused_as_a_header(self, browser: Browser, anna: AbstractBaseUser) -> None:
        """The cache entry of a cookie's token must not accept a header without a scheme."""
        token = browser.log_in(anna).cookies[ACCESS].value
        browser.get("/me/")
        assert Browser().get("/me/", authorization=token).status_code == 401

    def test_authenticates_where_no_view_is_around(self, browser: Browser, anna: AbstractBaseUser) -> None:
        browser.log_in(anna)
        token = browser.api.cookies[ACCESS].value
        request = RequestFactory().get("/", headers={"cookie": f"{ACCESS}={token}"}, secure=True)
        found = JWTAuthentication().authenticate(Request(request))
        assert found is not None
        assert found[0] == anna

    def test_a_cookie_of_an_ended_session_is_refused(self, browser: Browser, anna: AbstractBaseUser) -> None:
        answer = browser.log_in(anna)
        browser.post("/api/token/revoke/")
        browser.api.cookies[ACCESS] = answer.cookies[ACCESS].value
        assert browser.get("/me/").json()["code"] == "session_ended"

    @pytest.mark.parametrize("value", ["x", "a.b.c", "tsr_abc"])
    def test_rubbish_is_a_401(self, browser: Browser, value: str) -> None:
        answer = browser.get("/me/", cookie=f"{ACCESS}={value}")
        assert answer.status_code == 401
        assert answer.json()["code"] == "token_malformed"

    def test_logs_out_by_itself(self, browser: Browser, anna: AbstractBaseUser) -> None:
        browser.log_in(anna)
        del browser.api.cookies[REFRESH]
        answer = browser.post("/api/token/revoke/")
        assert answer.json() == {"revoked": True}
        assert {cookie.value for cookie in answer.cookies.values()} == {""}

    def test_a_tossed_cookie_is_a_403(self, browser: Browser, anna: AbstractBaseUser) -> None:
        token = browser.log_in(anna).cookies[ACCESS].value
        answer = browser.get("/me/", cookie=f"{ACCESS}={token}; {ACCESS}=x")
        assert answer.status_code == 403
        assert answer.json()["code"] == "cookie_ambiguous"

    def test_one_that_browsers_would_drop_is_an_error_that_has_spent_nothing(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any
    ) -> None:
        browser.log_in(anna)
        settings.TESSERA = {**settings.TESSERA, "CLAIMS": f"{__name__}.say_too_much"}
        with pytest.raises(ProjectError, match="Browsers keep cookies of at most 4069"):
            browser.post("/api/token/refresh/")
        with pytest.raises(ProjectError, match="Browsers keep cookies of at most 4069"):
            browser.log_in(anna)
        assert Session.objects.get().generation == 0


class TestAPathThatMoves:
    """A second version of the endpoints is mounted, so the common directory of the endpoints changes."""

    @pytest.mark.parametrize(("old", "new"), [("/api/", "/api/token/"), ("/api/token/", "/api/")])
    def test_costs_one_refusal(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any, old: str, new: str
    ) -> None:
        settings.TESSERA = {"PROFILE": "browser", "COOKIE_PATH": old}
        stray = browser.log_in(anna).cookies[REFRESH].value
        settings.TESSERA = {"PROFILE": "browser", "COOKIE_PATH": new}
        ours = browser.post("/api/token/refresh/").cookies[REFRESH].value
        answer = browser.post("/api/token/refresh/", cookie=f"{REFRESH}={ours}; {REFRESH}={stray}")
        assert (answer.status_code, answer.json()["code"]) == (403, "cookie_ambiguous")
        written = [str(cookie.output(header="")).strip() for cookie in answer.cookies.values()]
        deleted = {text.partition("Path=")[2].partition(";")[0] for text in written}
        assert all(text.startswith(f'{REFRESH}="";') and "Max-Age=0" in text for text in written)
        assert deleted == {"/api/", "/api/token/", "/api/token/refresh/"} - {new}

    def test_an_empty_cookie_beside_the_right_one_is_ignored(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        ours = browser.log_in(anna).cookies[REFRESH].value
        answer = browser.post("/api/token/refresh/", cookie=f"{REFRESH}={ours}; {REFRESH}=")
        assert answer.status_code == 200


class TestCors:
    """A page on another origin of the same site, with django-cors-headers."""

    PAGE = "https://app.example.com"

    @pytest.fixture(autouse=True)
    def _installed(self, settings: Any) -> None:
        settings.TESSERA = {"PROFILE": "browser"}
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "corsheaders"]
        settings.MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *settings.MIDDLEWARE]
        settings.CORS_ALLOWED_ORIGINS = [self.PAGE]
        settings.CORS_ALLOW_CREDENTIALS = True
        settings.CSRF_TRUSTED_ORIGINS = [self.PAGE]

    def test_log_in_call_refresh_log_out(self, anna: AbstractBaseUser) -> None:
        browser = Browser()
        browser.api.handler.enforce_csrf_checks = True
        headers = {"origin": self.PAGE, "sec-fetch-site": "same-site"}
        body = {"username": anna.get_username(), "password": PASSWORD}
        answers = [
            browser.post("/api/token/", body, **headers),
            browser.post("/api/token/refresh/", **headers),
            browser.post("/api/token/revoke/", **headers),
        ]
        for answer in answers:
            assert answer.status_code == 200, answer.content
            assert answer["Access-Control-Allow-Origin"] == self.PAGE
            assert answer["Access-Control-Allow-Credentials"] == "true"

    def test_the_preflight_lets_our_headers_through(self) -> None:
        answer = Browser().send(
            "options",
            "/me/",
            **{
                "origin": self.PAGE,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type,x-csrftoken",
            },
        )
        allowed = answer["Access-Control-Allow-Headers"]
        assert {"authorization", "content-type", "x-csrftoken"} <= set(allowed.split(", "))

    def test_an_origin_that_is_not_trusted_is_told_in_a_way_that_its_page_can_read(
        self, anna: AbstractBaseUser, settings: Any
    ) -> None:
        settings.CSRF_TRUSTED_ORIGINS = []
        browser = Browser()
        browser.api.handler.enforce_csrf_checks = True
        body = {"username": anna.get_username(), "password": PASSWORD}
        answer = browser.post("/api/token/", body, origin=self.PAGE)
        assert answer.status_code == 403
        assert answer.json()["code"] == "csrf_origin"
        assert answer["Access-Control-Allow-Origin"] == self.PAGE


class BrokenSerializer(BaseSerializer[Any]):
    def to_representation(self, instance: Any) -> Any:
        return 1 / 0


def say_too_much(user: Any, session: Any) -> dict[str, Any]:
    return {"more": "x" * 3000}


def test_a_form_logs_in_by_cookie(browser: Browser, anna: AbstractBaseUser) -> None:
    """For pages that the server renders."""
    body = urlencode({"username": anna.get_username(), "password": PASSWORD, "transport": "cookie"})
    answer = browser.api.post(
        "/api/token/",
        body,
        content_type="application/x-www-form-urlencoded",
        headers={"host": browser.host},
        secure=True,
    )
    assert answer.status_code == 200
    assert REFRESH in answer.cookies


def _header(token: str) -> dict[str, str]:
    return {"authorization": bearer(token)["HTTP_AUTHORIZATION"]}


@pytest.mark.parametrize("space", ["\u2000", "\u00a0", "\u0085", "\u3000", "\u2028", "\x1c"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_name_that_only_looks_like_ours_is_not_ours(settings: Any, space: str, kind: str) -> None:
    """For a browser, a name after such a space has no prefix, so any subdomain may set this cookie."""
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True, "COOKIE_PATH": "/"}

    def make(header: str) -> Any:
        if kind == "wsgi":
            return RequestFactory().post("/x", HTTP_COOKIE=header.encode().decode("latin-1"))
        raw = [(b"cookie", header.encode()), (b"host", b"testserver")]
        scope = {"type": "http", "method": "POST", "path": "/x", "headers": raw, "query_string": b""}
        return ASGIRequest(scope, io.BytesIO())

    for name, read in ((ACCESS, cookies.read_access_cookie), (HOST_REFRESH, _read_refresh)):
        assert read(make(f"{space}{name}=evil")) is None
        assert read(make(f"{name}=good; {space}{name}=evil")) == "good"
        assert read(make(f"{space}{name}=evil; \t{name}=good")) == "good"


def _read_refresh(request: Any) -> str | None:
    return cookies.read_refresh_cookie(request, "/")


class TestMarker:
    """A cookie that scripts can read says whether a refresh cookie exists, and nothing else."""

    def test_a_login_sets_it_and_a_logout_deletes_it(self, browser: Browser, anna: AbstractBaseUser) -> None:
        answer = browser.log_in(anna)
        marker, cookie = answer.cookies[MARKER], answer.cookies[REFRESH]
        assert (marker.value, marker["path"], marker["httponly"]) == ("1", "/", "")
        for attribute in ("max-age", "samesite", "secure", "domain"):
            assert marker[attribute] == cookie[attribute]
        assert cookie["httponly"] is True
        answer = browser.post("/api/token/revoke/")
        assert (answer.cookies[MARKER].value, answer.cookies[MARKER]["max-age"]) == ("", 0)

    def test_it_lives_as_long_as_the_refresh_cookie(self, browser: Browser, anna: AbstractBaseUser) -> None:
        browser.log_in(anna)
        age()
        answer = browser.post("/api/token/refresh/")
        assert answer.cookies[MARKER]["max-age"] == answer.cookies[REFRESH]["max-age"]
        assert MARKER not in browser.post("/api/token/refresh/").cookies  # within the window

    def test_no_server_trusts_it(self, browser: Browser) -> None:
        browser.api.cookies[MARKER] = "1"
        assert browser.post("/api/token/refresh/").json()["code"] == "refresh_missing"


class TestAQuestionOfNobody:
    def test_is_not_an_error_if_the_page_only_asks(self, browser: Browser, anna: AbstractBaseUser) -> None:
        answer = browser.post("/api/token/refresh/", {"optional": True})
        assert (answer.status_code, answer.content, answer.cookies) == (204, b"", {})
        assert browser.post("/api/token/refresh/", {"optional": False}).status_code == 401
        browser.log_in(anna)
        assert "access" in browser.post("/api/token/refresh/", {"optional": True}).json()

    def test_a_refused_session_is_an_error_in_any_case(
        self, browser: Browser, anna: AbstractBaseUser
    ) -> None:
        browser.log_in(anna)
        Session.objects.update(revoked_at=Session.objects.get().auth_time)
        answer = browser.post("/api/token/refresh/", {"optional": True})
        assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")

    def test_without_cookies_the_token_is_required(self, browser: Browser, settings: Any) -> None:
        settings.TESSERA = {"PROFILE": "api"}
        assert browser.post("/api/token/refresh/", {"optional": True}).status_code == 400

"""The check for requests of other sites: each case of the table in ``docs/explanation/cookies.md``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.middleware.csrf import _get_new_csrf_string
from rest_framework.test import APIClient

from drf_tessera.models import Session
from tests.conftest import PASSWORD, bearer
from tests.rest.csrf_cases import CASES, OWN, SAME, Headers

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "cookies.md"


class Browser:
    """A client that keeps cookies and runs its CSRF checks, unlike REST framework's usual client."""

    def __init__(self) -> None:
        self.api = APIClient(enforce_csrf_checks=True)

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        return self.send("post", path, body, headers)

    def send(self, method: str, path: str, body: Any, headers: Headers) -> Any:
        sent = {"host": "api.example.com", **headers}
        secure = sent.pop("plain", None) is None
        if sent.pop("toss", None):
            planted = "; ".join(f"{name}=tsr_planted" for name in self.api.cookies)
            sent["cookie"] = f"{planted}; {self.api.cookies.output(attrs=[], header='', sep=';')}"
        if sent.get("x-csrftoken") == "TOKEN":
            sent["x-csrftoken"] = self.api.cookies["csrftoken"].value
            sent["referer"] = f"{OWN}/page/"
        return getattr(self.api, method)(path, body or {}, headers=sent, secure=secure)


@pytest.fixture
def browser(anna: AbstractBaseUser, settings: Any) -> Browser:
    settings.TESSERA = {"PROFILE": "browser"}
    browser = Browser()
    answer = browser.post("/api/token/", {"username": anna.get_username(), "password": PASSWORD}, origin=OWN)
    assert answer.status_code == 200, answer.content
    browser.api.cookies["csrftoken"] = _get_new_csrf_string()
    return browser


def judge(answer: Any, expected: str | None) -> None:
    assert answer.status_code == (200 if expected is None else 403), answer.content
    if expected is not None:
        assert answer.json()["code"] == expected


@pytest.mark.parametrize("case", CASES)
class TestEachCaseOfTheTable:
    @pytest.mark.slow
    def test_a_refresh_has_the_outcome_of_the_table(self, browser: Browser, settings: Any, case: str) -> None:
        headers, changed, expected = CASES[case]
        for name, value in changed.items():
            setattr(settings, name, value)
        before = Session.objects.get().generation
        judge(browser.post("/api/token/refresh/", **headers), expected)
        assert (Session.objects.get().generation == before) == (expected is not None)

    @pytest.mark.slow
    def test_a_logout_has_the_outcome_of_the_table(self, browser: Browser, settings: Any, case: str) -> None:
        headers, changed, expected = CASES[case]
        for name, value in changed.items():
            setattr(settings, name, value)
        answer = browser.post("/api/token/revoke/", **headers)
        judge(answer, expected)
        # The answer to an ambiguous cookie deletes the cookies of other paths, and keeps the right cookie.
        assert ("__Secure-tessera_refresh_token" in answer.cookies) == (expected is None)
        assert (Session.objects.get().revoked_at is None) == (expected is not None)

    @pytest.mark.slow
    def test_a_login_has_the_outcome_of_the_table(
        self, browser: Browser, anna: AbstractBaseUser, settings: Any, case: str
    ) -> None:
        """If a site could log its visitors in as another user, the attacker could read the visitors' data."""
        headers, changed, expected = CASES[case]
        if expected == "cookie_ambiguous":
            expected = None  # a login reads no cookie, because it replaces the cookie
        for name, value in changed.items():
            setattr(settings, name, value)
        answer = browser.post(
            "/api/token/", {"username": anna.get_username(), "password": PASSWORD}, **headers
        )
        judge(answer, expected)
        assert Session.objects.count() == (2 if expected is None else 1)

    @pytest.mark.slow
    def test_a_view_by_the_access_cookie_has_the_outcome_of_the_table(
        self, browser: Browser, settings: Any, case: str
    ) -> None:
        headers, changed, expected = CASES[case]
        settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
        browser.post("/api/token/refresh/", origin=OWN)
        for name, value in changed.items():
            setattr(settings, name, value)
        answer = browser.send("delete", "/api/token/sessions/", None, headers)
        judge(answer, expected)
        assert (Session.objects.get().revoked_at is None) == (expected is not None)

    @pytest.mark.slow
    def test_a_request_that_a_header_authenticates_is_not_checked(
        self, browser: Browser, settings: Any, case: str
    ) -> None:
        """No browser sends this header by itself, so no check is necessary."""
        headers, changed, _ = CASES[case]
        token = browser.post("/api/token/refresh/", origin=OWN).json()["access"]
        for name, value in changed.items():
            setattr(settings, name, value)
        answer = browser.send("delete", "/api/token/sessions/", None, {**headers, **_as_header(token)})
        judge(answer, None)


def _as_header(token: str) -> Headers:
    return {"authorization": bearer(token)["HTTP_AUTHORIZATION"]}


def test_the_page_has_the_same_cases_with_the_same_outcomes() -> None:
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", PAGE.read_text(), re.MULTILINE)
    outcomes = ("accepted", "`c")
    told = {case: outcome for case, outcome in rows if case in CASES or outcome.startswith(outcomes)}
    wanted = {case: "accepted" if code is None else f"`{code}`" for case, (_, _, code) in CASES.items()}
    assert told == wanted


def test_reading_needs_no_proof(browser: Browser, settings: Any) -> None:
    """A safe method changes nothing, and other sites cannot read the answer."""
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    browser.post("/api/token/refresh/", origin=OWN)
    assert browser.api.get("/me/", headers={"host": "api.example.com"}, secure=True).status_code == 200


def test_the_refusal_says_what_was_expected_and_not_what_was_sent(browser: Browser) -> None:
    answer = browser.post("/api/token/refresh/", origin="https://evil.example")
    assert answer.json()["detail"] == (
        "The header Origin names another origin. A request with cookies must come from the origin of"
        " this server or from an origin in CSRF_TRUSTED_ORIGINS."
    )


def test_the_refusal_of_a_referer_does_not_show_it(browser: Browser) -> None:
    answer = browser.post("/api/token/refresh/", referer="https://evil.example/secret-path")
    assert answer.json()["code"] == "csrf_token"
    assert answer.json()["detail"].endswith("needs Django's CSRF token. Referer checking failed.")


def test_the_refusal_behind_a_proxy_names_the_setting(browser: Browser) -> None:
    answer = browser.post("/api/token/refresh/", plain="yes", **SAME)
    assert "SECURE_PROXY_SSL_HEADER" in answer.json()["detail"]


@pytest.mark.parametrize(
    "origin", ["", "x" * 5000, "https://evil.example\x01", "https://[", "\xff", "https://*"]
)
def test_a_malformed_origin_is_a_403(browser: Browser, settings: Any, origin: str) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.com", "https://[::1]:8000"]
    answer = browser.post("/api/token/refresh/", origin=origin)
    judge(answer, "csrf_origin")
    assert len(answer.content) < 500


def test_projects_need_not_set_origins_in_their_own_tests(anna: AbstractBaseUser, settings: Any) -> None:
    """Django's test client marks its requests as exempt from CSRF checks. drf-tessera respects this mark."""
    settings.TESSERA = {"PROFILE": "browser"}
    api = APIClient()
    body = {"username": anna.get_username(), "password": PASSWORD}
    assert api.post("/api/token/", body, secure=True).status_code == 200
    assert api.post("/api/token/refresh/", secure=True).status_code == 200

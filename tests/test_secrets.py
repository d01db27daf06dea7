"""No ``repr``, log record, error report or admin page shows a secret."""

from __future__ import annotations

import logging
import sys
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.signals import got_request_exception
from django.test import Client, RequestFactory
from django.views.debug import ExceptionReporter
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import TesseraError
from drf_tessera.models import Session
from drf_tessera.tokens import read_refresh_token, verify_access_token
from drf_tessera.tokens.keystore import get_keystore
from tests.conftest import PASSWORD, bearer, log_in

pytestmark = pytest.mark.django_db


def fail(*args: Any) -> Any:
    raise KeyError("the hook's own mistake")


def search(text: str, *secrets: str) -> None:
    for secret in secrets:
        assert len(secret) > 10
        assert secret not in text


def test_no_repr_shows_any(anna: AbstractBaseUser, settings: Any) -> None:
    grant = sessions.start(anna)
    token = read_refresh_token(str(grant.refresh))
    row = Session.objects.get()
    shown = "".join(
        repr(thing) + str(thing)
        for thing in (
            grant,
            token,
            token.facts,
            verify_access_token(grant.access),
            row,
            get_settings(),
            get_keystore(),
            get_keystore().ring,
            get_keystore().codec,
            get_keystore().ring.signing,
        )
    )
    search(
        shown,
        grant.access,
        str(grant.refresh),
        settings.SECRET_KEY,
        repr(token.secret)[2:-1],
        token.secret.hex(),
        repr(bytes(row.secret_hash))[2:-1],
        repr(get_keystore().refresh_keys[0])[2:-1],
    )


def frames(call: Any) -> str:
    """Return the report that Django mails to the admins for the exception that ``call`` raises."""
    try:
        call()
    except Exception:  # noqa: BLE001 - each exception is rendered
        request = RequestFactory().get("/")
        reporter = ExceptionReporter(request, *sys.exc_info())
        ours = [
            frame
            for frame in reporter.get_traceback_frames()
            if "drf_tessera" in frame["filename"] and "/tests/" not in frame["filename"]
        ]
        assert ours, "the exception must pass through our code"
        return str([frame["vars"] for frame in ours])
    pytest.fail("nothing was raised")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "multipart", "urlencoded"])
@pytest.mark.parametrize("kind", ["get_traceback_text", "get_traceback_html"])
def test_no_report_with_its_request_shows_any(
    client: Client, anna: AbstractBaseUser, settings: Any, form: str, kind: str
) -> None:
    """The report for the admins contains the request, and the request contains the form data."""
    refresh = str(sessions.start(anna).refresh)
    settings.TESSERA = {"CLAIMS": fail}
    reports: list[str] = []

    def report(request: Any, **kwargs: Any) -> None:
        reports.append(getattr(ExceptionReporter(request, *sys.exc_info()), kind)())

    types = {"json": "application/json", "urlencoded": "application/x-www-form-urlencoded"}
    client.raise_request_exception = False
    got_request_exception.connect(report)
    try:
        for path, body in (
            ("/api/token/", {"username": "anna", "password": PASSWORD}),
            ("/api/token/refresh/", {"refresh": refresh}),
        ):
            data: Any = urlencode(body) if form == "urlencoded" else body
            extra = {"content_type": types[form]} if form in types else {}
            assert client.post(path, data, **extra).status_code == 500
    finally:
        got_request_exception.disconnect(report)
    assert len(reports) == 2
    search("".join(reports), refresh, PASSWORD, PASSWORD.replace(" ", "+"))


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/token/refresh/", "/me/"])
@pytest.mark.parametrize("kind", ["get_traceback_text", "get_traceback_html"])
def test_no_report_shows_a_cookie(
    client: Client,
    anna: AbstractBaseUser,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    path: str,
    kind: str,
) -> None:
    """Django hides cookies by their names, so the names of the cookies are chosen for this."""
    settings.TESSERA = {"PROFILE": "browser", "ACCESS_COOKIE": True}
    answer = client.post("/api/token/", {"username": "anna", "password": PASSWORD}, secure=True)
    tokens = [cookie.value for cookie in answer.cookies.values() if cookie["httponly"]]
    assert len(tokens) == 2
    monkeypatch.setattr("drf_tessera.rest.authentication.lazy_user", fail)
    monkeypatch.setattr("drf_tessera.sessions.rows.swap", fail)
    reports: list[str] = []

    def report(request: Any, **kwargs: Any) -> None:
        reports.append(getattr(ExceptionReporter(request, *sys.exc_info()), kind)())

    client.raise_request_exception = False
    got_request_exception.connect(report)
    try:
        call = client.get if path == "/me/" else client.post
        assert call(path, secure=True).status_code == 500
    finally:
        got_request_exception.disconnect(report)
    assert len(tokens) == 2
    assert len(reports) == 1
    search(reports[0], *tokens)


def test_no_traceback_of_a_login_shows_any(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"CLAIMS": fail}
    body = {"username": "anna", "password": PASSWORD}
    search(frames(lambda: api.post("/api/token/", body)), PASSWORD)


def test_no_traceback_of_a_refresh_shows_any(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    grant = sessions.start(anna)
    secret = read_refresh_token(str(grant.refresh)).secret
    settings.TESSERA = {"CLAIMS": fail}
    shown = frames(lambda: api.post("/api/token/refresh/", {"refresh": grant.refresh}))
    search(shown, str(grant.refresh), repr(secret)[2:-1])


def test_no_traceback_of_a_call_shows_any(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = str(log_in(api, anna)["access"])
    monkeypatch.setattr("drf_tessera.rest.authentication.lazy_user", fail)
    search(frames(lambda: api.get("/me/", **bearer(access))), access)


def test_no_log_record_shows_any(api: APIClient, anna: AbstractBaseUser, caplog: Any) -> None:
    with caplog.at_level(logging.DEBUG):
        body = log_in(api, anna)
        api.post("/api/token/refresh/", {"refresh": body["refresh"]})
        api.post("/api/token/refresh/", {"refresh": str(body["refresh"])[:-1]})
        api.get("/me/", **bearer(str(body["access"])[:-1]))
        api.post("/api/token/", {"username": "anna", "password": PASSWORD + "!"})
    logged = "".join(
        str(vars(record)) for record in caplog.records if not record.name.startswith("django.db")
    )
    search(logged, str(body["access"])[:-1], str(body["refresh"])[:-1], PASSWORD)


def test_no_error_shows_what_was_sent(api: APIClient, anna: AbstractBaseUser) -> None:
    body = log_in(api, anna)
    for text in (str(body["access"])[:-3], str(body["refresh"])[:-3], "rubbish" * 20):
        for read in (verify_access_token, read_refresh_token):
            with pytest.raises(TesseraError) as found:
                read(text)
            search(repr(found.value) + found.value.detail, text)


@pytest.mark.slow
def test_the_search_can_find_something(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    """With ``DEBUG`` on Django hides nothing, so the same report shows the password."""
    settings.TESSERA, settings.DEBUG = {"CLAIMS": fail}, True
    body = {"username": "anna", "password": PASSWORD}
    with pytest.raises(AssertionError):
        search(frames(lambda: api.post("/api/token/", body)), PASSWORD)

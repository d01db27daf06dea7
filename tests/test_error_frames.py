"""No local variable shows a secret to an error report, at any line that may raise.

Two kinds of reports exist. Django's own report hides the variables of each function that
``sensitive_variables`` decorates, and of the functions that it calls. Other reports, such as Sentry's, hide a
variable by its exact name. So each variable that holds a password or a token needs both, unless its ``repr``
is blank.

An error may be raised at each line, so these tests look at the variables of our functions at each line.
"""

from __future__ import annotations

import re
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from types import FrameType
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model, QuerySet
from django.views.decorators.debug import sensitive_variables
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.tokens import read_refresh_token
from tests.conftest import PASSWORD, bearer
from tests.contrib.schemas import CLIENTS
from tests.hostile.surface import URLS, list_views
from tests.hostile.test_claims import list_tokens

pytestmark = [pytest.mark.django_db, pytest.mark.urls(URLS)]

SCRUBBED = {
    *("password", "passwd", "secret", "api_key", "apikey", "auth", "credentials", "mysql_pwd", "privatekey"),
    *("private_key", "token", "session", "csrftoken", "sessionid", "x_csrftoken", "set_cookie", "cookie"),
    *("authorization", "x_api_key", "csrf_token", "csrf"),
}
"""The names that Sentry's ``EventScrubber`` hides by default. It compares the whole name."""

SECRET = re.compile(rf"tsr_[\w.-]{{20,}}|eyJ[\w-]+\.[\w-]+\.[\w-]{{5,}}|{re.escape(PASSWORD)}")
ROOMS = ("/drf_tessera/", "/rest_framework_simplejwt/", "/rest_framework_jwt/")
SITE = {"HTTP_ORIGIN": "http://testserver"}
CLIENT = f"Basic {b64encode(b'orders-api:' + CLIENTS['orders-api'].encode()).decode()}"


def is_decorated(frame: FrameType) -> bool:
    """Return whether Django's report hides the variables of a frame."""
    caller = frame.f_back
    while caller is not None:
        if caller.f_code.co_name == "sensitive_variables_wrapper":
            return True
        caller = caller.f_back
    return False


def show(value: object) -> str:
    """Return what an error report shows.

    A query is left alone, because its ``repr`` asks the database. An object that is only half built may have
    no ``repr`` yet.
    """
    with suppress(Exception):
        return "" if isinstance(value, QuerySet | Model) else repr(value)
    return ""


def find_shown(frame: FrameType) -> Iterator[str]:
    where = f"{frame.f_code.co_filename.rpartition('/src/')[2]} {frame.f_code.co_name}"
    for name, value in list(frame.f_locals.items()):
        if SECRET.search(show(value)):
            if name not in SCRUBBED:
                yield f"{where}: the name {name!r} is not on the list of a scrubber"
            if not is_decorated(frame):
                yield f"{where}: {name!r} is in a function without sensitive_variables"


@contextmanager
def watched(rooms: tuple[str, ...] = ROOMS) -> Iterator[set[str]]:
    """Collect the variables that an error report would show, at each line of our functions."""
    found: set[str] = set()
    is_looking = False

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal is_looking
        if is_looking or not any(room in frame.f_code.co_filename for room in rooms):
            return None
        is_looking = True  # a repr may run code of ours
        try:
            found.update(find_shown(frame))
        finally:
            is_looking = False
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield found
    finally:
        sys.settrace(before)


@pytest.fixture
def visited() -> set[str]:
    """The paths of the requests."""
    return set()


@pytest.fixture
def send(settings: Any, visited: set[str]) -> Callable[..., Any]:
    settings.TESSERA = {"PROFILE": ["api", "browser"], "ACCESS_COOKIE": True, "CLAIMS": lambda user, _: {}}
    settings.TESSERA["INTROSPECTION_CLIENTS"] = CLIENTS
    settings.JWT_AUTH = {
        "JWT_ALLOW_REFRESH": True,
        "JWT_AUTH_HEADER_PREFIX": "Bearer",
        "JWT_AUTH_COOKIE": "jwt_cookie",
    }
    api = APIClient()

    def call(path: str, body: dict[str, Any] | None = None, method: str = "post", **extra: Any) -> Any:
        visited.add(path)
        answer = getattr(api, method)(path, body, **extra)
        assert answer.status_code < 500, path
        return answer.json() if answer.content else {}

    return call


def visit_more_doors(send: Callable[..., Any], login: dict[str, str]) -> None:
    """Send the requests of programs, and a proof within a session."""
    fresh = send("/api/token/", login)
    send("/api/token/introspect/", {"token": fresh["access"]}, HTTP_AUTHORIZATION=CLIENT)
    send("/api/token/introspect/", {"token": fresh["access"]}, HTTP_AUTHORIZATION=CLIENT + "x")
    for word in ("wrong", PASSWORD):
        send("/api/token/prove/", {"refresh": fresh["refresh"], "password": word})
    script = send("/api/personal-tokens/", {"name": "A script"}, **bearer(fresh["access"]))["token"]
    for sent in (script, script + "x"):
        send("/me/", method="get", **bearer(sent))
    send("/api/personal-tokens/", method="get", **bearer(fresh["access"]))
    verifier = "verifier-" * 5
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
    handover = {"audience": "testserver", "challenge": challenge}
    ticket = send("/api/token/handover/", handover, **bearer(fresh["access"]))["ticket"]
    for sent in (ticket, ticket + "x"):
        send("/api/token/accept/", {"ticket": sent, "verifier": verifier})


@pytest.mark.slow
def test_no_variable_of_ours_shows_a_secret(
    send: Callable[..., Any], anna: AbstractBaseUser, visited: set[str]
) -> None:
    login = {"username": "anna", "password": PASSWORD}
    old = list_tokens(anna, "x", "1")
    with watched() as found:
        body = send("/api/token/", login)
        send("/api/token/", {**login, "username": "nobody"})
        send(
            "/api/token/", {"email": "anna@example.com", "password": PASSWORD, "transport": "cookie"}, **SITE
        )
        send("/api/token/verify/", {"token": body["access"]})
        for path in ("/me/", "/strict/", "/public/", "/api/token/sessions/"):
            send(path, method="get", **bearer(body["access"]))
            send(path, method="get", **bearer(body["access"] + "!"))
            send(path, method="get")  # the cookies
        for sent in (body["refresh"], body["refresh"], body["refresh"] + "!"):
            send("/api/token/refresh/", {"refresh": sent, "with_user": True})
        for path in ("/api/token/refresh/", "/api/token/revoke/"):
            send(path, {}, **SITE)  # the cookies
        send("/api/token/revoke/", {"refresh": body["refresh"]})
        send("/api/token/revoke/", **bearer(send("/api/token/", login)["access"]))
        visit_more_doors(send, login)
        other = sessions.start(anna)
        send("/api/token/sessions/others/", method="delete", **bearer(other.access))
        send(f"/api/token/sessions/{other.session_id}/", method="delete", **bearer(other.access))

        pair = send("/simplejwt/api/token/", login)
        send("/simplejwt/api/token/", {**login, "username": "nobody"})
        send("/simplejwt/me/", method="get", **bearer(pair["access"]))
        send("/simplejwt/stateless/", method="get", **bearer(pair["access"]))
        for sent in (pair["refresh"], old["refresh of simplejwt"]):
            for path, field in (("verify", "token"), ("refresh", "refresh"), ("blacklist", "refresh")):
                send(f"/simplejwt/api/token/{path}/", {field: sent})
        send("/simplejwt/me/", method="get", **bearer(old["access of simplejwt"]))
        send("/simplejwt/sliding/", login)
        send("/simplejwt/sliding/refresh/", {"token": pair["refresh"]})

        token = send("/jwt/auth/", login)["token"]
        send("/jwt/auth/", {**login, "username": "nobody"})
        for sent in (token, old["djangorestframework-jwt"], token + "!"):
            send("/jwt/verify/", {"token": sent})
            send("/jwt/refresh/", {"token": sent})
            send("/jwt/me/", method="get", **bearer(sent))
        send("/jwt/me/", method="get")  # the cookie
    assert sorted(found) == []
    paths = {path.partition("<")[0] for path, _ in list_views()}
    assert {path for path in paths if not any(sent.startswith(path) for sent in visited)} == set()


def test_a_serializer_of_a_body_shows_no_data() -> None:
    """The variable ``self`` has no name that a scrubber knows."""
    for _, view in list_views():
        kind = (
            getattr(view, "serializer_class", None) or getattr(view(), "get_serializer_class", lambda: None)()
        )
        if kind is not None:
            assert PASSWORD not in repr(kind(data={"password": PASSWORD, "token": PASSWORD}))


def test_the_parts_of_a_refresh_token_are_as_secret_as_the_token(anna: AbstractBaseUser) -> None:
    sent = str(sessions.start(anna).refresh)
    secret = repr(read_refresh_token(sent).secret)[2:-1]
    shown: list[str] = []

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if "/drf_tessera/tokens/" not in frame.f_code.co_filename:
            return None
        shown.extend(
            f"{frame.f_code.co_name} {name}"
            for name, value in frame.f_locals.items()
            if secret in show(value) and name not in SCRUBBED
        )
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        sessions.refresh(sent)
    finally:
        sys.settrace(before)
    assert sorted(set(shown)) == []


def test_the_watch_finds_what_it_looks_for() -> None:
    def plain(text: str) -> None:
        assert text

    @sensitive_variables()
    def hidden(token: str) -> None:
        assert token

    with watched(rooms=("/test_error_frames",)) as found:
        plain(PASSWORD)
        hidden(PASSWORD)
    assert {line.partition(": ")[2] for line in found if " plain: " in line} == {
        "the name 'text' is not on the list of a scrubber",
        "'text' is in a function without sensitive_variables",
    }
    assert not [line for line in found if " hidden: " in line]

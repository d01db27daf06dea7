"""While the database cannot be used, each endpoint answers 503, and afterwards the same request succeeds.

Each statement of each endpoint fails once. tests/outages has real servers that are stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import Error, InterfaceError, OperationalError, ProgrammingError, connection
from django.db.backends.signals import connection_created
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView
from rest_framework_jwt.utils import jwt_encode_handler, jwt_payload_handler

from drf_tessera import sessions
from drf_tessera.exceptions import DatabaseUnavailable, MigrationMissing
from drf_tessera.models import Session
from drf_tessera.rest.errors import translate_error, translate_own_error
from drf_tessera.revocation import feed
from drf_tessera.revocation.feed import get_feed
from drf_tessera.tokens import verify_access_token
from drf_tessera.users import lazy_user
from tests.compat import originals
from tests.conftest import PASSWORD, bearer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::ResourceWarning")]

SIMPLEJWT, JWT = "tests.compat.simplejwt_urls", "tests.compat.jwt_urls"


@dataclass
class Request:
    """One request that succeeds, of a user who has just logged in."""

    method: str
    url: str
    body: Callable[[AbstractBaseUser, sessions.Grant], dict[str, Any]] | None = None
    bearer: str = "Bearer"
    old: Callable[[AbstractBaseUser], str] | None = None
    """Makes the token of the header, if another package issued it."""
    urls: str = "tests.urls"
    settings: dict[str, Any] | None = None
    expected: tuple[int, ...] = (200,)
    """The status of the request, and the statuses of its repetition."""

    def prepare(self, user: AbstractBaseUser) -> Callable[[], Any]:
        """Log in, and return a function that sends the request."""
        grant = sessions.start(user)
        url = self.url.replace("<session>", str(grant.session_id))
        access = self.old(user) if self.old else grant.access
        header = {"HTTP_AUTHORIZATION": f"{self.bearer} {access}"} if self.body is None else {}
        body = self.body(user, grant) if self.body else None

        def send() -> Any:
            api = APIClient(raise_request_exception=False)
            return getattr(api, self.method)(url, body, **header)

        return send


def with_password(user: AbstractBaseUser, grant: sessions.Grant) -> dict[str, Any]:
    return {"username": user.get_username(), "password": PASSWORD}


def with_refresh(user: AbstractBaseUser, grant: sessions.Grant) -> dict[str, Any]:
    return {"refresh": grant.refresh}


def with_access(user: AbstractBaseUser, grant: sessions.Grant) -> dict[str, Any]:
    return {"token": grant.access}


def with_renewable(user: AbstractBaseUser, grant: sessions.Grant) -> dict[str, Any]:
    return {"token": jwt_encode_handler({**jwt_payload_handler(user), "orig_iat": int(time.time())})}


def add_claim(user: Any, session: Any) -> dict[str, Any]:
    return {"name": user.get_username()}


REQUESTS = {
    "login": Request("post", "/api/token/", with_password),
    "login with a limit": Request(
        "post", "/api/token/", with_password, settings={"MAX_SESSIONS_PER_USER": 1}
    ),
    "refresh": Request("post", "/api/token/refresh/", with_refresh),
    "refresh with claims": Request(
        "post", "/api/token/refresh/", with_refresh, settings={"CLAIMS": add_claim}
    ),
    "refresh with user": Request(
        "post", "/api/token/refresh/", lambda user, grant: {"refresh": grant.refresh, "with_user": True}
    ),
    "verify": Request("post", "/api/token/verify/", with_access),
    "revoke by refresh token": Request("post", "/api/token/revoke/", with_refresh),
    "revoke by access token": Request("post", "/api/token/revoke/"),
    "list": Request("get", "/api/token/sessions/"),
    "revoke all": Request("delete", "/api/token/sessions/"),
    "revoke others": Request("delete", "/api/token/sessions/others/"),
    "revoke one": Request("delete", "/api/token/sessions/<session>/", expected=(204,)),
    "call": Request("get", "/me/"),
    "call that reads a column": Request("get", "/name/"),
    "strict call": Request("get", "/strict/"),
    "call with USER": Request("get", "/me/", settings={"USER": "database"}),
    "public call": Request("get", "/public/"),
    "simplejwt: login": Request("post", "/api/token/", with_password, urls=SIMPLEJWT),
    "simplejwt: refresh": Request("post", "/api/token/refresh/", with_refresh, urls=SIMPLEJWT),
    "simplejwt: old refresh": Request(
        "post",
        "/api/token/refresh/",
        lambda user, grant: {"refresh": originals.simplejwt_token(user, jti=grant.session_id.hex)},
        urls=SIMPLEJWT,
    ),
    "simplejwt: verify": Request("post", "/api/token/verify/", with_access, urls=SIMPLEJWT),
    "simplejwt: blacklist": Request(
        # The session may have ended before its row in the table of the blacklist could be written.
        "post",
        "/api/token/blacklist/",
        with_refresh,
        urls=SIMPLEJWT,
        expected=(200, 401),
    ),
    "simplejwt: call": Request("get", "/me/", urls=SIMPLEJWT),
    "simplejwt: old call": Request(
        "get",
        "/me/",
        old=lambda user: originals.simplejwt_token(user, "access"),
        urls=SIMPLEJWT,
    ),
    "jwt: old call": Request("get", "/me/", bearer="JWT", old=originals.tutorial_token, urls=JWT),
    "jwt: login": Request("post", "/auth/", with_password, urls=JWT),
    "jwt: verify": Request("post", "/verify/", with_access, urls=JWT),
    "jwt: refresh": Request("post", "/refresh/", with_renewable, urls=JWT),
    "jwt: call": Request("get", "/me/", bearer="JWT", urls=JWT),
}


@pytest.fixture(autouse=True)
def _pull_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the revocations on the connection of the request, where the outages are made."""
    monkeypatch.setattr(feed, "is_alone", lambda: True)


class Outage:
    """Fails the statements from one number on: all of them, or some."""

    def __init__(self, error: Error, first: int, number: float = float("inf")) -> None:
        self.error, self.first, self.number, self.seen = error, first, number, 0

    def __call__(self, execute: Any, *args: Any) -> Any:
        self.seen += 1
        if self.first <= self.seen < self.first + self.number:
            raise self.error
        return execute(*args)

    @property
    def happened(self) -> bool:
        return self.seen >= self.first


ERRORS = [
    OperationalError(2013, "Lost connection to server during query"),
    InterfaceError("connection already closed"),
    OperationalError("database or disk is full"),
    OperationalError(1836, "Running in read-only mode"),
]
ONE_OF_THEM = [ERRORS[0], *(pytest.param(error, marks=pytest.mark.long) for error in ERRORS[1:])]


def list_outages(
    request: Request, user: AbstractBaseUser, error: Error, settings: Any, number: float = float("inf")
) -> Iterator[tuple[Any, Callable[[], Any]]]:
    """Yield the answer of a request for each of its statements, which fails, and a function to repeat it."""
    settings.ROOT_URLCONF, settings.TESSERA = request.urls, request.settings or {}
    settings.JWT_AUTH = {"JWT_ALLOW_REFRESH": True}
    for first in range(1, 100):
        Session.objects.all().delete()
        send = request.prepare(user)
        get_feed.forget()
        outage = Outage(error, first, number)
        with connection.execute_wrapper(outage):
            answer = send()
        if not outage.happened:
            assert first > 1, "the request makes no statement"
            return
        yield answer, send
    raise AssertionError("the request makes too many statements")


# Each test goes through all requests, because a test with transactions costs a second on some databases.


@pytest.mark.slow
@pytest.mark.once  # it makes the errors itself, and tests/outages has each kind of database
@pytest.mark.parametrize("error", ONE_OF_THEM, ids=str)
def test_each_statement_that_fails_is_a_503_and_nothing_is_spent(
    anna: AbstractBaseUser, settings: Any, error: Error
) -> None:
    for name, request in REQUESTS.items():
        for answer, repeat in list_outages(request, anna, error, settings):
            assert answer.status_code == 503, (name, answer.content)
            assert answer.json().keys() == {"detail", "code"}, name
            assert answer.json()["code"] in {"database_unavailable", "revocation_unavailable"}, name
            assert answer["Retry-After"] == "1", name
            again = repeat()
            assert again.status_code in request.expected, (name, again.content)


@pytest.mark.slow
def test_a_connection_that_died_costs_a_repetition_at_most(anna: AbstractBaseUser, settings: Any) -> None:
    """One statement fails, as the first one does on a connection that outlived its server."""
    for name, request in REQUESTS.items():
        answers = list_outages(request, anna, ERRORS[0], settings, number=1)
        statuses = [answer.status_code for answer, _ in answers]
        assert set(statuses) <= {request.expected[0], 503}, name
        if (
            "login" not in name and "old" not in name
        ):  # the connection of a login is looked at before it begins
            assert statuses[0] == request.expected[0], name


class Broken(APIView):
    """A view of a project whose own query fails."""

    error: Error = OperationalError("database or disk is full")

    def get(self, request: Any) -> Response:
        raise self.error


def test_the_error_of_a_project_s_own_query_is_not_changed(anna: AbstractBaseUser) -> None:
    """Neither by REST framework's handler, nor by ours."""
    request = APIRequestFactory().get("/", **bearer(sessions.start(anna).access))
    with pytest.raises(OperationalError, match="disk is full"):
        Broken.as_view()(request)
    assert translate_error(Broken.error) is Broken.error


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [OperationalError("no such table: tessera_session"), ProgrammingError(1146, "Table doesn't exist")],
)
@pytest.mark.parametrize("name", ["login", "refresh", "verify", "revoke by refresh token", "list"])
def test_a_missing_table_is_told_as_what_it_is(
    anna: AbstractBaseUser, settings: Any, name: str, error: Error
) -> None:
    send = REQUESTS[name].prepare(anna)
    with connection.execute_wrapper(Outage(error, 1)):
        assert send().status_code == 500
    with pytest.raises(MigrationMissing, match=r"manage\.py migrate") as found:
        raise translate_own_error(error)
    assert found.value.__cause__ is error


def test_other_errors_of_our_own_queries_are_not_changed() -> None:
    error = OperationalError("near SELEC: syntax error")
    assert translate_own_error(error) is error


@pytest.mark.slow
def test_a_login_is_not_counted_while_the_database_is_away(anna: AbstractBaseUser) -> None:
    send = REQUESTS["login"].prepare(anna)
    for first in range(1, 4):
        for _ in range(30):
            with connection.execute_wrapper(Outage(ERRORS[2], first)):
                assert send().status_code == 503
    assert send().status_code == 200


def test_a_login_replaces_a_connection_that_died(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, opened = REQUESTS["login"].prepare(anna), []
    connection_created.connect(lambda **found: opened.append(found), weak=False, dispatch_uid=__name__)
    try:
        monkeypatch.setattr(connection, "is_usable", lambda: False)
        assert send().status_code == 200
    finally:
        connection_created.disconnect(dispatch_uid=__name__)
    assert len(opened) == 1


def test_the_log_says_what_is_wrong_and_the_answer_does_not(
    anna: AbstractBaseUser, caplog: pytest.LogCaptureFixture
) -> None:
    send = REQUESTS["login"].prepare(anna)
    with connection.execute_wrapper(Outage(ERRORS[2], 1)):
        answer = send()
    assert "The database cannot be used: database or disk is full" in caplog.messages
    assert b"disk" not in answer.content


def test_the_user_of_a_failed_call_can_be_looked_at_again(anna: AbstractBaseUser) -> None:
    token = verify_access_token(sessions.start(anna).access)
    user = lazy_user(token, refuse=LookupError)
    with connection.execute_wrapper(Outage(ERRORS[2], 1)):
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                user.get_username()
    assert user.get_username() == anna.get_username()

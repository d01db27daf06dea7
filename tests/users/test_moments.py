"""A user that is loaded late is never worse than a user that was loaded before.

The query for the row comes when somebody reads a column. Each row of the table reads ``request.user`` at a
moment at which a query may be impossible, and gets the values of a loaded user.
"""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import (
    DatabaseError,
    Error,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import TestCase
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.serializers import ValidationError
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView
from rest_framework.views import exception_handler as rest_framework_handler

from drf_tessera import JWTAuthentication, sessions
from tests.conftest import bearer, make_user


def make_lazy() -> Any:
    """Authenticate a request of a new user, whose row was not read."""
    access = sessions.start(make_user("anna")).access
    request = APIView().initialize_request(APIRequestFactory().get("/", **bearer(access)))
    found = JWTAuthentication().authenticate(request)
    assert found is not None
    return found[0]


# -- Moments that are over before the read ---------------------------------------------------------


def marked(read: Callable[[], Any]) -> Any:
    """Read in a transaction that is marked for a rollback, as REST framework marks it after a refusal."""
    with transaction.atomic():
        transaction.set_rollback(True)
        found = read()
        assert transaction.get_rollback()
        return found


def marked_inside(read: Callable[[], Any]) -> Any:
    with transaction.atomic(), transaction.atomic():
        transaction.set_rollback(True)
        return read()


def aborted(read: Callable[[], Any]) -> Any:
    """Read after an error of the database. PostgreSQL refuses every statement until the rollback."""
    with transaction.atomic():
        with suppress(IntegrityError):
            make_user("anna")
        found = read()
        transaction.set_rollback(True)
        return found


def aborted_and_marked(read: Callable[[], Any]) -> Any:
    with transaction.atomic():
        with suppress(IntegrityError):
            make_user("anna")
        transaction.set_rollback(True)
        return read()


def closed(read: Callable[[], Any]) -> Any:
    connection.close()
    return read()


def closed_in_transaction(read: Callable[[], Any]) -> Any:
    with suppress(DatabaseError), transaction.atomic():
        connection.close()
        found = read()
    return found


def dead(read: Callable[[], Any]) -> Any:
    """Read after the driver has closed its connection, which Django does not know."""
    connection.ensure_connection()
    connection.connection.close()
    try:
        return read()
    finally:
        with suppress(Error):
            connection.close()


def after_the_request(read: Callable[[], Any]) -> Any:
    for opened in connections.all(initialized_only=True):
        opened.close()
    return read()


def in_a_template(read: Callable[[], Any]) -> Any:
    return Template("{{ read }}").render(Context({"read": read}, autoescape=False))


def in_a_log_filter(read: Callable[[], Any]) -> Any:
    found = []

    class Filter(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            found.append(read())
            return False

    logger = logging.getLogger("tests.moments")
    logger.addFilter(only := Filter())
    try:
        with transaction.atomic():
            transaction.set_rollback(True)
            logger.warning("x")
    finally:
        logger.removeFilter(only)
    return found[0]


def in_a_destructor(read: Callable[[], Any]) -> Any:
    found = []

    class Held:
        def __del__(self) -> None:
            found.append(read())

    with transaction.atomic():
        transaction.set_rollback(True)
        Held()
        gc.collect()
    return found[0]


def in_a_thread(read: Callable[[], Any]) -> Any:
    found = []

    def run() -> None:
        found.append(read())
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


MOMENTS: list[Callable[[Callable[[], Any]], Any]] = [
    marked,
    marked_inside,
    aborted,
    aborted_and_marked,
    closed,
    closed_in_transaction,
    dead,
    after_the_request,
    in_a_template,
    in_a_log_filter,
    in_a_destructor,
    in_a_thread,
]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_the_row_is_read_at_every_moment(moment: Any) -> None:
    user = make_lazy()
    assert moment(user.get_username) == make_name()
    assert make_name() in {str(found) for found in type(user)._default_manager.all()}


def make_name() -> str:
    from tests.settings import USER_MODEL

    return "anna@example.com" if USER_MODEL.endswith("EmailUser") else "anna"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", [marked, aborted, closed, dead], ids=lambda moment: moment.__name__)
def test_a_copy_is_read_there_too(moment: Any) -> None:
    user = make_lazy()
    for way in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))):  # noqa: S301 - its own
        found = way(user)
        assert moment(found.get_username) == make_name()


@pytest.mark.django_db(transaction=True)
def test_the_changes_of_the_open_transaction_are_read() -> None:
    """A healthy transaction is read from as always: the row is that of the transaction."""
    user = make_lazy()
    with transaction.atomic():
        type(user)._default_manager.filter(pk=user.pk).update(last_login="2030-01-01T00:00:00Z")
        assert user.last_login.year == 2030


@pytest.mark.django_db(transaction=True)
def test_a_read_in_a_marked_transaction_commits_nothing() -> None:
    user = make_lazy()
    with transaction.atomic():
        make_user("bob")
        transaction.set_rollback(True)
        assert user.get_username() == make_name()
    assert type(user)._default_manager.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_connection_is_the_same_afterwards() -> None:
    before = connections["default"]
    user = make_lazy()
    with suppress(DatabaseError), transaction.atomic():
        connection.close()
        assert user.get_username() == make_name()
        assert connections["default"] is before


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_down_is_told_and_the_user_stays_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    from drf_tessera.users import lazy

    user = make_lazy()
    original = lazy.fetch_user

    def fail(*args: Any) -> None:
        raise OperationalError("the server is away")

    monkeypatch.setattr(lazy, "fetch_user", fail)
    for _ in range(2):
        with pytest.raises(OperationalError, match="away"):
            user.get_username()
    monkeypatch.setattr(lazy, "fetch_user", original)
    assert user.get_username() == make_name()


@pytest.mark.django_db(transaction=True)
def test_async_code_is_told_as_by_django_and_can_load_then() -> None:
    user = make_lazy()

    async def look() -> str:
        with pytest.raises(SynchronousOnlyOperation, match="arefresh_from_db"):
            user.get_username()
        await user.arefresh_from_db()
        return str(user.get_username())

    assert async_to_sync(look)() == make_name()
    connections.close_all()


class TestTestCase(TestCase):
    """The tests of a project run in one transaction, which another connection cannot see."""

    def test_a_marked_transaction(self) -> None:
        user = make_lazy()
        assert marked(user.get_username) == make_name()


# -- ATOMIC_REQUESTS -------------------------------------------------------------------------------


class Refusing(APIView):
    """A view that refuses, in a project whose handler, filter and response look at the user."""

    def get(self, request: Any) -> Response:
        raise ValidationError("no")

    def post(self, request: Any) -> Response:
        try:
            make_user("anna")
        except IntegrityError:
            raise ValidationError("taken") from None
        raise AssertionError

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["X-Final"] = request.user.get_username()
        return answer


def handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    response = rest_framework_handler(exc, context)
    if response is not None:
        response["X-Handler"] = context["request"].user.get_username()
    return response


def handler_before(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Read the user before REST framework has marked the transaction."""
    name = context["request"].user.get_username()
    response = rest_framework_handler(exc, context)
    if response is not None:
        response["X-Handler"] = name
    return response


def look_after(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["X-Middleware"] = request.user.get_username()
        return response

    return middleware


urlpatterns = [path("refusing/", Refusing.as_view()), path("api/token/", include("drf_tessera.rest.urls"))]


@pytest.fixture
def _atomic(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.look_after"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_atomic")
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", ["handler", "handler_before"])
def test_a_refusal_under_atomic_requests_stays_one(
    api: APIClient, settings: Any, method: str, name: str
) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": f"{__name__}.{name}"}
    access = sessions.start(make_user("anna")).access
    answer = getattr(api, method)("/refusing/", **bearer(access))
    assert answer.status_code == 400
    assert {answer[key] for key in ("X-Handler", "X-Final", "X-Middleware")} == {make_name()}

"""A refresh inside a transaction of other code works, and a stolen session stays ended after a rollback.

Middleware such as django-reversion's opens a transaction around every view, and rolls it back if the view
refuses the request. A refresh that ends a stolen session is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.test import TestCase
from django.urls import path
from django.utils import timezone
from django.utils.decorators import method_decorator
from rest_framework.test import APIClient

from drf_tessera import database, sessions, signals
from drf_tessera.exceptions import RefreshContended, RefreshReused, SessionEnded, SessionRevoked
from drf_tessera.models import Revocation, Session
from drf_tessera.rest.views import RefreshView
from drf_tessera.revocation import check_session
from drf_tessera.rotation import Outcome
from drf_tessera.sessions.compiled import Statement
from drf_tessera.tokens import verify_access_token
from tests.conftest import bearer, make_user

MINUTE = timedelta(minutes=1)
Foreign = Callable[[], AbstractContextManager[Any]]


# -- The transactions ------------------------------------------------------------------------------


class Roll(Exception):
    """Rolls a transaction back."""


@contextmanager
def nested() -> Iterator[None]:
    with transaction.atomic(), transaction.atomic():
        yield


@contextmanager
def without_savepoint() -> Iterator[None]:
    with transaction.atomic(), transaction.atomic(savepoint=False):
        yield


@contextmanager
def marked() -> Iterator[None]:
    """Mark the transaction for a rollback, as REST framework does after a refused request."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def without_autocommit() -> Iterator[None]:
    transaction.set_autocommit(False)
    try:
        yield
    except BaseException:
        transaction.rollback()
        raise
    else:
        transaction.commit()
    finally:
        transaction.set_autocommit(True)


TRANSACTIONS: dict[str, Foreign] = {
    "atomic": transaction.atomic,
    "durable": lambda: transaction.atomic(durable=True),
    "nested": nested,
    "without a savepoint": without_savepoint,
}
every_transaction = pytest.mark.parametrize("foreign", TRANSACTIONS.values(), ids=TRANSACTIONS)


@pytest.fixture
def grant(transactional_db: None) -> sessions.Grant:
    return sessions.start(make_user("anna"))


def steal(grant: sessions.Grant) -> tuple[str, datetime]:
    """Exchange a token and its successor. Return the first token, and a time outside of each grace window."""
    now = timezone.now() + MINUTE
    second = sessions.refresh(str(grant.refresh), now=now)
    sessions.refresh(str(second.refresh), now=now + MINUTE)
    return str(grant.refresh), now + 2 * MINUTE


def ends() -> list[str]:
    return list(Session.objects.values_list("revoked_for", flat=True))


@pytest.fixture
def heard() -> Iterator[list[str]]:
    found: list[str] = []

    def hear_revoked(**kwargs: Any) -> None:
        found.append("revoked")

    def hear_reused(**kwargs: Any) -> None:
        found.append("reused")

    signals.session_revoked.connect(hear_revoked, dispatch_uid="test")
    signals.refresh_reused.connect(hear_reused, dispatch_uid="test")
    yield found
    signals.session_revoked.disconnect(dispatch_uid="test")
    signals.refresh_reused.disconnect(dispatch_uid="test")


# -- A refresh -------------------------------------------------------------------------------------


@every_transaction
def test_a_refresh_works_and_is_committed_with_the_transaction(
    grant: sessions.Grant, foreign: Foreign
) -> None:
    now = timezone.now() + MINUTE
    with foreign():
        first = sessions.refresh(str(grant.refresh), now=now)
        again = sessions.refresh(str(grant.refresh), now=now)
    assert (first.outcome, again.outcome) == (Outcome.ROTATED, Outcome.GRACE)
    assert sessions.refresh(str(first.refresh), now=now + MINUTE).outcome is Outcome.ROTATED


@every_transaction
def test_a_refresh_with_a_hook_works_too(grant: sessions.Grant, foreign: Foreign, settings: Any) -> None:
    settings.TESSERA = {"CLAIMS": "tests.sessions.test_foreign_transactions.add_color"}
    with foreign():
        answer = sessions.refresh(str(grant.refresh), now=timezone.now())
    assert verify_access_token(answer.access)["color"] == "green"


def add_color(user: Any, session: Any) -> dict[str, str]:
    return {"color": "green"}


@every_transaction
def test_after_a_rollback_neither_token_logs_out(grant: sessions.Grant, foreign: Foreign) -> None:
    """The client may have the successor, or may not: nobody knows what came of the answer."""
    now = timezone.now() + MINUTE
    with suppress(Roll), foreign():
        lost = sessions.refresh(str(grant.refresh), now=now)
        raise Roll
    assert Session.objects.get().generation == 0
    ahead = sessions.refresh(str(lost.refresh), now=now + MINUTE)
    assert ahead.outcome is Outcome.RESYNCED
    assert sessions.refresh(str(ahead.refresh), now=now + 2 * MINUTE).outcome is Outcome.ROTATED


@every_transaction
def test_the_transaction_goes_on_after_a_refusal(grant: sessions.Grant, foreign: Foreign) -> None:
    sessions.revoke(grant.session_id)
    with foreign():
        with pytest.raises(SessionRevoked):
            sessions.refresh(str(grant.refresh))
        make_user("bob")
    assert sessions.live_sessions(make_user("carol").pk).count() == 0


def test_without_autocommit_nothing_is_refreshed(grant: sessions.Grant) -> None:
    """Nobody could repeat the end of a stolen session there. A system check finds the setting (E012)."""
    with without_autocommit(), pytest.raises(RuntimeError, match="AUTOCOMMIT"):
        sessions.refresh(str(grant.refresh))
    with without_autocommit(), transaction.atomic(), pytest.raises(RuntimeError, match="AUTOCOMMIT"):
        sessions.refresh(str(grant.refresh))
    assert Session.objects.get().generation == 0


# -- A theft ---------------------------------------------------------------------------------------


@pytest.mark.slow
@every_transaction
@pytest.mark.parametrize("act", [sessions.refresh, sessions.inspect_refresh_token])
def test_a_stolen_session_stays_ended_after_a_rollback(
    grant: sessions.Grant, foreign: Foreign, act: Any, heard: list[str]
) -> None:
    text, now = steal(grant)
    with pytest.raises(RefreshReused), foreign():
        act(text, now=now)
    assert ends() == ["refresh_reused"]
    assert list(Revocation.objects.values_list("session_id", flat=True)) == [grant.session_id]
    assert sorted(heard) == ["reused", "revoked"]
    with pytest.raises(SessionEnded):
        check_session(verify_access_token(grant.access))


@every_transaction
def test_a_stolen_session_is_ended_once_if_the_transaction_is_committed(
    grant: sessions.Grant, foreign: Foreign, heard: list[str]
) -> None:
    text, now = steal(grant)
    with foreign():
        with pytest.raises(RefreshReused):
            sessions.refresh(text, now=now)
        with pytest.raises(SessionRevoked):
            sessions.refresh(text, now=now)
        assert ends() == ["refresh_reused"]
    assert ends() == ["refresh_reused"]
    assert Revocation.objects.count() == 1
    assert sorted(heard) == ["reused", "revoked"]


def test_a_mark_is_a_rollback(grant: sessions.Grant, heard: list[str]) -> None:
    text, now = steal(grant)
    with marked(), pytest.raises(RefreshReused):
        sessions.refresh(text, now=now)
    assert ends() == ["refresh_reused"]
    assert sorted(heard) == ["reused", "revoked"]


def test_an_inner_rollback_under_an_outer_commit(grant: sessions.Grant, heard: list[str]) -> None:
    text, now = steal(grant)
    with transaction.atomic():
        with pytest.raises(RefreshReused), transaction.atomic():
            sessions.refresh(text, now=now)
        assert ends() == [""]
    assert ends() == ["refresh_reused"]
    assert sorted(heard) == ["reused", "revoked"]


def test_two_thefts_in_one_transaction(transactional_db: None, heard: list[str]) -> None:
    grants = [sessions.start(make_user(name)) for name in ("anna", "bob")]
    stolen = [steal(grant) for grant in grants]
    with suppress(Roll), transaction.atomic():
        for text, now in stolen:
            with pytest.raises(RefreshReused):
                sessions.refresh(text, now=now)
        raise Roll
    assert ends() == ["refresh_reused"] * 2
    assert sorted(heard) == ["reused"] * 2 + ["revoked"] * 2


def test_a_transaction_that_the_database_has_aborted(grant: sessions.Grant) -> None:
    text, now = steal(grant)
    with suppress(IntegrityError), transaction.atomic():
        with pytest.raises(RefreshReused):
            sessions.refresh(text, now=now)
        make_user("anna")  # there is one already
    assert ends() == ["refresh_reused"]


@pytest.mark.parametrize(
    ("act", "place"),
    [
        (sessions.refresh, "swap"),
        (sessions.refresh, "end"),
        (sessions.refresh, "notice"),
        (sessions.inspect_refresh_token, "end"),
        (sessions.inspect_refresh_token, "notice"),
    ],
)
def test_a_transaction_that_a_deadlock_has_undone_is_not_asked_again(
    grant: sessions.Grant, monkeypatch: pytest.MonkeyPatch, act: Callable[[str], object], place: str
) -> None:
    """MariaDB undoes the whole transaction of a victim, with its savepoints."""
    stolen = place != "swap"
    text = steal(grant)[0] if stolen else str(grant.refresh)

    def fail(*args: Any, **kwargs: Any) -> int:
        with (
            connection.connection.cursor()
            if connection.vendor != "sqlite"
            else nullcontext(connection.connection) as driver
        ):
            driver.execute("ROLLBACK")
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    with monkeypatch.context() as patch:
        if place == "swap":
            patch.setattr(Statement, "execute", fail)
        else:
            patch.setattr(QuerySet, "update" if place == "end" else "bulk_create", fail)
        with pytest.raises(RefreshContended), transaction.atomic():
            act(text)
    if stolen:
        with pytest.raises(RefreshReused):
            act(text)
    else:
        assert act(text)


def test_the_connection_is_as_it_was(grant: sessions.Grant) -> None:
    text, now = steal(grant)
    before = set(vars(connection))
    with pytest.raises(RefreshReused), transaction.atomic():
        sessions.refresh(text, now=now)
    assert set(vars(connection)) == before


def test_an_end_that_fails_after_the_transaction_is_logged(
    grant: sessions.Grant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise Roll

    done: list[int] = []
    with transaction.atomic():
        database.after_transaction(fail)
        database.after_transaction(lambda: done.append(1))
        assert not done
    assert done == [1]
    assert [record.levelno for record in caplog.records if record.name == database.__name__] == [
        logging.ERROR
    ]


class TestTestCase(TestCase):
    """The transaction of a test case is the project's world, and a transaction inside it is foreign."""

    def test_a_rollback_inside(self) -> None:
        text, now = steal(sessions.start(make_user("anna")))
        for foreign in (transaction.atomic, nested, marked):
            Session.objects.update(revoked_at=None, revoked_for="")
            with suppress(RefreshReused), foreign():
                sessions.refresh(text, now=now)
            assert ends() == ["refresh_reused"]

    def test_without_a_savepoint_the_whole_test_would_be_rolled_back(self) -> None:
        text, now = steal(sessions.start(make_user("anna")))
        with transaction.atomic():
            with suppress(RefreshReused), transaction.atomic(savepoint=False):
                sessions.refresh(text, now=now)
            transaction.set_rollback(False)
        assert ends() == ["refresh_reused"]


# -- Over the API ----------------------------------------------------------------------------------


def roll_back_refusals(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Return a middleware with a transaction around every view."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            response = get_response(request)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    return middleware


@method_decorator(transaction.atomic, name="dispatch")
class Decorated(RefreshView):
    """A project's subclass."""


class Overridden(RefreshView):
    """Another, that wraps the handler itself."""

    @transaction.atomic
    def post(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().post(request, *args, **kwargs)


def wrapped(request: HttpRequest) -> HttpResponse:
    """Call our view inside ``ATOMIC_REQUESTS``."""
    answer: HttpResponse = RefreshView.as_view()(request)
    return answer


urlpatterns = [
    path("decorated/", Decorated.as_view()),
    path("overridden/", Overridden.as_view()),
    path("wrapped/", wrapped),
]


@pytest.fixture(
    params=[
        "reversion.middleware.RevisionMiddleware",
        f"{__name__}.roll_back_refusals",
        *[f"/{name}/" for name in ("decorated", "overridden", "wrapped")],
    ]
)
def url(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    if not request.param.startswith("/"):
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, request.param]
        return "/api/token/refresh/"
    if request.param == "/wrapped/":
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    settings.ROOT_URLCONF = __name__
    return str(request.param)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_every_foreign_transaction_over_the_api(api: APIClient, url: str) -> None:
    user = make_user("anna")
    grant = sessions.start(user)
    first = api.post(url, {"refresh": grant.refresh})
    assert first.status_code == 200
    assert api.post(url, {"refresh": grant.refresh}).status_code == 200
    Session.objects.update(rotated_at=timezone.now() - MINUTE)
    second = api.post(url, {"refresh": first.json()["refresh"]})
    assert second.status_code == 200
    stolen = api.post(url, {"refresh": grant.refresh})
    assert (stolen.status_code, stolen.json()["code"]) == (401, "refresh_reused")
    assert ends() == ["refresh_reused"]
    answer = api.post(url, {"refresh": second.json()["refresh"]})
    assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")
    with pytest.raises(SessionEnded):
        check_session(verify_access_token(grant.access))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "middleware", ["reversion.middleware.RevisionMiddleware", f"{__name__}.roll_back_refusals"]
)
def test_all_endpoints_work_under_such_a_middleware(api: APIClient, settings: Any, middleware: str) -> None:
    from tests.conftest import log_in

    settings.MIDDLEWARE = [*settings.MIDDLEWARE, middleware]
    user: AbstractBaseUser = make_user("anna")
    body = log_in(api, user)
    other = log_in(api, user)
    header = bearer(body["access"])
    assert api.post("/api/token/verify/", {"token": body["access"]}).status_code == 200
    assert len(api.get("/api/token/sessions/", **header).json()) == 2
    assert api.delete(f"/api/token/sessions/{other['session']}/", **header).status_code == 204
    assert api.delete("/api/token/sessions/others/", **header).json() == {"revoked": 0}
    assert api.get("/me/", **header).status_code == 200
    assert api.post("/api/token/revoke/", {"refresh": body["refresh"]}).json() == {"revoked": True}
    assert api.get("/me/", **header).status_code == 401

"""The metrics, as a reader of OpenTelemetry's own SDK sees them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AbstractBaseUser
from django.test import AsyncClient, Client, RequestFactory
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIClient
from rest_framework.views import APIView
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_simplejwt.authentication import JWTAuthentication

from drf_tessera import audit, sessions, signals, tracing
from drf_tessera.contrib import opentelemetry as contrib
from drf_tessera.exceptions import ProjectError, RevocationUnavailable, TokenExpired
from drf_tessera.models import Session
from drf_tessera.revocation import feed
from drf_tessera.tracing import use_tracer
from tests.conftest import PASSWORD, bearer, log_in
from tests.test_audit import cause_each_event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[found])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    contrib.connect()
    yield found
    for event, (signal, _) in contrib.EVENTS.items():
        signal.disconnect(dispatch_uid=f"tessera metrics {event}")
    use_tracer(None)
    provider.shutdown()


def read(reader: Any) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    data = reader.get_metrics_data()
    return {
        metric.name: [(dict(point.attributes), point.value) for point in metric.data.data_points]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


@pytest.mark.slow
def test_each_event_is_counted_by_attributes_with_few_values(
    api: APIClient, anna: AbstractBaseUser, reader: Any, settings: Any
) -> None:
    secrets = cause_each_event(api, anna, settings)
    counted = read(reader)["tessera.events"]
    assert {attributes["event"] for attributes, _ in counted} == set(contrib.EVENTS) == set(audit.EVENTS)
    assert {"event": "session_refreshed", "outcome": "rotated"} in [attributes for attributes, _ in counted]
    shown = repr(counted)
    keys = [str(row.pk) for row in Session.objects.all()]
    assert not [text for text in [*secrets, *keys] if text in shown]


def test_the_state_of_the_feed_is_measured(api: APIClient, anna: AbstractBaseUser, reader: Any) -> None:
    api.get("/me/", **bearer(log_in(api, anna)["access"]))
    found = read(reader)
    assert found["tessera.revocations.usable"] == [({}, 1)]
    assert found["tessera.revocations.age"][0][1] >= 0
    assert found["tessera.revocations.notices"] == [({}, 0)]


def test_a_number_that_is_not_known_is_left_out(reader: Any) -> None:
    assert contrib._make_callback(lambda state: None)(None) == []  # type: ignore[arg-type]


@pytest.fixture
def spans(reader: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The spans that are finished, as an exporter of the SDK gets them."""
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    contrib.connect()
    yield found
    use_tracer(None)
    provider.shutdown()


def drain(spans: Any) -> list[tuple[str, dict[str, Any], bool]]:
    """Return the name, the attributes and whether it has failed, of each span of ours."""
    found = [span for span in spans.get_finished_spans() if span.name.startswith("tessera.")]
    spans.clear()
    return [(span.name, dict(span.attributes), not span.status.is_unset) for span in found]


@contextmanager
def requested() -> Iterator[None]:
    """Open the span of a request, as the instrumentation of Django does."""
    with trace.get_tracer("test").start_as_current_span("a request"):
        yield


def test_each_step_has_a_span_that_names_the_session_and_no_secret(
    api: APIClient, anna: AbstractBaseUser, spans: Any
) -> None:
    grant = log_in(api, anna)
    api.post("/api/token/refresh/", {"refresh": grant["refresh"]})
    with requested():
        assert api.get("/me/", **bearer(grant["access"])).status_code == 200
        assert api.get("/me/").status_code == 401
    found = drain(spans)
    who = {"session.id": grant["session"]}
    assert [step for step in found if step[0] != tracing.PULL] == [
        ("tessera.login", who, False),
        ("tessera.refresh", {**who, "tessera.outcome": "rotated"}, False),
        ("tessera.authenticate", who, False),
        ("tessera.authenticate", {}, False),
    ]
    assert (tracing.PULL, {"tessera.notices": 0}, False) in found
    assert not [text for text in (grant["access"], grant["refresh"], PASSWORD) if str(text) in repr(found)]


def test_the_span_of_a_step_has_the_events(api: APIClient, anna: AbstractBaseUser, spans: Any) -> None:
    log_in(api, anna)
    (span,) = [span for span in spans.get_finished_spans() if span.name == tracing.LOGIN]
    assert [event.name for event in span.events] == ["tessera.session_started"]


def test_an_event_outside_of_a_step_belongs_to_the_span_of_the_request(
    anna: AbstractBaseUser, spans: Any
) -> None:
    with trace.get_tracer("test").start_as_current_span("a request"):
        sessions.revoke(sessions.start(anna).session_id)
    (span,) = [span for span in spans.get_finished_spans() if span.name == "a request"]
    assert [event.name for event in span.events] == ["tessera.session_started", "tessera.session_revoked"]


def test_the_name_of_an_error_is_its_code_and_only_the_server_fails(
    api: APIClient, anna: AbstractBaseUser, spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post("/api/token/", {"username": anna.get_username(), "password": "wrong"})
    api.post("/api/token/refresh/", {"refresh": "tsr_x"})
    with requested():
        api.get("/me/", **bearer("rubbish"))
    assert drain(spans) == [
        ("tessera.login", {"error.type": "login_failed"}, False),
        ("tessera.refresh", {"error.type": "refresh_invalid"}, False),
        ("tessera.authenticate", {"error.type": "token_malformed"}, False),
    ]
    grant = sessions.start(anna)
    monkeypatch.setattr(feed.Feed, "_is_fresh", lambda self: False)
    with requested():
        assert api.get("/me/", **bearer(grant.access)).status_code == 503
    found = [step for step in drain(spans) if step[0] == "tessera.authenticate"]
    assert found == [("tessera.authenticate", {"error.type": "revocation_unavailable"}, True)]


@pytest.mark.parametrize(
    ("error", "name", "is_answer"),
    [
        (ValueError("a secret"), "ValueError", False),
        (AuthenticationFailed("x", code="user_inactive"), "user_inactive", True),
        (AuthenticationFailed({"detail": "x", "more": "y"}), "authentication_failed", True),  # type: ignore[arg-type]
        (TokenExpired(), "token_expired", True),
        (RevocationUnavailable(), "revocation_unavailable", False),
        (ProjectError("x"), "project_error", False),
    ],
)
def test_every_error_has_a_name(spans: Any, error: Exception, name: str, is_answer: bool) -> None:
    @tracing.traced(tracing.LOGIN, lambda result: {})
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        fail()
    assert drain(spans) == [(tracing.LOGIN, {"error.type": name}, not is_answer)]


def test_a_request_that_nobody_records_has_no_span(
    api: APIClient, anna: AbstractBaseUser, spans: Any
) -> None:
    grant = sessions.start(anna)
    assert api.get("/me/", **bearer(grant.access)).status_code == 200
    assert [step for step in drain(spans) if step[0] == "tessera.authenticate"] == []


@pytest.mark.slow
@pytest.mark.urls("tests.plain.urls")
@pytest.mark.parametrize("asgi", [False, True])
def test_a_plain_view_and_a_coroutine_have_one_span(
    anna: AbstractBaseUser, spans: Any, settings: Any, asgi: bool
) -> None:
    grant = sessions.start(anna)
    header = {"authorization": f"Bearer {grant.access}"}
    get: Any = async_to_sync(AsyncClient().get) if asgi else Client().get
    for middleware in ([], ["drf_tessera.plain.TokenMiddleware"]):
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, *middleware]
        for _ in range(2):  # the second time the token is known from memory
            with requested():
                assert get("/async/", headers=header).status_code == 200
            found = [step for step in drain(spans) if step[0] == "tessera.authenticate"]
            assert found == [("tessera.authenticate", {"session.id": str(grant.session_id)}, False)]


@pytest.mark.parametrize("kind", [JWTAuthentication, JSONWebTokenAuthentication])
def test_a_class_of_compat_has_a_span(anna: AbstractBaseUser, spans: Any, kind: Any) -> None:
    grant = sessions.start(anna)
    scheme = "Bearer" if kind is JWTAuthentication else "JWT"
    request = APIView().initialize_request(
        RequestFactory().get("/", headers={"authorization": f"{scheme} {grant.access}"})
    )
    with requested():
        assert kind().authenticate(request)
    known = {"session.id": str(grant.session_id)} if kind is JWTAuthentication else {}
    assert (tracing.AUTHENTICATE, known, False) in drain(spans)


def test_without_the_package_nothing_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    before = len(signals.session_started.receivers)
    contrib.connect()
    assert len(signals.session_started.receivers) == before

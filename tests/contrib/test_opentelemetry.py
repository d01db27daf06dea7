"""The metrics, as a reader of OpenTelemetry's own SDK sees them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rest_framework.test import APIClient

from drf_tessera import audit, signals
from drf_tessera.contrib import opentelemetry as contrib
from drf_tessera.models import Session
from tests.conftest import bearer, log_in
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
    provider.shutdown()


def read(reader: Any) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    data = reader.get_metrics_data()
    return {
        metric.name: [(dict(point.attributes), point.value) for point in metric.data.data_points]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_each_event_is_counted_by_attributes_with_few_values(
    api: APIClient, anna: AbstractBaseUser, reader: Any, settings: Any
) -> None:
    secrets = cause_each_event(api, anna, settings)
    counted = read(reader)["tessera.events"]
    assert {attributes["event"] for attributes, _ in counted} == set(contrib.EVENTS) == set(audit.EVENTS)
    assert {"event": "session_refreshed", "outcome": "rotated"} in [attributes for attributes, _ in counted]
    shown = repr(counted)
    sessions = [str(row.pk) for row in Session.objects.all()]
    assert not [text for text in [*secrets, *sessions] if text in shown]


def test_the_state_of_the_feed_is_measured(api: APIClient, anna: AbstractBaseUser, reader: Any) -> None:
    api.get("/me/", **bearer(log_in(api, anna)["access"]))
    found = read(reader)
    assert found["tessera.revocations.usable"] == [({}, 1)]
    assert found["tessera.revocations.age"][0][1] >= 0
    assert found["tessera.revocations.notices"] == [({}, 0)]


def test_a_number_that_is_not_known_is_left_out(reader: Any) -> None:
    assert contrib._make_callback(lambda state: None)(None) == []  # type: ignore[arg-type]


def test_the_span_of_a_request_has_the_events(api: APIClient, anna: AbstractBaseUser, reader: Any) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracer = provider.get_tracer("test")
    with trace.use_span(tracer.start_span("POST /api/token/"), end_on_exit=True):
        log_in(api, anna)
    (span,) = spans.get_finished_spans()
    assert [event.name for event in span.events] == ["tessera.session_started"]


def test_without_the_package_nothing_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    before = len(signals.session_started.receivers)
    contrib.connect()
    assert len(signals.session_started.receivers) == before

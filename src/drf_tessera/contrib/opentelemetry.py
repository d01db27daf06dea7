"""Metrics and spans for OpenTelemetry, as soon as its API package is installed.

Nothing has to be set. Without a provider of the project the API does nothing. The attributes of metrics and
events have few values, so no user and no session becomes a series of its own. A span names its session, and
never a token, a password or a user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.dispatch import Signal
from rest_framework.exceptions import APIException

from drf_tessera import signals
from drf_tessera.exceptions import TesseraError
from drf_tessera.http import find_status
from drf_tessera.revocation import FeedState, describe_feed
from drf_tessera.tracing import AUTHENTICATE, Finish, Tracer, use_tracer

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

NAME: Final = "drf_tessera"
"""The name of the meter."""

EVENTS: Final[Mapping[str, tuple[Signal, tuple[str, ...]]]] = {
    "session_started": (signals.session_started, ()),
    "session_impersonated": (signals.session_impersonated, ()),
    "session_handed_over": (signals.session_handed_over, ()),
    "session_refreshed": (signals.session_refreshed, ("outcome",)),
    "session_revoked": (signals.session_revoked, ("reason",)),
    "sessions_cleared": (signals.sessions_cleared, ("reason",)),
    "refresh_reused": (signals.refresh_reused, ()),
    "refresh_lost": (signals.refresh_lost, ()),
    "refresh_failed": (signals.refresh_failed, ("code",)),
    "login_failed": (signals.login_failed, ()),
    "login_throttled": (signals.login_throttled, ("limit",)),
    "token_refused": (signals.token_refused, ("code",)),
}
"""The signal of each event, and those of its arguments that have few values."""

SERVER_ERROR: Final = 500
"""The first status that says that the server has failed."""

_Read = Callable[[FeedState], float | None]

GAUGES: Final[Mapping[str, tuple[_Read, str, str]]] = {
    "tessera.revocations.age": (
        lambda state: state.age,
        "s",
        "The seconds since the knowledge of ended sessions was complete.",
    ),
    "tessera.revocations.notices": (
        lambda state: state.notices,
        "{notice}",
        "The ended sessions in the memory of the process.",
    ),
    "tessera.revocations.usable": (
        lambda state: int(state.is_usable),
        "1",
        "Whether the process accepts tokens.",
    ),
    "tessera.clock.skew": (
        lambda state: state.skew,
        "s",
        "The seconds by which the clock of the server is ahead of that of the database.",
    ),
}
"""The numbers of ``describe_feed``: how to read each, its unit and its description."""


def connect() -> None:
    """Connect the receivers, if OpenTelemetry's API is installed. The app calls this when it is ready."""
    try:
        from opentelemetry import metrics, trace  # noqa: PLC0415 - most projects do not have it
    except ImportError:
        return
    meter = metrics.get_meter(NAME)
    counter = meter.create_counter("tessera.events", unit="{event}", description="The events by their names.")

    def count(event: str, attributes: dict[str, str]) -> None:
        counter.add(1, {"event": event, **attributes})
        trace.get_current_span().add_event(f"tessera.{event}", attributes)

    use_tracer(_make_tracer())
    for event, (signal, labels) in EVENTS.items():
        uid = f"tessera metrics {event}"
        signal.disconnect(dispatch_uid=uid)
        signal.connect(_make_receiver(event, labels, count), weak=False, dispatch_uid=uid)
    for name, (read, unit, description) in GAUGES.items():
        meter.create_observable_gauge(name, [_make_callback(read)], unit=unit, description=description)


def _make_tracer() -> Tracer:
    """Return the function that opens the span of a step."""
    from opentelemetry import trace  # noqa: PLC0415 - most projects do not have it

    tracer, error_status = trace.get_tracer(NAME), trace.StatusCode.ERROR

    @contextmanager
    def open_span(name: str) -> Iterator[Finish]:
        # Neither the text nor the frames of an error are recorded, because they may hold what was sent.
        with tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield lambda describe, token: span.set_attributes(describe(token))
            except Exception as error:
                span.set_attribute("error.type", _name_error(error))
                if not _is_answer(error):
                    span.set_status(error_status)
                raise

    def find_span(name: str) -> AbstractContextManager[Finish] | None:
        # The token of a request is usually known from memory. A span alone would cost more than that.
        is_unseen = name == AUTHENTICATE and not trace.get_current_span().is_recording()
        return None if is_unseen else open_span(name)

    return find_span


def _name_error(error: Exception) -> str:
    """Return the code of an error, or the name of its class if it has no code."""
    if isinstance(error, APIException):
        codes = error.get_codes()
        return codes if isinstance(codes, str) else error.default_code
    return error.code if isinstance(error, TesseraError) else type(error).__qualname__


def _is_answer(error: Exception) -> bool:
    """Return whether an error is the client's, so that the step itself has not failed."""
    status = error.status_code if isinstance(error, APIException) else None
    if isinstance(error, TesseraError):
        status = find_status(type(error))
    return status is not None and status < SERVER_ERROR


def _make_receiver(
    event: str, labels: tuple[str, ...], count: Callable[[str, dict[str, str]], None]
) -> Callable[..., None]:
    def receive(sender: Any, **arguments: Any) -> None:
        count(event, {label: str(arguments[label]) for label in labels})

    return receive


def _make_callback(read: _Read) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - most projects do not have it

        found = read(describe_feed())
        return [] if found is None else [Observation(found)]

    return observe

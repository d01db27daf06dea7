"""The audit trail: one structured log record for each event, on the logger ``drf_tessera.audit``.

The level of the logger at start-up is the switch: an event whose level is off costs nothing. The records have
ids and addresses, and never a token, a password or a typed name.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.dispatch import Signal
from django.utils.crypto import salted_hmac

from drf_tessera import signals
from drf_tessera.sessions import find_origin
from drf_tessera.users import fold_name

logger: Final = logging.getLogger(__name__)
logger.addHandler(logging.NullHandler())  # otherwise Python writes warnings to stderr

_SALT: Final = "drf_tessera audit"

EVENTS: Final[Mapping[str, tuple[Signal, int]]] = {
    "session_started": (signals.session_started, logging.INFO),
    "session_impersonated": (signals.session_impersonated, logging.WARNING),
    "session_handed_over": (signals.session_handed_over, logging.INFO),
    "session_refreshed": (signals.session_refreshed, logging.INFO),
    "session_revoked": (signals.session_revoked, logging.INFO),
    "sessions_cleared": (signals.sessions_cleared, logging.WARNING),
    "refresh_reused": (signals.refresh_reused, logging.WARNING),
    "refresh_lost": (signals.refresh_lost, logging.WARNING),
    "refresh_failed": (signals.refresh_failed, logging.INFO),
    "login_failed": (signals.login_failed, logging.INFO),
    "login_throttled": (signals.login_throttled, logging.WARNING),
    "token_refused": (signals.token_refused, logging.INFO),
}
"""The signal of each event, and the level of its record."""


def connect() -> None:
    """Connect the events whose level is on. Django has configured the loggers before the apps are ready."""
    for event, (signal, level) in EVENTS.items():
        uid = f"tessera audit {event}"
        signal.disconnect(dispatch_uid=uid)
        if logger.isEnabledFor(level):
            signal.connect(_make_receiver(event, level), weak=False, dispatch_uid=uid)


def record(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write the record of an event. Where the request comes from is added, if it is known.

    Args:
        event: the name of the event.
        level: the level of the record.
        fields: more facts. They must not be secret, and each is a text, a number or an id.
    """
    if not logger.isEnabledFor(level):
        return
    facts = {"event": event, **find_origin(), **{key: value for key, value in fields.items() if value != ""}}
    plain = {key: _to_plain(value) for key, value in facts.items()}
    told = " ".join(f"{key}={json.dumps(value)}" for key, value in plain.items() if key != "event")
    logger.log(level, "%s %s", event, told, extra=plain)


def digest_name(name: str) -> str:
    """Return the text that stands for a typed name in the records.

    A typed name may be a password in the wrong field. The text is the same for each spelling of an account,
    so attempts can be counted, and nobody can compute it without ``SECRET_KEY``.
    """
    return salted_hmac(_SALT, fold_name(name), algorithm="sha256").hexdigest()[:16]


def _make_receiver(event: str, level: int) -> Callable[..., None]:
    def receive(sender: Any, signal: Signal, *, name: str | None = None, **fields: Any) -> None:
        account = {} if not name else {"account": digest_name(name)}
        record(event, level=level, **fields, **account)

    return receive


def _to_plain(value: Any) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)

"""A mail backend that keeps the newest messages in memory, because the demo has one process."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

MAX_MESSAGES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one address."""

    to: str
    subject: str
    text: str
    at: int
    """Milliseconds since the epoch."""


_messages: deque[Message] = deque(maxlen=MAX_MESSAGES)
_lock = threading.Lock()


class PostboxBackend(BaseEmailBackend):
    """The value of ``EMAIL_BACKEND``."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep the messages."""
        at = time.time_ns() // 1_000_000
        with _lock:
            for message in email_messages:
                for address in message.recipients():
                    text = str(message.body)
                    _messages.append(Message(to=address, subject=str(message.subject), text=text, at=at))
        return len(email_messages)


def list_messages(address: str) -> list[dict[str, Any]]:
    """Return the messages to an address, newest first."""
    with _lock:
        found = [asdict(message) for message in _messages if message.to.lower() == address.lower()]
    return found[::-1]

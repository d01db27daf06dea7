from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.test.utils import override_settings

from drf_tessera.keys import book, rows
from drf_tessera.tokens import keystore

DATABASE = {"KEYS": [{"alg": "Ed25519", "database": True}]}
MOVING = {"KEYS": [{"derived": True}, {"alg": "Ed25519", "database": True}]}


class Clock:
    """The clocks that the room of the keys and the tokens read. A test moves both."""

    def __init__(self) -> None:
        self.passed = 0.0

    def time(self) -> float:
        return time.time() + self.passed

    def monotonic(self) -> float:
        return time.monotonic() + self.passed

    def move(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in (rows, book):
        monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def in_database() -> Iterator[None]:
    """Keep the keys in the database, like a process that has just started."""
    with override_settings(TESSERA=DATABASE):
        keystore._get_holder.forget()
        book.find_book.forget()
        yield

"""A forked child begins again, also if the server forks it without a word to Python."""

from __future__ import annotations

import os
from threading import Thread

import pytest

from drf_tessera import forks
from drf_tessera.revocation.feed import find_feed, get_feed

pytestmark = pytest.mark.once


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(forks, "_hooks", [])
    forks.after_fork(lambda: found.append(os.getpid()))
    return found


@pytest.fixture
def unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process a child that Python does not know of."""
    monkeypatch.setattr(forks, "_process", [os.getppid()])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside threads
def test_a_child_of_python_calls_the_hooks_once(calls: list[int]) -> None:
    child = os.fork()
    if not child:  # pragma: no cover - in another process
        forks.notice_fork()
        os._exit(0 if calls == [os.getpid()] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    forks.notice_fork()
    assert calls == []


@pytest.mark.usefixtures("unnoticed")
def test_another_child_calls_the_hooks_once_when_it_is_used(calls: list[int]) -> None:
    forks.notice_fork()
    forks.notice_fork()
    assert calls == [os.getpid()]


@pytest.mark.usefixtures("unnoticed")
def test_two_threads_that_notice_a_fork_at_once_call_the_hooks_once(
    calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with forks._noticing:
        threads = [Thread(target=forks.notice_fork) for _ in range(2)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert calls == [os.getpid()]


@pytest.mark.usefixtures("unnoticed")
def test_such_a_child_has_a_new_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_process", [os.getpid()])
    parents = find_feed()
    assert find_feed() is parents
    monkeypatch.setattr(forks, "_process", [os.getppid()])
    assert find_feed() is not parents
    assert find_feed() is get_feed()

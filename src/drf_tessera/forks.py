"""The hooks that a forked process calls, to begin again.

A child has none of its parent's threads, and may have locks that they held. Python calls the hooks of
``os.register_at_fork`` in a child that it has forked itself. uWSGI forks without a word to Python, unless it
has the option ``py-call-osafterfork``. So :func:`notice_fork` also compares the numbers of the processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Final

_hooks: Final[list[Callable[[], object]]] = []
_process: Final = [os.getpid()]
_noticing: Final = Lock()


def after_fork(hook: Callable[[], object]) -> None:
    """Call ``hook`` in each forked child, before the child uses what it has from its parent."""
    _hooks.append(hook)


def notice_fork() -> None:
    """Call the hooks if this process is a child that Python does not know of. Usually, this does nothing."""
    if os.getpid() != _process[0]:
        with _noticing:
            if os.getpid() != _process[0]:
                _begin()


def _begin() -> None:
    for hook in _hooks:
        hook()
    _process[0] = os.getpid()  # last, because another thread may use what the hooks replace from now on


os.register_at_fork(after_in_child=_begin)

"""Watch the statements that tests send to the database: which code of ours sends them.

``writers`` reads the source, and sees only what is spelled as usual. Here each statement of each test is
judged by the functions that are being executed while it is sent. The tests execute every line of the package,
so a second writer is found however it is spelled. Only one in a coroutine is not: Django runs a statement of
a coroutine in another thread, which does not show the coroutine. ``writers`` finds that one by its name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, Final

from django.apps import apps
from django.db.backends.signals import connection_created

import drf_tessera
from tests.architecture.rules import WRITERS
from tools.house import WITHOUT

ROOT: Final = Path(drf_tessera.__file__).resolve().parent
TESTS: Final = Path(__file__).resolve().parent.parent

PASSED: Final = frozenset({("database", "persist"), ("database", "outlive_restart"), ("users.lazy", "call")})
"""Functions that only pass a call on: to a function that must succeed, or to a method of the project's user.

Their caller is the writer.
"""

COMPILERS: Final = {"Session": "sessions.compiled"}
"""A module that executes statements for the writer of a table."""

_WRITE: Final = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE(?!\()|MERGE|TRUNCATE)\b", re.IGNORECASE)
"""The verbs of statements that write. ``REPLACE(...)`` is a function for texts."""

_LOCK: Final = re.compile(r"\bFOR\s+(NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)

found: Final[list[str]] = []
"""The faults of the present test."""


def watch() -> None:
    """Check the statements of each connection that is opened from now on, in each thread."""
    connection_created.connect(_add_guard, dispatch_uid="tests.architecture.statements")


def _add_guard(*, connection: Any, **kwargs: object) -> None:
    if judge not in connection.execute_wrappers:
        connection.execute_wrappers.append(judge)


def judge(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Record the statement if a module of ours sent it that must not (for ``connection.execute_wrapper``)."""
    sender = find_sender()
    if sender is not None:
        found.extend(f"{sender} {fault}: {sql}" for fault in _find_faults(sender, str(sql)))
    return execute(sql, params, many, context)


def _find_faults(sender: str, sql: str) -> Iterator[str]:
    room = sender.partition(".")[0]
    if "the ORM" in WITHOUT.get(room, ()):
        yield f"sends a statement, and {room} does without the ORM"
    if _WRITE.search(_LOCK.sub("", sql)):
        for model, writer in WRITERS.items():
            allowed = (writer, COMPILERS.get(model, writer))
            if _names(sql, model) and not any(_is_within(sender, home) for home in allowed):
                yield f"writes {model}, whose only writer is {writer}"


def _names(sql: str, model: str) -> bool:
    table = apps.get_model("tessera", model)._meta.db_table
    return re.search(rf"\b{table}\b", sql, re.IGNORECASE) is not None


def _is_within(name: str, home: str) -> bool:
    return name == home or name.startswith(f"{home}.")


def find_sender() -> str | None:
    """Return the module of ours that is sending a statement; ``None`` if a test sends it, or Django alone.

    This is the innermost module of ours that is being executed. Modules of Django and of others are passed
    over. If a function of a test is further inside, then the test sends the statement, for example in a hook
    or in the place of a function that it has replaced.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = _name_module(frame.f_code.co_filename)
        if name == _TEST:
            return None
        if name and (name, frame.f_code.co_name) not in PASSED:
            return name
        frame = frame.f_back
    return None


_TEST: Final = "a test"
_OURS: Final = {
    f"{place}/": f"{name}." if name != ROOT.name else ""
    for name in (ROOT.name, "rest_framework_simplejwt", "rest_framework_jwt")
    if (spec := find_spec(name)) is not None
    for place in spec.submodule_search_locations or ()
}
"""The folders of our packages. The names of modules outside ``drf_tessera`` begin with their package."""
_known: Final[dict[str, str]] = {__file__: ""}


def _name_module(file: str) -> str:
    """Return the name of a module of ours below its package, ``a test`` for tests, and ``""`` for others."""
    name = _known.get(file)
    if name is None:
        name = _known[file] = _find_name(file)
    return name


def _find_name(file: str) -> str:
    for folder, prefix in _OURS.items():
        if file.startswith(folder):
            steps = file.removeprefix(folder).removesuffix(".py").removesuffix("/__init__")
            return prefix + steps.replace("/", ".")
    return _TEST if file.startswith(f"{TESTS}/") else ""

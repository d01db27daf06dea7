"""Print the way of a token through the modules: ``python -m tools.walk``, or ``--write`` it into the page.

Each line is a function of ours that another module called, below its caller. A statement stands below the
function that sent it. ``docs/explanation/architecture.md`` quotes the output between two marks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final

import django
from django.conf import settings
from django.db import connection

from drf_tessera.tracing import use_tracer
from tools.house import PACKAGE, ROOT
from tools.pages import REPOSITORY, fill, write_or_check

PAGE: Final = REPOSITORY / "docs" / "explanation" / "architecture.md"
BEGIN: Final = "<!-- walk: made by python -m tools.walk --write -->"
END: Final = "<!-- end of walk -->"

QUIET_ROOMS: Final = frozenset({"exceptions", "jose", "conf", "models", "database", "tracing"})
"""Rooms that are called from everywhere: their calls say nothing about the way."""

QUIET: Final = (
    "rest.serializers:",
    "rest.throttling:",
    "rest.endpoints:TokenView.",
    "rest.endpoints:_",
    "rest.endpoints:EndpointView.",
    "rest.endpoints:BodyView.get_serializer",
    "rest.errors:",
    "tokens.cache:",
    "tokens.keystore:",
    "tokens.refresh:RefreshToken.",
    "tokens.refresh:make_secret",
    "tokens.refresh:hash_secret",
    "sessions.grants:",
    "sessions.rows:select_sessions",
    "revocation.feed:get_feed",
    "http.client:read_address",
    "http.client:count_proxies",
    "networks:",
    "limits.counters:",
    "limits.logins:_",
    "http.transport:offers_ambient",
)
"""Functions beside the way: shapes, limits, small steps."""

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of a user who lives in memory for a second
SETTINGS: Final[dict[str, Any]] = {
    "SECRET_KEY": "the key of a walk through the modules",
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", PACKAGE],
    "ROOT_URLCONF": "tools.way",
    "ALLOWED_HOSTS": ["testserver"],
    "USE_TZ": True,
    "REST_FRAMEWORK": {"DEFAULT_AUTHENTICATION_CLASSES": [f"{PACKAGE}.JWTAuthentication"]},
    # Long enough for a machine of any speed: nothing expires on the way.
    "TESSERA": {
        "REFRESH_GRACE": timedelta(hours=1),
        "REVOCATION_POLL": timedelta(hours=1),
        "REVOCATION_MAX_STALENESS": timedelta(hours=1),
    },
}


@dataclass(slots=True)
class Recorder:
    """Collects the steps of one request."""

    title: str
    steps: list[tuple[int, str]] = field(default_factory=list)
    """Each step with its depth."""

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        """Record a call of one of our functions from another module (for ``sys.setprofile``)."""
        name = _name(frame)
        if event != "call" or name is None:
            return
        callers = list(_list_callers(frame))
        if not callers or _get_module(callers[0]) != _get_module(name):
            self._add(_count_modules(callers), name.replace(":", "."))

    def execute(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Record a statement (for ``connection.execute_wrapper``)."""
        words = sql.replace('"', "").replace(".", " ").split()
        table = next((word for word in words if word.startswith(("tessera_", "auth_"))), None)
        if table is not None:
            frame = sys._getframe()  # noqa: SLF001 - the standard library has no other name for it
            self._add(_count_modules(list(_list_callers(frame))), f"[{words[0]} {table}]")
        return execute(sql, params, many, context)

    def _add(self, depth: int, step: str) -> None:
        if (depth, step) not in self.steps[-2:]:  # a block by ``with`` is entered and left
            self.steps.append((depth, step))

    def write(self) -> str:
        """Return the title and the steps."""
        lines = [f"{'  ' * depth}{step}" for depth, step in self.steps]
        return "\n".join([self.title, *(f"  {line}" for line in lines)])


def _name(frame: FrameType) -> str | None:
    """Return module and function of a frame, as ``sessions.rows:insert``; ``None`` if it is not shown."""
    path = Path(frame.f_code.co_filename)
    function = frame.f_code.co_qualname
    if not path.is_relative_to(ROOT) or "<" in function or "__" in function:
        return None
    name = f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}:{function}"
    quiet = _get_module(name).partition(".")[0] in QUIET_ROOMS or name.startswith(QUIET)
    return None if quiet else name


def _get_module(name: str) -> str:
    return name.partition(":")[0]


def _list_callers(frame: FrameType) -> Iterator[str]:
    """Find the functions of ours that led to a frame, the nearest first."""
    above = frame.f_back
    while above is not None:
        name = _name(above)
        if name is not None:
            yield name
        above = above.f_back


def _count_modules(callers: list[str]) -> int:
    """Count the callers, taking several in a row of one module for one."""
    modules = [_get_module(caller) for caller in callers]
    return sum(1 for index, module in enumerate(modules) if modules[index - 1 : index] != [module])


@contextmanager
def recording(title: str) -> Iterator[Recorder]:
    """Record what happens in the block."""
    recorder = Recorder(title)
    with connection.execute_wrapper(recorder.execute):
        sys.setprofile(recorder.profile)
        try:
            yield recorder
        finally:
            sys.setprofile(None)


def walk() -> str:
    """Run the way in a project of its own, and return all steps."""
    settings.configure(**SETTINGS)
    django.setup()
    from tools.way import go  # noqa: PLC0415 - its views need the settings

    use_tracer(None)  # an installed tracer would stand between the steps

    return "\n\n".join(recorder.write() for recorder in go())


def main(arguments: list[str]) -> int:
    """Print the steps, or write them into the page."""
    steps = walk()
    if arguments != ["--write"]:
        print(steps)  # noqa: T201 - it talks to a person at a terminal
        return 0
    page = fill(PAGE.read_text(), BEGIN, END, f"```text\n{steps}\n```")
    return write_or_check(PAGE, page, command="python -m tools.walk --write", arguments=[])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

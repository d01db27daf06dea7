"""Pages, the demo, ``compat/`` and the tests of users use what is public, and nothing behind a door."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.architecture.outside import find_strangers, find_unused, read_users
from tests.architecture.rules import WRITERS
from tests.architecture.writers import find_writes
from tools.house import read_house, read_sources

pytestmark = pytest.mark.once  # it reads source code

HOUSE = read_house(read_sources())


@cache
def read_files() -> dict[str, str]:
    """Return the files of all users. Reading them takes a second, and not every worker needs them."""
    return read_users()


@pytest.mark.slow
def test_users_use_public_names_alone() -> None:
    assert find_strangers(HOUSE, read_files()) == []


@pytest.mark.slow
def test_every_name_of_a_door_is_used_or_told_of() -> None:
    assert find_unused(HOUSE, read_files()) == []


def test_all_kinds_of_users_are_read() -> None:
    for start in ("README.md", "docs/howto/", "demo/", "compat/jwt/", "compat/simplejwt/", "tests/tutorial/"):
        assert any(path.startswith(start) for path in read_files()), start


PLANTED = {
    "a private name": ("x.py", "from drf_tessera.sessions import _describe", "its name is private"),
    "a private attribute": ("x.py", "from drf_tessera import sessions\nsessions._describe()", "private"),
    "a module behind a door": (
        "x.py",
        "from drf_tessera.sessions import rows",
        "behind the door of sessions",
    ),
    "its names": ("x.py", "from drf_tessera.sessions.starting import start", "behind the door of sessions"),
    "one by an attribute": (
        "x.py",
        "from drf_tessera import sessions\nsessions.rows.insert",
        "behind the door",
    ),
    "one by a setting": ("x.py", "X = ['drf_tessera.users.lazy.lazy_user']", "behind the door of users"),
    "one in a comment": ("x.py", "# drf_tessera.users.lazy", "behind the door of users"),
    "a room that is not public": ("x.py", "from drf_tessera.jose.keys import Key", "jose is not public"),
    "what does not exist": ("x.py", "from drf_tessera.sessions import nothing", "sessions does not offer it"),
    "a module that does not exist": ("x.py", "import drf_tessera.adoption", "drf_tessera does not offer it"),
    "what a module only imports": (
        "x.py",
        "from drf_tessera.login import Refusal",
        "login does not offer it",
    ),
    "a path on a page": ("x.md", "See `drf_tessera.csrf.check_site`.", "drf_tessera does not offer it"),
    "an import on a page": ("x.md", "```python\nfrom drf_tessera import former\n```", "does not offer it"),
    "an attribute on a page": (
        "x.md",
        "```python\nfrom drf_tessera import sessions\n```\ntext\n```python\nsessions.rows\n```",
        "x.md:6 uses drf_tessera.sessions.rows: it stands behind the door",
    ),
    "an attribute of a class": (
        "x.py",
        "from drf_tessera.rest.views import LoginView\nLoginView.gone",
        "LoginView has no gone",
    ),
    "a private attribute of a class": (
        "x.py",
        "from drf_tessera.models import Session\nSession.objects._x",
        "its name is private",
    ),
    "a private attribute of an object": (
        "x.py",
        "from drf_tessera.conf import per_settings\nper_settings(print)._held",
        "takes the private attribute _held",
    ),
    "one by a function": (
        "x.py",
        "from drf_tessera import sessions\ngetattr(sessions, 'rows')",
        "behind the door of sessions",
    ),
    "one by a computed name": (
        "x.py",
        "from importlib import import_module\nimport_module('drf_tessera.' + NAME)",
        "import_module loads by a name that is not written here",
    ),
    "a short name on a page": ("x.md", "Call `sessions.nothing(user)`.", "sessions does not offer it"),
    "one without marks": ("x.md", "Call sessions.nothing(user).", "sessions does not offer it"),
    "one of a room without a door": ("x.md", "See `rest.views.Nope`.", "rest.views does not offer it"),
    "one of a class": ("x.md", "Override `LoginView.gone`.", "LoginView has no gone"),
    "one of a class with its path": (
        "x.md",
        "Override `rest.views.LoginView.gone`.",
        "LoginView has no gone",
    ),
    "a file of the inside": (
        "docs/howto/x.md",
        "See `sessions/rows.py`.",
        "names the file sessions/rows.py: a",
    ),
    "one with its folder": ("x.md", "See `src/drf_tessera/sessions/rows.py`.", "rows.py: a page for users"),
    "a file that does not exist": (
        "docs/explanation/x.md",
        "See `sessions/nothing.py`.",
        "names the file sessions/nothing.py, which does not exist",
    ),
    "a name of the inside that does not exist": (
        "docs/explanation/x.md",
        "See `sessions.rows.nothing`.",
        "behind the door of sessions",
    ),
    "an import in a short block": (
        "x.md",
        "```py\nfrom drf_tessera.conf import nothing\n```",
        "conf does not",
    ),
    "an import at the prompt": (
        "x.md",
        "```pycon\n>>> from drf_tessera import sessions\n>>> sessions.rows\n```",
        "x.md:3 uses drf_tessera.sessions.rows",
    ),
    "an import in a command": (
        "x.md",
        "```sh\npython -c 'from drf_tessera.sessions import rows'\n```",
        "behind the door of sessions",
    ),
    "a path in a template": ("demo/x.html", "<!-- drf_tessera.sessions.rows -->", "behind the door"),
    "an entry point": (
        "compat/x/pyproject.toml",
        "x = 'drf_tessera.sessions.rows:insert'",
        "behind the door",
    ),
    "a part of a module": (
        "tests/tutorial/x.txt",
        "from drf_tessera import sessions\nsessions.rows",
        "behind",
    ),
    "a block that is not a program": (
        "x.md",
        "text\n\n```python\nfrom drf_tessera.sessions import nothing\n...\n}\n```",
        "x.md:4 is not a program",
    ),
}


@pytest.mark.parametrize(("path", "text", "expected"), PLANTED.values(), ids=PLANTED)
def test_a_planted_stranger_is_found(path: str, text: str, expected: str) -> None:
    found = find_strangers(HOUSE, {path: text})
    assert any(expected in stranger for stranger in found), found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("x.py", "from drf_tessera import JWTAuthentication, sessions\nsessions.start(user)"),
        ("x.py", "import drf_tessera.conf as conf\nconf.get_settings().clock_skew"),
        ("x.py", "from drf_tessera.legacy.pyjwt import decode"),
        ("x.py", "from drf_tessera.rest.endpoints import TokenView"),
        ("x.md", "`sessions.start(user)` and `settings.DEBUG` and `drf_tessera.rest.urls`"),
        ("x.md", "```text\nthis is no Python\n```"),
        ("x.md", "Override `LoginView.post`, and read `Session.kept_until` or `sessions.Reason.ADMIN`."),
        ("docs/explanation/x.md", "See `sessions/rows.py` and `sessions.rows.end`."),
        ("docs/migrate/x.md", "`tokens.Token` and `models.TokenUser` stay as they are."),
    ],
)
def test_a_public_name_is_left_alone(path: str, text: str) -> None:
    assert find_strangers(HOUSE, {path: text}) == []


@pytest.mark.slow
def test_a_name_that_nobody_takes_is_found() -> None:
    planted = read_sources()
    planted["users/lookup.py"] += "\ndef lonely_name(): ...\n"
    planted["users/__init__.py"] += "from drf_tessera.users.lookup import lonely_name as lonely_name\n"
    assert any("offers lonely_name" in found for found in find_unused(read_house(planted), read_files()))


@pytest.mark.slow
def test_users_write_no_session() -> None:
    ours = {
        path: text
        for path, text in read_files().items()
        if path.startswith("compat/") and path.endswith(".py")
    }
    assert len(ours) > 20
    assert not [path for path, text in ours.items() if list(find_writes(ast.parse(text), WRITERS))]

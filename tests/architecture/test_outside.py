"""Pages, the demo, ``compat/`` and the tests of users use what is public, and nothing behind a door."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.outside import find_strangers, find_unused, read_users
from tests.architecture.rules import WRITERS
from tests.architecture.writers import find_writes
from tools.house import read_house, read_sources

pytestmark = pytest.mark.once  # it reads source code

HOUSE = read_house(read_sources())
FILES = read_users()


def test_users_use_public_names_alone() -> None:
    assert find_strangers(HOUSE, FILES) == []


def test_every_name_of_a_door_is_used_or_told_of() -> None:
    assert find_unused(HOUSE, FILES) == []


def test_all_kinds_of_users_are_read() -> None:
    for start in ("README.md", "docs/howto/", "demo/", "compat/jwt/", "compat/simplejwt/", "tests/tutorial/"):
        assert any(path.startswith(start) for path in FILES), start


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
    "a short name on a page": ("x.md", "Call `sessions.nothing(user)`.", "sessions does not offer it"),
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
        ("x.py", "from drf_tessera.rest.views import TokenView"),
        ("x.md", "`sessions.start(user)` and `settings.DEBUG` and `drf_tessera.rest.urls`"),
        ("x.md", "```python\nthis is no Python\n```"),
    ],
)
def test_a_public_name_is_left_alone(path: str, text: str) -> None:
    assert find_strangers(HOUSE, {path: text}) == []


def test_a_name_that_nobody_takes_is_found() -> None:
    planted = read_sources()
    planted["users/lookup.py"] += "\ndef lonely_name(): ...\n"
    planted["users/__init__.py"] += "from drf_tessera.users.lookup import lonely_name as lonely_name\n"
    assert any("offers lonely_name" in found for found in find_unused(read_house(planted), FILES))


def test_users_write_no_session() -> None:
    ours = {path: text for path, text in FILES.items() if path.startswith("compat/") and path.endswith(".py")}
    assert len(ours) > 20
    assert not [path for path, text in ours.items() if list(find_writes(ast.parse(text), WRITERS))]

"""The reference page of the API agrees with the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import api
from tools.docstrings import read_raises, read_summary
from tools.house import read_house, read_sources
from tools.pages import REPOSITORY, write_or_check

pytestmark = pytest.mark.once  # it reads source code

SOURCES = read_sources()


@pytest.fixture(scope="module")
def page() -> str:
    """Render the page once. At import, each run of any test would wait for it."""
    return api.render(read_house(SOURCES))


def test_the_committed_page_is_current(page: str) -> None:
    assert api.PAGE.read_text() == page, "run python -m tools.api"


def test_every_name_of_every_door_is_on_the_page(page: str) -> None:
    house = read_house(SOURCES)
    for room in house.rooms:
        if house.has_door(room):
            for name in house.read_door(room):
                assert f'<a id="{room}.{name}">' in page, f"{room}.{name}"


def test_every_link_leads_to_an_anchor(page: str) -> None:
    anchors = re.findall(r'<a id="([^"]+)">', page)
    assert len(anchors) == len(set(anchors)) > 100
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= set(anchors)


def test_no_markup_of_docstrings_is_left(page: str) -> None:
    assert not re.findall(r":(?:func|class|mod|meth|data|attr):`", page)
    assert "``" not in re.sub(r"^```.*$", "", page, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def start(\n", "def start(\n    more: int,\n"),
        ('"""Start a session', '"""Begin a session'),
        ("        PasswordChanged: ", "        PasswordChanged: or not, "),
    ],
)
@pytest.mark.slow  # each change loads the whole package
def test_a_change_of_the_source_changes_the_page(page: str, before: str, after: str) -> None:
    changed = {path: text.replace(before, after) for path, text in SOURCES.items()}
    assert changed != SOURCES
    assert api.render(read_house(changed)) != page


MODULE = '''
"""Two things."""

from __future__ import annotations

WIDTH: Final = 3
"""How wide."""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A thing. See :func:`make`.

    More of it.
    """

    name: str
    size: int = field(default=0, repr=False)
    """In ``cm``."""

    @property
    def area(self) -> int:
        """The area."""

    def _hide(self) -> None: ...


@contextmanager
def make(first: int, /, *rest: str, deep: Callable[[int], str] | None = None, **more: Any) -> Iterator[Thing]:
    """Make a :class:`~drf_tessera.signals.Thing`
    of two lines.

    Args:
        first: one.

    Raises:
        UserGone, UserInactive: as they
            say.
        RuntimeError: there is ``none``.
    """


def _hide() -> None: ...


def receive(*, instance: Any, **kwargs: Any) -> None:
    """Called by Django."""


def check(app_configs: Any, **kwargs: Any) -> list[Any]:
    """Called by Django."""
'''


@pytest.mark.slow  # the same
def test_each_kind_of_name_is_written_as_it_is_declared() -> None:
    page = api.render(read_house({**SOURCES, "signals.py": MODULE}))
    section = page.split('<a id="signals"></a>')[1].split('<a id="models"></a>')[0]
    assert "WIDTH = 3\n```\n\nHow wide." in section
    assert "class Thing(*, name: str, size: int = 0)\n```\n\nA thing. See [`make`](#signals.make)." in section
    assert "- `size: int = field(default=0, repr=False)`: In `cm`.\n- `area: int`: The area." in section
    assert (
        "@contextmanager\nmake(\n    first: int,\n    /,\n    *rest: str,\n"
        "    deep: Callable[[int], str] | None = None,\n    **more: Any,\n) -> Iterator[Thing]\n"
    ) in section
    assert "Make a [`Thing`](#signals.Thing) of two lines." in section
    assert (
        "- [`UserGone`](#exceptions.UserGone), [`UserInactive`](#exceptions.UserInactive): as they say."
        in section
    )
    assert "- `RuntimeError`: there is `none`." in section
    assert "More of it" not in section
    assert "_hide" not in section
    assert "receive" not in section
    assert "Called by Django" not in section


def test_a_docstring_without_raises_gives_an_empty_list() -> None:
    def link(name: str) -> str:
        return name

    assert read_raises("One line.", link) == []
    assert read_summary("One\n    line of ``two``.\n\nMore.", link) == "One line of `two`."


def test_check_compares_and_does_not_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = REPOSITORY / "docs" / "reference" / "settings.md"
    before = path.read_text()
    assert write_or_check(path, before, command="x", arguments=["--check"]) == 0
    assert write_or_check(path, "other", command="x", arguments=["--check"]) == 1
    assert "docs/reference/settings.md is not current: run `x`" in capsys.readouterr().err
    assert write_or_check(path, "other", command="x", arguments=["--nonsense"]) == 2
    assert path.read_text() == before
    assert write_or_check(tmp_path / "page", "text", command="x", arguments=[]) == 0
    assert (tmp_path / "page").read_text() == "text"

"""The scenes of the demo: the page shows what the model of the refresh rule found."""

from __future__ import annotations

import pytest

from tests.model import scenes

pytestmark = pytest.mark.once  # the rule is pure


def find_cells(name: str) -> list[tuple[bool, bool | None]]:
    """Return who is logged in at the end of a scene, the owner and the thief, under each rule."""
    (scene,) = [scene for scene in scenes.play_scenes() if scene["name"] == name]
    return [(cell["you"], cell["thief"]) for cell in scene["cells"]]


def test_the_scenes_on_the_page_are_those_of_the_model() -> None:
    """``python -m tests.model.scenes`` writes the file again."""
    found = scenes.read()
    assert found["scenes"] == scenes.play_scenes()
    assert found["rules"] == list(scenes.COLUMNS)


@pytest.mark.long  # it explores all orders of messages
def test_the_figures_on_the_page_are_those_of_the_model() -> None:
    """``python -m tests.model.scenes`` writes the file again."""
    found = scenes.read()
    assert {name: found[name] for name in ("loss", "bound")} == scenes.explore_rules()


def test_the_file_is_written_as_it_is_read() -> None:
    found = scenes.read()
    figures = {name: found[name] for name in ("loss", "bound")}
    assert scenes.FILE.read_text() == scenes.write(found["scenes"], figures)


def test_a_thief_stays_in_without_rotation_and_is_thrown_out_with_it() -> None:
    assert find_cells("A thief copies your token") == [(True, True), (False, False), (False, False)]


@pytest.mark.parametrize("name", ["Two tabs refresh at once", "An answer is lost"])
def test_strict_rotation_alone_logs_out_an_honest_client(name: str) -> None:
    assert find_cells(name) == [(True, None), (False, None), (True, None)]

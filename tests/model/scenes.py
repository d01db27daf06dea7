"""Short scenes under three rules, for the page of the demo.

Each scene ends with an owner and a thief who are logged in, or not. ``python -m tests.model.scenes`` writes
``demo/page/static/page/scenes.js``, and a test compares the file with the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.model.explore import explore
from tests.model.rules import Chain, Reply, Rule
from tests.model.table import RULES
from tests.model.world import Model

FILE: Final = Path(__file__).parents[2] / "demo" / "page" / "static" / "page" / "scenes.js"
ROUNDS: Final = 3
"""How often the owner and the thief come by, one after the other, after a theft."""


@dataclass(frozen=True)
class Fixed:
    """No rotation: a session keeps one refresh token, and each use of it succeeds."""

    @property
    def first(self) -> tuple[int, int]:
        return 1, 1

    def use(self, row: int, token: int) -> Reply | None:
        return Reply(row, token, True)

    def pass_half(self, row: int) -> None:
        """Return ``None``, because nothing depends on time."""

    def settle(
        self, row: int, snapshot: None, owned: Iterable[int], stolen: Iterable[int]
    ) -> tuple[int, None, Mapping[int, int]]:
        return row, None, {token: token for token in (*owned, *stolen)}

    def rank(self, token: int) -> int:
        return token

    def name(self, row: int, token: int) -> str:
        return "the token"


COLUMNS: Final[Mapping[str, Rule]] = {
    "No rotation": Fixed(),
    "Strict rotation": RULES["strict rotation: grace 0, recoveries 0"],
    "drf-tessera": Chain(),
}


@dataclass
class Play:
    """One run of a scene. The owner and the thief each hold a token, and the session may end."""

    rule: Rule
    row: Any = None
    tokens: dict[str, int] = field(default_factory=dict)
    ended: bool = False
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.row, token = self.rule.first
        self.tokens["You"] = token

    def copy(self) -> None:
        """Add the owner's token to those of the thief."""
        self.tokens["The thief"] = self.tokens["You"]
        self.steps.append("The thief copies your refresh token.")

    def wait(self) -> None:
        """Wait until no window is open."""
        while (row := self.rule.pass_half(self.row)) is not None:
            self.row = row

    def refresh(
        self, who: str, *, lost: bool = False, token: int | None = None, how: str = "refresh"
    ) -> None:
        """Send the token of a holder. If the answer is lost, the holder keeps the old token."""
        verb = f"{how}es" if who == "The thief" else how
        reply = None if self.ended else self.rule.use(self.row, self.tokens[who] if token is None else token)
        if reply is None:
            self.ended = True
            self.steps.append(f"{who} {verb}: refused, and nobody is logged in.")
            return
        self.row = reply.row
        if lost:
            self.steps.append(f"{who} {verb}, and the answer is lost on its way.")
            return
        self.steps.append(f"{who} {verb}: accepted.")
        self.tokens[who] = self.tokens[who] if reply.token is None else reply.token


def play_theft(play: Play) -> None:
    """Run a theft: the thief copies a token and waits, the owner works on, and then both come by in turn."""
    play.copy()
    for _ in range(2):
        play.wait()
        play.refresh("You")
    for _ in range(ROUNDS):
        for who in ("The thief", "You"):
            if not play.ended or who == "You":
                play.wait()
                play.refresh(who)
        if play.ended:
            return


def play_tabs(play: Play) -> None:
    """Run two tabs that send one token at the same moment, and work on afterwards."""
    token = play.tokens["You"]
    play.refresh("You", token=token, how="refresh in the first tab")
    play.refresh("You", token=token, how="refresh in the second tab at the same moment")
    play.wait()
    play.refresh("You", how="refresh a minute later")


def play_lost_answer(play: Play) -> None:
    """Run a refresh whose answer is lost. The client still has the old token, and tries again later."""
    play.refresh("You", lost=True)
    play.wait()
    play.refresh("You", how="try again a minute later")


SCENES: Final[Mapping[str, Callable[[Play], None]]] = {
    "A thief copies your token": play_theft,
    "Two tabs refresh at once": play_tabs,
    "An answer is lost": play_lost_answer,
}


def play_scenes() -> list[dict[str, Any]]:
    """Return each scene under each rule: its steps, and the holders who are still in at its end."""
    scenes = []
    for name, act in SCENES.items():
        cells = []
        for rule in COLUMNS.values():
            play = Play(rule)
            act(play)
            thief = not play.ended if "The thief" in play.tokens else None
            cells.append({"you": not play.ended, "thief": thief, "steps": play.steps})
        scenes.append({"name": name, "cells": cells})
    return scenes


def explore_rules() -> dict[str, list[int | None]]:
    """Return the figures of the whole model, for each rule.

    ``loss`` is the fewest lost answers in a row that end a session without a thief, and ``bound`` is the most
    successes of a thief. ``None`` means never, and without bound.
    """
    found: dict[str, list[int | None]] = {"loss": [], "bound": []}
    for rule in COLUMNS.values():
        loss = explore(Model(rule=rule)).find_loss()
        # Without rotation, no answer has a new token, so each answer counts.
        robbed = explore(Model(rule=rule, thief=True, count_access=isinstance(rule, Fixed)))
        found["loss"].append(None if loss is None else loss[0])
        found["bound"].append(robbed.find_bound())
    return found


def write(scenes: list[dict[str, Any]], figures: dict[str, list[int | None]]) -> str:
    """Return the text of the file."""
    data = {"rules": list(COLUMNS), "scenes": scenes, **figures}
    return (
        "// Made by python -m tests.model.scenes, from the model of the refresh rule.\n"
        f"export const SCENES = {json.dumps(data, indent=2)};\n"
    )


def read() -> dict[str, Any]:
    """Return the data in the file."""
    text = FILE.read_text()
    found: dict[str, Any] = json.loads(text[text.index("= ") + 2 :].rstrip().removesuffix(";"))
    return found


if __name__ == "__main__":
    FILE.write_text(write(play_scenes(), explore_rules()))

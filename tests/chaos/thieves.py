"""Thieves: each copies a refresh token once, and uses it with a strategy of the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Final

from tests.chaos import tempo
from tests.chaos.clients import REFUSAL, Client, World
from tests.chaos.records import Session, Theft
from tests.chaos.wire import Answer, NoAnswer, parse_token

Choose = Callable[[list[str], Random], str]

STRATEGIES: Final[dict[str, tuple[Choose, float]]] = {
    "the newest token at once": (lambda tokens, rng: tokens[-1], 0.3),
    "the stolen token again and again": (lambda tokens, rng: tokens[0], 1.05),
    "the parent after each window": (lambda tokens, rng: tokens[max(0, len(tokens) - 2)], 1.05),
    "any token at any time": (lambda tokens, rng: rng.choice(tokens), 0.7),
    "the newest token late": (lambda tokens, rng: tokens[-1], 2.0),
}
"""How a thief chooses a token, and how many windows he waits at least. He waits at most twice as long."""


class Thief:
    """Somebody who has copied the refresh token of a client."""

    def __init__(self, victim: Client, world: World, rng: Random) -> None:
        assert victim.session is not None
        self.session: Session = victim.session
        self.world, self.rng = world, rng
        self.tokens = [victim.refresh]
        self.name = rng.choice(list(STRATEGIES))
        self.theft = Theft(strategy=self.name, began=time.monotonic())
        self.session.theft = self.theft
        self.session.note(f"THEFT: {self.name}")
        self._counted = self.theft.began

    async def live(self) -> None:
        """Use the tokens until the session ends."""
        choose, windows = STRATEGIES[self.name]
        while self.world.going and self.theft.caught is None and self.session.refused is None:
            await asyncio.sleep(self.rng.uniform(windows, 2 * windows) * tempo.GRACE)
            try:
                await self._use(choose(self.tokens, self.rng))
            except NoAnswer:
                continue

    async def _use(self, token: str) -> None:
        answer = await self.world.call(
            self.rng, "POST", "api/token/refresh/", {"refresh": token}, patience=tempo.GIVE_UP
        )
        self.session.note(f"the THIEF uses {parse_token(token)[0]}: {answer.status} {answer.code}")
        if answer.status == 200:
            self.theft.answers += 1
            self._gain(answer)
        elif answer.status == 401 and REFUSAL.match(answer.code):
            self.theft.caught, self.theft.code = answer.heard, answer.code

    def _gain(self, answer: Answer) -> None:
        """Count a success as the model does: a token of a new generation, after the victim came by."""
        found = str(answer.data.get("refresh", ""))
        if not found:
            return
        is_new = parse_token(found)[0] not in {parse_token(token)[0] for token in self.tokens}
        if found not in self.tokens:
            self.tokens.append(found)
            self.tokens.sort(key=lambda token: parse_token(token)[0])
        came_by = any(sent >= self._counted and heard <= answer.sent for sent, heard in self.session.arrivals)
        if is_new and came_by:
            self.theft.successes += 1
            self._counted = answer.heard

"""Clients with three tabs that share one refresh token and follow ``docs/explanation/refresh.md``.

Each client has habits. ``careful`` clients refresh under a lock of all tabs, as ``client.js`` does. ``plain``
clients share only the store. ``careless`` clients also store the refresh token of each answer, and use a
lock. ``reckless`` clients store it too, and use no lock. Two requests of a reckless client may be in progress
at the end of a window, and no promise is made for that. So they take part only on request.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.chaos import tempo
from tests.chaos.records import Felt, Logout, Records, Session
from tests.chaos.services import PASSWORD
from tests.chaos.wire import Answer, NoAnswer, read_generation, send

HABITS: Final = ("careful", "careful", "plain", "plain", "careless")
WITHOUT_LOCK: Final = {"plain", "reckless"}
STORING: Final = {"careless", "reckless"}
TABS: Final = 3
REFUSAL: Final = re.compile(r"^(refresh_|session_|user_|transport_mismatch$)")
"""The codes of an ended session, as in ``client.js``."""

_FRESH: Final = min(10.0, tempo.ACCESS / 5)
"""A token is not sent so shortly before its end."""


class SignedOut(Exception):
    """The session of the client has ended."""


@dataclass(slots=True)
class World:
    """The addresses, the records, and whether the round goes on."""

    ports: list[int]
    records: Records
    going: bool = True
    reckless: bool = False
    """Whether the careless clients are reckless."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def call(self, rng: Random, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Send a request to one of the servers, and record the answer."""
        options.setdefault("patience", tempo.PATIENCE)
        asked = time.monotonic()
        try:
            answer = await send(rng.choice(self.ports), method, path, body, **options)
        except NoAnswer:
            self.records.miss(asked)
            raise
        self.records.hear(f"{method} /{path}", answer)
        return answer

    def spawn(self, work: Any) -> None:
        """Run something beside everything else, until the round ends."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class Client:
    """One browser of one user."""

    def __init__(self, number: int, user: str, world: World, seed: str) -> None:
        self.number, self.user, self.world = number, user, world
        self.rng = Random(f"{seed} client {number}")
        self.habit = HABITS[number % len(HABITS)]
        if self.habit == "careless" and world.reckless:
            self.habit = "reckless"
        self.session: Session | None = None
        self.access = self.refresh = ""
        self.born, self.lifetime, self.number_of_grants = 0.0, 0.0, 0
        self._lock, self._entry = asyncio.Lock(), asyncio.Lock()

    async def live(self) -> None:
        """Use all tabs until the round ends."""
        await asyncio.gather(*(self._use_tab(number) for number in range(TABS)))

    async def _use_tab(self, tab: int) -> None:
        await asyncio.sleep(self.rng.uniform(0, 2))
        while self.world.going:
            try:
                await self.work(tab)
            except (NoAnswer, SignedOut):
                await asyncio.sleep(self.rng.uniform(0.2, 1))
            await asyncio.sleep(self.rng.uniform(1, 4))

    async def work(self, tab: int = 0) -> None:
        """Do what a page does: call the API with a token that is fresh.

        Raises:
            NoAnswer: the API did not answer with success.
            SignedOut: the session has ended.
        """
        await self.log_in()
        if self._left() <= _FRESH:
            await self._renew(tab)
        answer = await self._call_api()
        if answer.status == 401 and self.session is not None:
            await self._renew(tab)
            answer = await self._call_api()
        if answer.status != 200:
            raise NoAnswer(answer.code)

    async def _call_api(self) -> Answer:
        path = self.rng.choice(["me/"] * 7 + ["name/", "strict/", "api/token/sessions/"])
        return await self.world.call(self.rng, "GET", path, token=self.access)

    def _left(self) -> float:
        return self.lifetime - (time.monotonic() - self.born)

    # -- Sessions ----------------------------------------------------------------------------------

    async def log_in(self) -> None:
        """Log in, if nobody is logged in. One tab does it for all."""
        async with self._entry:
            if self.session is not None:
                return
            body = {"username": self.user, "password": PASSWORD}
            answer = await self.world.call(self.rng, "POST", "api/token/", body)
            if answer.status != 200:
                await asyncio.sleep(answer.retry_after)
                raise NoAnswer(answer.code)
            found = answer.data
            self.session = Session(
                id=found["session"], user=self.user, client=self.number, asked=answer.sent, heard=answer.heard
            )
            self.world.records.sessions[self.session.id] = self.session
            self.session.note(f"logged in ({self.habit})")
            self._take(found, answer)

    def _take(self, grant: dict[str, Any], answer: Answer) -> None:
        keeps = grant.get("rotated") is False and self.habit not in STORING
        if "refresh" in grant and not keeps:
            self.refresh = grant["refresh"]
        self.access, self.lifetime, self.born = grant["access"], grant["expires_in"], answer.sent
        self.number_of_grants += 1

    def forget(self) -> Session | None:
        """Drop the session, without a message to the server."""
        session, self.session = self.session, None
        return session

    async def _renew(self, tab: int) -> None:
        """Refresh until there is an answer, as long as ``client.js`` tries."""
        session, seen = self.session, self.number_of_grants
        end = time.monotonic() + tempo.PATIENCE
        for attempt in range(100):
            if self.session is not session or session is None:
                raise SignedOut
            if self.number_of_grants != seen:
                return None
            try:
                if self.habit in WITHOUT_LOCK:
                    return await self._exchange(session, tab)
                async with self._lock:
                    if self.session is session and self.number_of_grants == seen:
                        await self._exchange(session, tab)
            except NoAnswer as error:
                wait = min(30.0, 0.5 * 2**attempt) * self.rng.random() * tempo.SCALE
                asked = error.args[1] if len(error.args) > 1 else 0.0
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(max(0.05, wait, asked))
            else:
                return None
        raise NoAnswer

    async def _exchange(self, session: Session, tab: int) -> None:
        """Send the stored refresh token, and give up after half a window."""
        body, begun = {"refresh": self.refresh}, time.monotonic()
        which = read_generation(self.refresh)
        try:
            answer = await self.world.call(
                self.rng, "POST", "api/token/refresh/", body, patience=tempo.GIVE_UP
            )
        except NoAnswer as error:
            session.note(
                f"tab {tab}: refresh {which}, no answer ({error}) in {time.monotonic() - begun:.2f} s"
            )
            raise
        grant = answer.data
        rotated = grant.get("rotated") is not False and "refresh" in grant
        new = f" {read_generation(grant['refresh'])}" if "refresh" in grant else ""
        session.note(
            f"tab {tab}: refresh {which}, {answer.status} {answer.code}{'rotated to' if rotated else ''}{new}"
            f" in {answer.heard - answer.sent:.2f} s by {answer.process}"
        )
        if answer.status == 200:
            session.arrivals.append((answer.sent, answer.heard))
            self.world.records.check_refreshed(session, answer)
            if rotated:
                session.rotations += 1
                self.world.records.rotations += 1
            if self.session is session:
                self._take(grant, answer)
        elif answer.status == 401 and REFUSAL.match(answer.code):
            session.refused = session.refused or (answer.heard, answer.code)
            if self.session is session:
                self.session = None
            raise SignedOut
        else:
            raise NoAnswer(answer.code, answer.retry_after)

    # -- Logouts -----------------------------------------------------------------------------------

    async def log_out(self, kind: str) -> None:
        """End the session, or all sessions of the user, and measure how long they are let in."""
        if self.session is None:
            return
        session, access, refresh = self.session, self.access, self.refresh
        logout = Logout(
            kind=kind,
            user=self.user,
            session=session.id if kind == "own session" else "",
            asked=time.monotonic(),
        )
        self.world.records.add_logout(logout)
        if kind != "operator":
            self.forget()
        session.note(f"logout ({kind}) asked")
        for _ in range(20):
            logout.tried = time.monotonic()
            try:
                answer = await self._ask_for_end(kind, access, refresh)
            except NoAnswer:
                await asyncio.sleep(self.rng.uniform(0.1, 0.5))
                continue
            if answer.status == 200 or (kind == "everywhere" and answer.status == 401):
                if answer.status == 200:
                    logout.confirmed = answer.heard
                    session.note(f"logout ({kind}) confirmed by {answer.process}: {answer.body[:60]!r}")
                    await self._probe(logout, session, access, refresh)
                return
            await asyncio.sleep(max(0.2, answer.retry_after))

    async def _ask_for_end(self, kind: str, access: str, refresh: str) -> Answer:
        call = self.world.call
        if kind == "own session":
            return await call(
                self.rng, "POST", "api/token/revoke/", {"refresh": refresh}, patience=tempo.GIVE_UP
            )
        if kind == "everywhere":
            return await call(self.rng, "DELETE", "api/token/sessions/", token=access, patience=tempo.GIVE_UP)
        return await call(self.rng, "POST", "operator/", {"user": self.user}, patience=tempo.GIVE_UP)

    async def _probe(self, logout: Logout, session: Session, access: str, refresh: str) -> None:
        """Use the ended session at both servers, often at first, and until long after its last token."""
        assert logout.confirmed is not None
        felt = Felt(logout=logout, session=session.id, last=logout.confirmed)
        self.world.records.felts.append(felt)
        while (age := time.monotonic() - logout.confirmed) < 2 * tempo.ACCESS and self.world.going:
            try:
                answer = await self.world.call(self.rng, "GET", "me/", token=access, patience=tempo.STALENESS)
            except NoAnswer:
                await asyncio.sleep(0.1)
                continue
            if answer.status == 200:
                felt.last = max(felt.last, answer.sent)
                late, took = answer.sent - logout.confirmed, answer.heard - answer.sent
                session.note(f"let in {late:.2f} s after the logout by {answer.process}, in {took:.2f} s")
            await asyncio.sleep(0.12 if age < tempo.STALENESS + 2 * tempo.POLL else 1.0)
        for _ in range(5):
            try:
                answer = await self.world.call(
                    self.rng, "POST", "api/token/refresh/", {"refresh": refresh}, patience=tempo.GIVE_UP
                )
            except NoAnswer:
                continue
            if answer.status in {200, 401}:
                session.note(f"refresh after the logout: {answer.status} {answer.code}")
                if answer.status == 200:
                    self.world.records.check_refreshed(session, answer)
                return
            await asyncio.sleep(1)

"""Begin and end each kind of fault, at the services and the links of a round."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final

from tests.chaos import tempo
from tests.chaos.plan import Fault
from tests.chaos.proxy import Link
from tests.chaos.records import AFTER_FAILOVER, Happening, Logout, Records
from tests.chaos.services import AppServer, Services
from tests.chaos.wire import NoAnswer, send
from tests.servers import PATIENCE

_SETTLE: Final = 1.5
"""Seconds after a fault in which connections are made again."""

_SETTLE_CLOCK: Final = tempo.ACCESS + 2 * tempo.SKEW
"""Seconds after a jump of a clock. Until then clients may have tokens with times of the wrong clock."""

_REPLICATION: Final = 15.0
"""Seconds until the replica must have everything."""


_TRIES: Final = 10
"""How often an operator tries a command."""

_REQUESTS: Final = 6
"""As many answers at once come from both workers of a server."""


async def await_server(app: AppServer) -> None:
    """Wait until the workers of a server answer."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        asked = (send(app.port, "GET", "me/", patience=tempo.PATIENCE) for _ in range(_REQUESTS))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        if not any(isinstance(answer, NoAnswer) for answer in answers):
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"The server {app.name} does not answer: {app.log.read_text()[-2000:]}")


@dataclass(slots=True)
class Links:
    """All links: to each app server, from each to the database and Redis, and from the replica."""

    fronts: dict[str, Link]
    databases: dict[str, Link]
    stores: dict[str, Link]
    replication: Link

    def list_all(self) -> list[Link]:
        """Return all links."""
        return [*self.fronts.values(), *self.databases.values(), *self.stores.values(), self.replication]


@dataclass(slots=True)
class Director:
    """Makes the faults of a plan happen."""

    services: Services
    links: Links
    records: Records
    say: Callable[[str], None]
    _database: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Only one fault at a time stops or replaces the database."""
    _redis: asyncio.Lock = field(default_factory=asyncio.Lock)
    _server: asyncio.Lock = field(default_factory=asyncio.Lock)
    _jumps: dict[str, list[float]] = field(default_factory=dict)

    async def play(self, faults: list[Fault]) -> None:
        """Make all faults happen, each at its time. Return when the last has ended.

        If a service does not come back, the run goes on and reports that, so that an hour is not lost.
        """
        ends = await asyncio.gather(*(self._wait_and_do(fault) for fault in faults), return_exceptions=True)
        for fault, error in zip(faults, ends, strict=True):
            if isinstance(error, Exception):
                self.records.stuck.append(f"after {fault}, {type(error).__name__} ({error}), the services")

    async def _wait_and_do(self, fault: Fault) -> None:
        await asyncio.sleep(max(0.0, self.records.began + fault.begin - time.monotonic()))
        lock = self._find_lock(fault.kind)
        if lock is not None:
            async with lock:
                return await self._do(fault)
        return await self._do(fault)

    def _find_lock(self, kind: str) -> asyncio.Lock | None:
        if kind in {"kill Redis", "hang Redis", "empty Redis"}:
            return self._redis
        if kind == "kill an app server":
            return self._server
        return self._database if kind.endswith(("the database", "the replica")) else None

    async def _do(self, fault: Fault) -> None:
        happening = Happening(fault=fault, begun=time.monotonic())
        self.records.happenings.append(happening)
        self.say(f"{fault}")
        await _ACTIONS[fault.kind](self, fault)
        happening.ended = time.monotonic()
        await asyncio.gather(*(await_server(app) for app in self.services.apps))
        happening.settled = time.monotonic() + (_SETTLE_CLOCK if fault.kind == "jump a clock" else _SETTLE)

    def find(self, fault: Fault) -> AppServer:
        """Return the app server of a fault."""
        return next(app for app in self.services.apps if app.name == fault.server)

    # -- App servers and clients -------------------------------------------------------------------

    async def kill_worker(self, fault: Fault) -> None:
        await asyncio.to_thread(self.find(fault).kill_worker, Random(fault.seed))
        await asyncio.sleep(2)  # until gunicorn has another one

    async def kill_server(self, fault: Fault) -> None:
        app = self.find(fault)
        await asyncio.to_thread(app.kill)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(app.start)

    async def jump(self, fault: Fault) -> None:
        app, jumps = self.find(fault), self._jumps.setdefault(fault.server, [])
        jumps.append(fault.amount)
        app.jump(fault.amount)
        await asyncio.sleep(fault.seconds)
        jumps.remove(fault.amount)
        app.jump(jumps[-1] if jumps else 0.0)

    async def disturb(self, fault: Fault) -> None:
        """Call ``begin`` and ``end`` of one link, or of all links of the clients."""
        kind = fault.kind.split()[0]
        kind, amount = ("lose", 1.0) if kind == "brownout" else (kind, fault.amount or 1.0)
        links = [self._find_link(fault)] if kind in {"cut", "hold"} else [*self.links.fronts.values()]
        for link in links:
            link.begin(kind, amount)
        await asyncio.sleep(fault.seconds)
        for link in links:
            link.end(kind, amount)

    def _find_link(self, fault: Fault) -> Link:
        links = self.links
        if "Redis" in fault.kind:
            return links.stores[fault.server]
        return (links.databases if "database" in fault.kind else links.fronts)[fault.server]

    # -- The database ------------------------------------------------------------------------------

    async def crash_database(self, fault: Fault) -> None:
        await asyncio.to_thread(self.services.primary.crash, Random(fault.seed))
        await asyncio.sleep(1)

    async def stop_database(self, fault: Fault) -> None:
        primary = self.services.primary
        await asyncio.to_thread(primary.kill if fault.kind == "kill the database" else primary.stop)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(primary.start)

    async def hang_database(self, fault: Fault) -> None:
        primary = self.services.primary
        await asyncio.to_thread(primary.pause, paused=True)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(primary.pause, paused=False)

    async def promote(self, fault: Fault) -> None:
        """Replace the primary by a replica that was cut off for some seconds."""
        begin = await self._await_replica()
        if begin is None:
            return
        self.links.replication.begin("cut")
        await asyncio.sleep(fault.seconds)
        for link in self.links.databases.values():
            link.begin("cut")
        await asyncio.to_thread(self.services.fail_over)
        self.records.lags.append((begin, time.monotonic()))
        self._count_failover()
        for link in self.links.databases.values():
            link.lead(self.services.primary.port)
            link.end("cut")
        await self.clean_up(fault)
        self.links.replication.lead(self.services.primary.port)
        self.links.replication.end("cut")
        await asyncio.to_thread(self.services.follow, self.links.replication.port)

    def _count_failover(self) -> None:
        for session in self.records.sessions.values():
            session.note("FAIL-OVER")
            if session.theft is not None and session.theft.caught is None:
                session.theft.failovers += 1

    async def _await_replica(self) -> float | None:
        """Wait until the replica has each commit of a moment, and return that moment.

        Commits that were answered before it are not lost. ``None`` means that the replica is too far behind.
        """
        moment, primary = time.monotonic(), self.services.primary
        ((position,),) = await asyncio.to_thread(primary.ask, "SELECT pg_current_wal_lsn()::text")
        question = f"SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= '{position}'"  # noqa: S608 - a number
        while time.monotonic() < moment + _REPLICATION:
            if await asyncio.to_thread(primary.ask, question):
                return moment
            await asyncio.sleep(0.1)
        self.say("the replica is behind, so it is not promoted")
        return None

    async def clean_up(self, fault: Fault) -> None:
        """Do what an operator does after a fail-over that has lost commits: end all sessions from before it.

        Half of the fail-overs go without it, because the sessions that live on have to stay usable.
        """
        if fault.seed % 2:
            return
        asked, moment = time.monotonic(), datetime.now(tz=UTC).isoformat()
        logouts = [
            Logout(kind=AFTER_FAILOVER, user=user, asked=asked, tried=asked)
            for user in sorted({session.user for session in self.records.sessions.values()})
        ]
        for logout in logouts:
            self.records.add_logout(logout)
        command = ("tessera_revoke", "--before", moment, "--no-input")
        for _ in range(_TRIES):  # another fault may be in the way
            done = await asyncio.to_thread(self.services.apps[0].manage, *command)
            if done.returncode == 0:
                break
            await asyncio.sleep(1)
        if done.returncode == 0:
            for logout in logouts:
                logout.confirmed = time.monotonic()
        said = (done.stdout or done.stderr).strip().splitlines() or ["nothing was said"]
        self.records.operator.append(said[-1][:100])
        self.say(f"the operator's command: {said[-1][:100]}")

    # -- Redis -------------------------------------------------------------------------------------

    async def kill_redis(self, fault: Fault) -> None:
        await asyncio.to_thread(self.services.redis.kill)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(self.services.redis.start)

    async def hang_redis(self, fault: Fault) -> None:
        self.services.redis.pause(paused=True)
        await asyncio.sleep(fault.seconds)
        self.services.redis.pause(paused=False)

    async def empty_redis(self, fault: Fault) -> None:
        await asyncio.to_thread(self.services.redis.flush)


_ACTIONS: Final[dict[str, Callable[[Director, Fault], Awaitable[None]]]] = {
    "kill a worker": Director.kill_worker,
    "kill an app server": Director.kill_server,
    "crash the database": Director.crash_database,
    "stop the database": Director.stop_database,
    "kill the database": Director.stop_database,
    "promote the replica": Director.promote,
    "hang the database": Director.hang_database,
    "hold the database from a server": Director.disturb,
    "cut the database from a server": Director.disturb,
    "cut a server from its clients": Director.disturb,
    "hold a server from its clients": Director.disturb,
    "slow answers": Director.disturb,
    "lose answers": Director.disturb,
    "brownout": Director.disturb,
    "jump a clock": Director.jump,
    "kill Redis": Director.kill_redis,
    "hang Redis": Director.hang_redis,
    "empty Redis": Director.empty_redis,
    "hold Redis from a server": Director.disturb,
    "cut Redis from a server": Director.disturb,
}
"""The action of each kind of fault. A test compares the names with the plan."""

"""One round: all services, the clients, the thieves and the faults of a plan, with one store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.chaos.clients import Client, SignedOut, World
from tests.chaos.faults import Director, Links, await_server
from tests.chaos.plan import Fault, choose_kinds, make_plan
from tests.chaos.proxy import Link
from tests.chaos.records import Records
from tests.chaos.services import Services
from tests.chaos.thieves import Thief
from tests.chaos.wire import NoAnswer

STORES: Final = ("database", "redis")
_DEVICES: Final = 1.5
"""Clients for each user: some users have two devices."""

_LOGOUTS: Final = ("own session", "own session", "everywhere", "operator")
_BETWEEN_LOGOUTS: Final = (1.0, 6.0)
_BETWEEN_THEFTS: Final = (2.0, 8.0)
_PROGRESS: Final = 10.0
_LAST_PATIENCE: Final = 60.0
"""How long a client may need to work again after the end of all faults. A busy machine needs a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The parameters of a round."""

    seed: int
    seconds: float
    store: str
    clients: int
    say: Callable[[str], None]
    only: tuple[str, ...] = ()
    """The kinds of faults. Empty for all."""
    reckless: bool = False

    @property
    def name(self) -> str:
        """The seed of everything in this round."""
        return f"{self.seed} {self.store}"


class Round:
    """A round that runs."""

    def __init__(self, order: Order, services: Services) -> None:
        self.order, self.services, self.records = order, services, Records()
        self.plan: list[Fault] = make_plan(order.name, order.seconds, choose_kinds(order.store, order.only))
        self.users = [f"user{number}" for number in range(max(1, int(order.clients / _DEVICES)))]

    async def run(self) -> Records:
        """Run the round, and return what it has seen."""
        links = await self._lay_links()
        try:
            await self._start_servers(links)
            self.records.began = time.monotonic()
            world = World(
                [link.port for link in links.fronts.values()], self.records, reckless=self.order.reckless
            )
            clients = [
                Client(number, self.users[number % len(self.users)], world, self.order.name)
                for number in range(self.order.clients)
            ]
            await self._play(world, clients, links)
            await self._look_at_rows()
        finally:
            for app in self.services.apps:
                app.jump(0.0)
                await asyncio.to_thread(app.kill)
            for link in links.list_all():
                await link.stop()
        return self.records

    async def _lay_links(self) -> Links:
        rng, services = Random(f"{self.order.name} links"), self.services
        names = [app.name for app in services.apps]
        links = Links(
            fronts={app.name: Link(f"clients to {app.name}", app.port, rng) for app in services.apps},
            databases={name: Link(f"{name} to database", services.primary.port, rng) for name in names},
            stores={name: Link(f"{name} to Redis", services.redis.port, rng) for name in names},
            replication=Link("replication", services.primary.port, rng),
        )
        for link in links.list_all():
            await link.start()
        return links

    async def _start_servers(self, links: Links) -> None:
        for app in self.services.apps:
            app.configure(
                {
                    "TESSERA_CHAOS_STORE": self.order.store,
                    "TESSERA_CHAOS_DB_PORT": str(links.databases[app.name].port),
                    "TESSERA_CHAOS_REDIS_PORT": str(links.stores[app.name].port),
                }
            )
        await asyncio.to_thread(self.services.fill, self.users)
        if self.services.replica is not None:
            await asyncio.to_thread(self.services.replica.remove)
        await asyncio.to_thread(self.services.follow, links.replication.port)
        await asyncio.gather(*(asyncio.to_thread(app.start) for app in self.services.apps))
        await asyncio.gather(*(await_server(app) for app in self.services.apps))

    async def _play(self, world: World, clients: list[Client], links: Links) -> None:
        """Run all clients while the faults happen, and ask everybody at the end."""
        director = Director(self.services, links, self.records, self._say)
        lives = [asyncio.create_task(client.live()) for client in clients]
        for work in (self._log_out(clients), self._steal(world, clients), self._report(), self._watch()):
            world.spawn(work)
        await asyncio.gather(director.play(self.plan), asyncio.sleep(self.order.seconds))
        await asyncio.sleep(
            max([0.0, *(each.settled for each in self.records.happenings)]) - time.monotonic()
        )
        await asyncio.gather(*(self._ask_at_end(client) for client in clients))
        world.going = False
        done = await asyncio.gather(*lives, return_exceptions=True)
        for task in list(world.tasks):
            task.cancel()
        done += await asyncio.gather(*world.tasks, return_exceptions=True)
        for error in done:
            if isinstance(error, Exception):
                raise error

    async def _ask_at_end(self, client: Client) -> None:
        """Use a client once more. It must succeed, now that everything is normal again."""
        end = time.monotonic() + _LAST_PATIENCE
        while time.monotonic() < end:
            try:
                return await client.work()
            except (NoAnswer, SignedOut):
                await asyncio.sleep(0.5)
        self.records.stuck.append(f"client {client.number} of {client.user} ({client.habit})")
        return None

    async def _log_out(self, clients: list[Client]) -> None:
        rng = Random(f"{self.order.name} logouts")
        while True:
            await asyncio.sleep(rng.uniform(*_BETWEEN_LOGOUTS))
            client = rng.choice(clients)
            client.world.spawn(client.log_out(rng.choice(_LOGOUTS)))

    async def _steal(self, world: World, clients: list[Client]) -> None:
        rng = Random(f"{self.order.name} thieves")
        while True:
            await asyncio.sleep(rng.uniform(*_BETWEEN_THEFTS))
            victim, mine = rng.choice(clients), Random(rng.getrandbits(32))
            if victim.session is not None and victim.session.theft is None:
                world.spawn(Thief(victim, world, mine).live())

    async def _look_at_rows(self) -> None:
        """Read the sessions that ended early from the database."""
        rows = await asyncio.to_thread(
            self.services.primary.ask,
            "SELECT id::text, revoked_for FROM tessera_session WHERE revoked_at IS NOT NULL",
        )
        self.records.found = [(str(session), str(reason)) for session, reason in rows]

    # -- Progress ----------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.order.say(f"{time.monotonic() - self.records.began:7.1f} s  {text}")

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS)
            records = self.records
            ended = sum(session.refused is not None for session in records.sessions.values())
            codes = ", ".join(f"{code}: {count}" for code, count in sorted(records.codes.items()))
            self._say(
                f"... {records.rotations} generations, {len(records.sessions)} logins, {ended} sessions "
                f"refused, answers {codes}, {records.unanswered} without an answer"
            )

    async def _watch(self) -> None:
        """Measure for how long this process does nothing."""
        while True:
            asked = time.monotonic()
            await asyncio.sleep(0.1)
            self.records.longest_pause = max(self.records.longest_pause, time.monotonic() - asked - 0.1)

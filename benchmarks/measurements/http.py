"""Target 2: requests per second over HTTP, compared with the open view of the same server.

The servers are gunicorn (``gthread``) and granian, with 2 workers of 2 threads each, on PostgreSQL. wrk sends
1,000 distinct tokens in turn over 32 connections on loopback, which it keeps open. All servers of a block run
at the same time. They are loaded in turns, in a new random order in each round.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks import servers
from benchmarks.peers import SIMPLEJWT, TESSERA
from benchmarks.progress import advance
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import Spread, ratios
from benchmarks.workers import Worker, WorkerError

SERVERS: Final = ("gunicorn", "granian")
AGES: Final[tuple[int | None, ...]] = (None, 0)
TOKENS: Final = 1000
_WANTED: Final = {None: 0.95, 0: 0.90}


def measure(scale: Scale) -> Outcome:
    """Measure both servers, with and without kept database connections."""
    outcome = Outcome()
    if servers.find_wrk() is None:
        outcome.targets.append(
            Target(
                number=2,
                what="over HTTP",
                wanted="at least 95 % and 90 % of the open view",
                reached="wrk is not there (it is Debian's package `wrk`)",
                met=None,
            )
        )
        return outcome
    peers = [peer for peer in (TESSERA, SIMPLEJWT) if peer.environment not in scale.missing]
    with ExitStack() as stack:
        prepared = {}
        for peer in peers:
            worker = Worker(peer, "postgres", name=f"{peer.name}_http")
            stack.callback(worker.close)
            prepared[peer.name] = worker, _write_scripts(worker, scale.pick(TOKENS, 50))
        rows = []
        for server in SERVERS:
            for age in AGES:
                rates = _measure_block(server, age, prepared, scale)
                outcome.data[f"{server}, CONN_MAX_AGE={age}"] = rates
                for peer in (TESSERA, SIMPLEJWT):
                    rates.setdefault(peer.name, {"problem": scale.missing.get(peer.environment, "")})
                rows += _make_rows(server, age, rates)
                outcome.targets.append(_judge(server, age, rates))
    outcome.tables.append(
        Table(
            title="Over HTTP, PostgreSQL",
            note="Requests per second with 2 workers of 2 threads and 32 open connections. Everything runs on"
            " one machine. The share compares with the open view of the same environment in the same round.",
            header=("", "server", "CONN_MAX_AGE", "protected", "open", "share"),
            rows=rows,
        )
    )
    return outcome


def _write_scripts(worker: Worker, tokens: int) -> dict[str, Path]:
    worker.ask("database.create", users=tokens)
    headers = worker.ask("credentials.list_for_clients", count=tokens)
    return {
        "protected": servers.write_script(f"{worker.peer.name}-ping", "/ping/", headers),
        "open": servers.write_script(f"{worker.peer.name}-open", "/open/", [{}] * tokens),
    }


def _measure_block(
    server: str, age: int | None, prepared: dict[str, tuple[Worker, dict[str, Path]]], scale: Scale
) -> dict[str, dict[str, Any]]:
    rates: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        cases = []
        for name, (worker, scripts) in prepared.items():
            try:
                port = stack.enter_context(servers.serving(worker, server, connections=age))
                for kind in scripts:
                    servers.load(port, scripts[kind], seconds=scale.pick(2, 1))
            except WorkerError as error:
                rates[name] = {"problem": str(error)}
                continue
            rates[name] = {kind: [] for kind in scripts}
            cases += [(name, kind, port, scripts[kind]) for kind in scripts]
        for _ in advance(f"{server}, CONN_MAX_AGE={age}", range(scale.pick(8, 3))):
            for name, kind, port, script in random.sample(cases, len(cases)):
                rates[name][kind].append(servers.load(port, script, seconds=scale.pick(2, 1)))
    return rates


def _make_rows(server: str, age: int | None, rates: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    titles = {TESSERA.name: TESSERA.title, SIMPLEJWT.name: SIMPLEJWT.title}
    rows: list[tuple[str, ...]] = []
    for name, it in rates.items():
        if "problem" in it:
            rows.append((titles[name], server, str(age), "not measured", it["problem"], ""))
            continue
        rows.append(
            (
                titles[name],
                server,
                str(age),
                Spread.of(it["protected"]).show(0),
                Spread.of(it["open"]).show(0),
                ratios(it["protected"], it["open"]).show(0, scale=100, unit=" %"),
            )
        )
    return rows


def _judge(server: str, age: int | None, rates: dict[str, dict[str, Any]]) -> Target:
    what = f"{server}, CONN_MAX_AGE = {age}: share of the requests per second of the open view"
    wanted = f"at least {_WANTED[age]:.0%}"
    ours = rates[TESSERA.name]
    if "problem" in ours:
        return Target(number=2, what=what, wanted=wanted, reached=ours["problem"], met=None)
    share = ratios(ours["protected"], ours["open"])
    reached = share.show(1, scale=100, unit=" %")
    theirs = rates.get(SIMPLEJWT.name, {})
    if "protected" in theirs:
        peer = ratios(theirs["protected"], theirs["open"])
        reached += f"; simplejwt {peer.show(1, scale=100, unit=' %')}"
    return Target(number=2, what=what, wanted=wanted, reached=reached, met=share.median >= _WANTED[age])

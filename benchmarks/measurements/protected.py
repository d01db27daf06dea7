"""Target 1: a protected request in the process, compared with the same view without authentication.

The requests use Django's full default middleware and 1,000 distinct users with one token each, in turn. So a
token cache is as warm as in production, and a small cache gets no advantage. All peers keep their database
connections open. Each ratio compares with the open view of the same environment in the same round.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Final

from benchmarks.peers import PEERS, SIMPLEJWT, TESSERA, TOUCHED
from benchmarks.progress import say
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import Spread, ratios
from benchmarks.workers import Worker, WorkerError, take_turns

TOKENS: Final = 1000
_DATABASES: Final = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def measure(scale: Scale) -> Outcome:
    """Measure each peer on both databases."""
    outcome = Outcome()
    for database, title in _DATABASES.items():
        found, problems = _measure_on(database, scale)
        outcome.data[database] = {"peers": found, "problems": problems}
        outcome.tables.append(_make_table(title, found, problems))
        outcome.targets += _judge(title, found)
    return outcome


def _measure_on(database: str, scale: Scale) -> tuple[dict[str, Any], dict[str, str]]:
    prepared: dict[str, Any] = {}
    problems: dict[str, str] = {}
    with ExitStack() as stack:
        workers = {}
        for peer in PEERS:
            if peer.environment in scale.missing:
                problems[peer.name] = scale.missing[peer.environment]
                continue
            worker = Worker(peer, database)
            stack.callback(worker.close)
            try:
                tokens = scale.pick(TOKENS, 100)
                prepared[peer.name] = worker.ask("protected.prepare", tokens=tokens, touched=peer.touched)
                workers[peer.name] = worker
            except WorkerError as error:
                problems[peer.name] = str(error)
                say(f"{peer.name}: {error}")
        times = take_turns(
            f"protected requests, {database}",
            workers,
            rounds=scale.pick(30, 5),
            call="protected.measure",
            batch=scale.pick(200, 30),
        )
        pull = None
        if TESSERA.name in workers:
            pulls = range(scale.pick(10, 2))
            pull = Spread.of(
                [workers[TESSERA.name].ask("protected.measure_pull", pause=1.1) for _ in pulls]
            ).median
    found = {name: _summarise(rounds, prepared[name]) for name, rounds in times.items()}
    if pull is not None:
        found[TESSERA.name]["pull"] = pull
    return found, problems


def _summarise(rounds: list[dict[str, float]], prepared: dict[str, Any]) -> dict[str, Any]:
    protected = [found["protected"] for found in rounds]
    opened = [found["open"] for found in rounds]
    return {
        "seconds": Spread.of(protected),
        "open_seconds": Spread.of(opened),
        "ratio": ratios(protected, opened),
        "statements": prepared["statements"],
        "examples": prepared["examples"],
        "rounds": rounds,
    }


def _make_table(title: str, found: dict[str, Any], problems: dict[str, str]) -> Table:
    rows: list[tuple[str, ...]] = []
    for peer in PEERS:
        if peer.name in problems:
            rows.append((peer.title, "not measured", problems[peer.name], "", ""))
            continue
        it = found[peer.name]
        rows.append(
            (
                peer.title,
                it["seconds"].show(0, scale=1e6),
                it["open_seconds"].show(0, scale=1e6),
                it["ratio"].show(2),
                f"{it['statements']:.2f}",
            )
        )
    rows.sort(key=lambda row: row[1] == "not measured")
    pull = found.get(TESSERA.name, {}).get("pull", 0)
    return Table(
        title=f"Protected request in the process, {title}",
        note=f"Microseconds for a request through Django's whole default middleware, with {TOKENS:,}"
        " different tokens in turn. `open` is the same view without authentication, in the same environment."
        f" In addition, drf-tessera reads once a second which sessions have ended: {pull * 1e6:,.0f} us,"
        f" {pull:.2%} of a process's time.",
        header=("", "protected", "open", "ratio", "statements"),
        rows=rows,
    )


def _judge(title: str, found: dict[str, Any]) -> list[Target]:
    targets = []
    if TESSERA.name in found:
        it = found[TESSERA.name]
        pulled = it["ratio"].median / (1 - it["pull"])
        targets.append(
            Target(
                number=1,
                what=f"protected request, {title}: ratio to the open view",
                wanted="at most 1.05, 0 statements",
                reached=f"{it['ratio'].show(3)}, {it['statements']:.2f} statements;"
                f" with the read once a second {pulled:.3f}",
                met=pulled <= 1.05 and it["statements"] < 0.05,
            )
        )
    if TOUCHED.name in found and SIMPLEJWT.name in found:
        touched, peer = found[TOUCHED.name], found[SIMPLEJWT.name]
        beside = ratios(
            [it["protected"] for it in touched["rounds"]], [it["protected"] for it in peer["rounds"]]
        )
        targets.append(
            Target(
                number=1,
                what=f"the same with the user's row loaded, {title}: ratio to simplejwt",
                wanted="at most 1.00, 1 statement",
                reached=f"{beside.show(2)}, {touched['statements']:.2f} statements",
                met=beside.median <= 1.0 and touched["statements"] <= 1.05,
            )
        )
    return targets

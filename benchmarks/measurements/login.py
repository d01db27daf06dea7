"""Target 8: the time of a login without the password's hash, on PostgreSQL.

Each peer hashes with MD5 here, so that the hash takes almost no time. The remaining time of the hash is
measured and subtracted. The overhead is the rest of the login. The second column also subtracts the open
view, which is the time that Django and REST framework need for any request.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Final

from benchmarks.peers import BLACKLIST, LAST_LOGIN, SIMPLEJWT, TESSERA
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import Spread, ratios
from benchmarks.workers import Worker, take_turns

_PEERS: Final = (TESSERA, SIMPLEJWT, BLACKLIST, LAST_LOGIN)


def measure(scale: Scale) -> Outcome:
    """Measure the logins of all peers that have a login."""
    peers = [peer for peer in _PEERS if peer.environment not in scale.missing]
    with ExitStack() as stack:
        workers = {}
        prepared = {}
        for peer in peers:
            workers[peer.name] = worker = Worker(peer, "postgres", name=f"{peer.name}_login")
            stack.callback(worker.close)
            prepared[peer.name] = worker.ask("login.prepare", users=1000)
        found = take_turns(
            "logins", workers, rounds=scale.pick(40, 5), call="login.measure", batch=scale.pick(20, 10)
        )
    outcome = Outcome(data={"prepared": prepared, "rounds": found})
    rows: list[tuple[str, ...]] = []
    for peer in peers:
        rounds = found[peer.name]
        beyond = [it["login"] - it["hash"] - it["open"] for it in rounds]
        rows.append(
            (
                peer.title,
                Spread.of(_overhead(rounds)).show(2, scale=1e3),
                Spread.of(beyond).show(2, scale=1e3),
                f"{len(prepared[peer.name]['statements'])}",
            )
        )
    rows += [
        (peer.title, "not measured", scale.missing[peer.environment], "")
        for peer in _PEERS
        if peer not in peers
    ]
    outcome.tables.append(
        Table(
            title="Login, PostgreSQL",
            note="Milliseconds. `overhead` is the login without the hash of the password. `beyond the open"
            " view` is the overhead without a request to the open view. Statements:"
            + "".join(f" {name}: {_name_statements(it)}." for name, it in prepared.items()),
            header=("", "overhead", "beyond the open view", "statements"),
            rows=rows,
        )
    )
    outcome.targets += _judge(found, prepared)
    return outcome


def _overhead(rounds: list[dict[str, float]]) -> list[float]:
    return [it["login"] - it["hash"] for it in rounds]


def _name_statements(prepared: dict[str, Any]) -> str:
    return ", ".join(" ".join(sql.split()[:3]).replace("`", "") for sql in prepared["statements"])


def _judge(found: dict[str, list[Any]], prepared: dict[str, Any]) -> list[Target]:
    count = len(prepared[TESSERA.name]["statements"])
    targets = [
        Target(
            number=8,
            what="login: statements",
            wanted="at most 2",
            reached=str(count),
            met=count <= 2,
        )
    ]
    targets += [
        Target(
            number=8,
            what=f"login without the hash: ratio to {peer.title}",
            wanted="at most 0.25",
            reached=beside.show(2),
            met=beside.median <= 0.25,
        )
        for peer in _PEERS[1:]
        if peer.name in found
        for beside in [ratios(_overhead(found[TESSERA.name]), _overhead(found[peer.name]))]
    ]
    return targets

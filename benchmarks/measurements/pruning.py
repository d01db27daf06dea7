"""Target 6: the deletion of a million expired sessions while other sessions are refreshed.

The command runs in its own process. It is stopped once by SIGTERM, and is run again. Meanwhile another
process refreshes live sessions through the view, one every 20 ms, and records how long each refresh had to
wait after its due time. simplejwt's ``flushexpiredtokens`` is measured too, on as many expired tokens.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from dataclasses import replace as vary
from typing import Any, Final

from benchmarks import environments
from benchmarks.peers import BLACKLIST, HOME, ROOT, TESSERA, Peer
from benchmarks.progress import say
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import percentile
from benchmarks.workers import Worker, WorkerError, working

INTERVAL: Final = 0.02
LIVE: Final = 200
_COMMANDS: Final = {TESSERA.name: "tessera_prune", BLACKLIST.name: "flushexpiredtokens"}
_MEGA: Final = 1e6


@dataclass(slots=True)
class _Run:
    """One run of the command."""

    seconds: float
    peak: float
    """In bytes."""
    status: int


def measure(scale: Scale) -> Outcome:
    """Measure both peers."""
    outcome = Outcome()
    rows: list[tuple[str, ...]] = []
    # Without a grace window the same few sessions can be refreshed again and again, with the same statement.
    # simplejwt has no grace window.
    ours = vary(TESSERA, settings={"TESSERA": {**TESSERA.settings["TESSERA"], "REFRESH_GRACE": 0}})
    for peer in (ours, BLACKLIST):
        if peer.environment in scale.missing:
            rows.append((peer.title, scale.missing[peer.environment], "", "", "", "", ""))
            continue
        found = _measure_peer(peer, scale)
        outcome.data[peer.name] = found
        rows.append(_show(peer, found))
    outcome.tables.append(
        Table(
            title="Pruning, PostgreSQL",
            note=f"{scale.pick(1_000_000, 150_000):,} expired rows (simplejwt: outstanding tokens, each"
            " blacklisted). Milliseconds are the wait of a refresh, 99th percentile. One refresh was sent"
            f" every {INTERVAL * 1e3:.0f} ms. drf-tessera's command was stopped once by SIGTERM and run"
            " again.",
            header=(
                "",
                "seconds",
                "peak memory, MB",
                "99 % without",
                "99 % with",
                "longest",
                "stopped and resumed",
            ),
            rows=rows,
        )
    )
    outcome.targets += _judge(outcome.data[TESSERA.name])
    return outcome


def _measure_peer(peer: Peer, scale: Scale) -> dict[str, Any]:
    million = scale.pick(1_000_000, 150_000)
    with working(peer, "postgres", name=f"{peer.name}_pruning") as worker:
        say(f"{peer.name}: filling {million:,} expired rows")
        worker.ask("refresh.prepare", rows=million, users=1000, live=LIVE + 40, age=30)
        worker.ask("refresh.keep", count=LIVE)
        before = worker.ask("filling.count_rows")
        say(f"{peer.name}: refreshes alone")
        alone = [wait for _ in range(scale.pick(100, 8)) for wait in _list_waits(worker)]
        stopped = 0.0
        runs = []
        waits: list[float] = []
        if peer.name == TESSERA.name:
            run, beside = _prune(worker, stop_at=million // 3)
            runs.append(run)
            waits += beside
            stopped = before - worker.ask("filling.count_rows")
            say(f"{peer.name}: {stopped:,.0f} rows are gone; running again")
        run, beside = _prune(worker, stop_at=None)
        runs.append(run)
        waits += beside
        left = worker.ask("filling.count_rows")
    return {
        "rows": before,
        "left": left,
        "stopped_after": stopped,
        "seconds": [it.seconds for it in runs],
        "peaks": [it.peak for it in runs],
        "statuses": [it.status for it in runs],
        "alone": {str(percent): percentile(alone, percent) for percent in (50, 90, 99, 100)},
        "with": {str(percent): percentile(waits, percent) for percent in (50, 90, 99, 100)},
        "counts": [len(alone), len(waits)],
    }


def _list_waits(worker: Worker) -> list[float]:
    waits: list[float] = worker.ask("refresh.sustain", seconds=0.25, interval=INTERVAL)
    return waits


def _prune(worker: Worker, *, stop_at: int | None) -> tuple[_Run, list[float]]:
    """Run the command while sessions are refreshed. Send SIGTERM when this many rows are deleted.

    Raises:
        WorkerError: the command failed.
    """
    log = HOME / "logs" / f"{worker.peer.name}-prune.log"
    with log.open("w") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [
                str(environments.python_of(worker.peer.environment)), "-m", "django",
                _COMMANDS[worker.peer.name],
            ],
            cwd=ROOT, env=worker.variables, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    waits: list[float] = []
    said = 0.0
    signalled = False
    while True:
        waits += _list_waits(worker)
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        deleted = worker.ask("filling.count_deleted")
        if stop_at is not None and deleted >= stop_at and not signalled:
            process.send_signal(signal.SIGTERM)
            signalled = True
        if time.perf_counter() - said > 5:
            said = time.perf_counter()
            say(f"{worker.peer.name}: pruning for {said - begun:.0f} s, {deleted:,} deleted")
    process.returncode = os.waitstatus_to_exitcode(status)
    run = _Run(time.perf_counter() - begun, usage.ru_maxrss * 1024, process.returncode)
    if run.status and not signalled:
        raise WorkerError(f"{_COMMANDS[worker.peer.name]} failed: {log.read_text()[-500:]}")
    return run, waits


def _show(peer: Peer, found: dict[str, Any]) -> tuple[str, ...]:
    stopped = (
        f"after {found['stopped_after']:,.0f}; {found['left']:,} left" if found["stopped_after"] else "-"
    )
    return (
        peer.title,
        f"{sum(found['seconds']):.1f}",
        f"{max(found['peaks']) / _MEGA:,.0f}",
        f"{found['alone']['99'] * 1e3:,.1f}",
        f"{found['with']['99'] * 1e3:,.1f}",
        f"{found['with']['100'] * 1e3:,.1f}",
        stopped,
    )


def _judge(found: dict[str, Any]) -> list[Target]:
    peak = max(found["peaks"]) / _MEGA
    more = (found["with"]["99"] - found["alone"]["99"]) * 1e3
    deleted = found["rows"] - found["left"]
    stopped = found["statuses"][0] != 0
    resumed = stopped and found["left"] <= LIVE + 40
    return [
        Target(
            number=6,
            what=f"pruning {deleted:,} expired sessions: memory",
            wanted="at most 100 MB",
            reached=f"{peak:,.0f} MB, in {sum(found['seconds']):.0f} s",
            met=peak <= 100,
        ),
        Target(
            number=6,
            what="additional wait of simultaneous refreshes, 99th percentile",
            wanted="at most 50 ms",
            reached=f"{more:,.1f} ms",
            met=more <= 50,
        ),
        Target(
            number=6,
            what="stopped by SIGTERM and run again",
            wanted="continues where it stopped, and only the live sessions are left",
            reached=f"stopped after {found['stopped_after']:,.0f}, {found['left']:,} left"
            if stopped
            else "it was done before it could be stopped",
            met=resumed if stopped else None,
        ),
    ]

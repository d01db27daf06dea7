"""Target 13: refreshes and calls beside logins, in one pool, with a bound, and with two pools.

See ``benchmarks.logins``, which is also a command with options.
"""

from __future__ import annotations

from typing import Final

from benchmarks import environments, logins
from benchmarks.progress import say
from benchmarks.results import Outcome, Table, Target
from benchmarks.scale import Scale
from benchmarks.spread import percentile

_FULL: Final = (0, 2, 5, 10)
_QUICK: Final = (5,)
MOST: Final = 1.0
"""Seconds. The 99th percentile of a refresh beside logins that have a pool of their own."""


def measure(scale: Scale) -> Outcome:
    """Measure each way at each rate of logins."""
    rates, seconds = (_QUICK if scale.quick else _FULL), scale.pick(30, 6)
    outcome = Outcome()
    rows = []
    for way in logins.WAYS:
        for rate in rates:
            say(f"{way}, {rate} logins a second")
            python = str(environments.python_of(environments.OURS))
            answers = logins.measure_way(way, rate, seconds, python=python)
            rows.append(logins.show(way, rate, answers))
            outcome.data[f"{way}, {rate}"] = {
                kind: {str(percent): _find(answers, kind, percent) for percent in (50, 99)}
                for kind in ("refresh", "call", "login")
            }
    outcome.tables.append(
        Table(
            title="Refreshes and calls beside logins, PostgreSQL",
            note=f"gunicorn with two processes of four threads, PBKDF2, {logins.OTHERS} refreshes and calls a"
            f" second, {seconds} s for each row. `the bound` is `LOGINS_AT_ONCE` as by default, and two"
            " pools are on the page of deployment. 503 is `login_busy`. The last column counts all other"
            " answers that are not 200.",
            header=logins.HEADER,
            rows=rows,
        )
    )
    outcome.targets += _judge(outcome, rates[-1])
    return outcome


def _find(answers: list[logins.Answer], kind: str, percent: float) -> float | None:
    times = logins.list_times(answers, kind)
    return percentile(times, percent) if times else None


def _judge(outcome: Outcome, rate: int) -> list[Target]:
    waits = {way: outcome.data[f"{way}, {rate}"]["refresh"]["99"] for way in logins.WAYS}
    shown = ", ".join(f"{way} {1e3 * wait:,.0f} ms" for way, wait in waits.items() if wait is not None)
    apart = waits["two pools"]
    return [
        Target(
            number=13,
            what=f"refreshes beside {rate} logins a second in two pools, 99th percentile",
            wanted=f"at most {MOST * 1e3:,.0f} ms",
            reached=shown,
            met=None if apart is None else apart <= MOST,
        )
    ]

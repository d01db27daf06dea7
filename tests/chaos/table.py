"""The result of a run for people: a table on the terminal, and a page in Markdown."""

from __future__ import annotations

import itertools
import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos import tempo
from tests.chaos.records import Felt, Happening, Records
from tests.chaos.round import Order
from tests.chaos.verdict import Breach, find_breaches, is_calm, measure, sort_ends, tell

_FIRST = 3
"""The number of breaches whose history is printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A round that has ended."""

    order: Order
    records: Records
    breaches: Sequence[Breach]


def make_result(order: Order, records: Records) -> Result:
    """Return a round with its breaches."""
    return Result(order=order, records=records, breaches=find_breaches(records))


def list_rows(result: Result) -> Iterator[tuple[str, str, str]]:
    """Yield each measured figure: its name, its value and its bound."""
    records, ends = result.records, sort_ends(result.records)
    bad = Counter(breach.kind for breach in result.breaches)
    thefts = [each.theft for each in [*ends.caught, *ends.at_large] if each.theft is not None]
    yield "clients with three tabs", str(result.order.clients), ""
    yield "sessions", str(len(records.sessions)), ""
    yield "generations (refreshes that rotated)", str(records.rotations), ""
    yield "users logged out without a thief or a logout", str(len(ends.logged_out)), "0"
    yield "false alarms: a theft without a thief", str(len(ends.false_alarms)), "0"
    yield "clients that did not work after the last fault", str(len(records.stuck)), "0"
    yield "sessions begun in the lag of a fail-over, and lost with it", str(len(ends.lost_with_lag)), ""
    yield "thefts", str(len(thefts)), ""
    yield "thefts noticed", str(len(ends.caught)), ""
    yield (
        "most successes of a thief",
        str(max([theft.successes for theft in thefts], default=0)),
        f"{tempo.MOST_SUCCESSES}, once more after each fail-over",
    )
    yield "thieves over the bound", str(bad["thief"]), "0"
    yield from _list_logouts(result)
    codes = ", ".join(f"{code}: {count}" for code, count in sorted(records.codes.items()))
    yield "answers by status", codes, "no 5xx but 503"
    yield "answers that no client may get", str(bad["answer"]), "0"
    yield "requests without an answer", str(records.unanswered), ""
    waited, told = records.longest_call
    longest = f"{waited:.2f} s ({told})" if told else "not measured"
    yield "longest answer to a call that needs no query, in a fault too", longest, ""
    yield "longest time of such a call in a thread of a server", f"{records.longest_work:.2f} s", ""
    yield "the same for a call that had to read a row", f"{records.longest_reading:.2f} s", ""
    yield "longest answer without a fault", f"{records.longest_calm:.2f} s", ""
    yield "longest pause of the clients (a busy machine)", f"{records.longest_pause:.2f} s", ""


def _list_logouts(result: Result) -> Iterator[tuple[str, str, str]]:
    records = result.records
    felts = [felt for felt in records.felts if not records.is_undone(felt.logout)]
    undone = [felt for felt in records.felts if records.is_undone(felt.logout)]
    calm = [felt for felt in felts if is_calm(records, felt)]
    faulty = [felt for felt in felts if not is_calm(records, felt)]
    kinds = Counter(logout.kind for logouts in records.logouts.values() for logout in logouts)
    yield "logouts asked for", ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items())), ""
    yield "logouts confirmed and measured", f"{len(calm)} without a fault, {len(faulty)} in one", ""
    bound = f"{tempo.POLL:g} s + the longest answer = {tempo.POLL + records.longest_calm:.2f} s"
    yield "longest time to feel a logout without a fault", _write_longest(calm), bound
    yield "longest time to feel a logout in a fault", _write_longest(faulty), f"{tempo.STALENESS:g} s"
    undone_later = [logout for logout, _, _ in records.revived if records.is_undone(logout)]
    yield "refreshes of ended sessions", str(len(records.revived) - len(undone_later)), "0"
    yield "logouts in the lag of a fail-over", str(len(undone)), ""
    yield "refreshes of sessions whose logout was lost in the lag", str(len(undone_later)), ""
    yield "runs of the operator's command after a fail-over", "; ".join(records.operator) or "none", ""


def _write_longest(felts: Sequence[Felt]) -> str:
    return f"{max(map(measure, felts)):.2f} s" if felts else "not measured"


def list_faults(results: Sequence[Result]) -> Iterator[tuple[str, str, str]]:
    """Yield each kind of fault, how often it happened, and for how many seconds."""
    happenings = [each for result in results for each in result.records.happenings]
    for kind in sorted({each.fault.kind for each in happenings}):
        mine = [each for each in happenings if each.fault.kind == kind]
        total = sum(each.ended - each.begun for each in mine if each.ended != float("inf"))
        yield kind, str(len(mine)), f"{total:.0f}"


def list_brownouts(results: Sequence[Result]) -> Iterator[tuple[str, str, str, str]]:
    """Yield each length of a brownout, its length by the default window, its number, and the logged out."""
    found = [(result, each) for result in results for each in result.records.happenings]
    brownouts = [(result, each) for result, each in found if each.fault.kind == "brownout"]
    for windows in sorted({int(each.fault.amount) for _, each in brownouts}):
        mine = [(result, each) for result, each in brownouts if int(each.fault.amount) == windows]
        lost = sum(_count_logged_out(result, each) for result, each in mine)
        yield str(windows), f"{windows / 2:g}", str(len(mine)), str(lost)


def _count_logged_out(result: Result, happening: Happening) -> int:
    """Count the users whose session ended without a reason during a fault, or within a window after it."""
    ends = sort_ends(result.records).logged_out
    end = happening.settled + tempo.GRACE
    return sum(each.refused is not None and happening.begun <= each.refused[0] <= end for each in ends)


def list_thieves(results: Sequence[Result]) -> Iterator[tuple[str, str, str, str]]:
    """Yield each strategy of the thieves, with their number, the noticed ones and the most successes."""
    sessions = [each for result in results for each in result.records.sessions.values()]
    caught = {each.id for result in results for each in sort_ends(result.records).caught}
    stolen = [(each, each.theft) for each in sessions if each.theft is not None]
    for name in sorted({theft.strategy for _, theft in stolen}):
        mine = [(each, theft) for each, theft in stolen if theft.strategy == name]
        noticed = sum(each.id in caught for each, _ in mine)
        yield name, str(len(mine)), str(noticed), str(max(theft.successes for _, theft in mine))


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown, which is readable on a terminal too."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"


def write_report(results: Sequence[Result], command: str) -> str:
    """Return the whole result as Markdown."""
    lines = [
        "# A run of chaos",
        "",
        f"Made by `{command}` on {datetime.now(tz=UTC):%Y-%m-%d}, with Python {platform.python_version()} "
        f"and {os.cpu_count()} cores.",
        "",
        f"Access tokens live {tempo.ACCESS:g} s, the window of a refresh is {tempo.GRACE:g} s, the poll "
        f"{tempo.POLL:g} s and the staleness {tempo.STALENESS:g} s. The clocks of the servers differ by "
        f"{max(tempo.OFFSETS.values()):g} s.",
        "",
    ]
    for result in results:
        lines += [f"## The store of revocations: {result.order.store}", ""]
        lines += [f"{result.order.seconds / 60:.1f} minutes, seed {result.order.seed}.", ""]
        lines += [*write_table(("figure", "measured", "bound"), list(list_rows(result))), ""]
        errors = sorted(result.records.errors.items())
        lines += [*write_table(("refusal", "answers"), [(name, str(count)) for name, count in errors]), ""]
    lines += ["## Faults", "", *write_table(("fault", "times", "seconds"), list(list_faults(results))), ""]
    head = ("windows", "minutes with the default window", "times", "users logged out")
    lines += ["## Brownouts", "", *write_table(head, list(list_brownouts(results))), ""]
    thieves = list(list_thieves(results))
    lines += [
        "## Thieves",
        "",
        *write_table(("strategy", "thefts", "noticed", "most successes"), thieves),
        "",
    ]
    return "\n".join([*lines, "## Breaches", "", *_write_breaches(results), ""])


def _write_breaches(results: Sequence[Result]) -> Iterator[str]:
    if not any(result.breaches for result in results):
        yield "None."
    for result in results:
        if not result.breaches:
            continue
        kinds = Counter(breach.kind for breach in result.breaches)
        counted = ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items()))
        yield f"Store {result.order.store}, seed {result.order.seed}: {counted}. The first of each kind:"
        yield ""
        firsts = {breach.kind: breach for breach in reversed(result.breaches)}
        for breach in itertools.islice(sorted(firsts.values(), key=lambda each: each.time), _FIRST):
            yield "```text"
            yield from tell(result.records, breach)
            yield "```"
            yield ""

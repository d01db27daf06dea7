"""The bounds of a round, and each breach of them with its history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.chaos import tempo
from tests.chaos.records import Felt, Records, Session

REUSED: Final = {"refresh_reused"}
"""The code and the reason of a theft."""

_AROUND: Final = 15.0
"""Seconds before a breach whose faults are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A bound that was broken."""

    time: float
    kind: str
    text: str
    session: Session | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The sessions that ended, by the reason for their end."""

    logged_out: list[Session]
    """Nobody stole them and nobody ended them. There must be none."""
    false_alarms: list[Session]
    """Taken for stolen, although there was no thief. There must be none."""
    lost_with_lag: list[Session]
    """The login was one of the commits that a fail-over has lost."""
    caught: list[Session]
    """Stolen, and the theft was noticed."""
    at_large: list[Session]
    """Stolen, and the theft was not noticed until the end, or until the session was ended by a logout."""


def sort_ends(records: Records) -> Ends:
    """Find out why each session ended, from the answers to its client and from its row."""
    reasons = dict(records.found)
    ends = Ends(logged_out=[], false_alarms=[], lost_with_lag=[], caught=[], at_large=[])
    for session in records.sessions.values():
        code = session.refused[1] if session.refused else ""
        words = {code, reasons.get(session.id, "")} - {""}
        if session.theft is not None:
            alarmed = words & REUSED or session.theft.code in REUSED or "refresh_lost" in words
            (ends.caught if alarmed else ends.at_large).append(session)
            continue
        if words & REUSED:
            ends.false_alarms.append(session)
        if not words or (records.find_logout(session) and not words & {*REUSED, "refresh_lost"}):
            continue
        lost = code == "session_unknown" and records.is_lost_with_lag(session)
        (ends.lost_with_lag if lost else ends.logged_out).append(session)
    return ends


def find_breaches(records: Records) -> list[Breach]:
    """Return each breach of a bound, the first one first."""
    return sorted(_find(records), key=lambda breach: breach.time)


def _find(records: Records) -> Iterator[Breach]:
    ends = sort_ends(records)
    for session in ends.logged_out:
        when, code = session.refused or (session.heard, "only the row")
        text = f"client {session.client} was logged out without a thief or a logout: {code}"
        yield Breach(time=when, kind="logged out", text=text, session=session)
    for session in ends.false_alarms:
        when = session.refused[0] if session.refused else session.heard
        text = f"client {session.client} was taken for stolen, but there was no thief"
        yield Breach(time=when, kind="false alarm", text=text, session=session)
    for session in [*ends.caught, *ends.at_large]:
        theft = session.theft
        if theft is not None and theft.successes > tempo.MOST_SUCCESSES * (1 + theft.failovers):
            text = f"a thief ({theft.strategy}) had {theft.successes} successes"
            yield Breach(time=theft.caught or theft.began, kind="thief", text=text, session=session)
    for when, text in records.strange:
        yield Breach(time=when, kind="answer", text=text)
    for text in records.stuck:
        yield Breach(time=float("inf"), kind="stuck", text=f"{text} could not work after the last fault")
    yield from _find_late(records)


def _find_late(records: Records) -> Iterator[Breach]:
    for felt in records.felts:
        seconds, bound = measure(felt), find_bound(records, felt)
        if seconds > bound and not records.is_undone(felt.logout):
            session = records.sessions[felt.session]
            text = f"an ended session was let in {seconds:.2f} s after its logout; the bound is {bound:.2f} s"
            yield Breach(time=felt.last, kind="logout", text=text, session=session)
    for logout, session, when in records.revived:
        if not records.is_undone(logout):
            text = f"an ended session ({logout.kind}) was refreshed"
            yield Breach(time=when, kind="revived", text=text, session=session)


def measure(felt: Felt) -> float:
    """Return for how many seconds after its logout a session was let in."""
    return felt.last - (felt.logout.confirmed or felt.last)


def is_calm(records: Records, felt: Felt) -> bool:
    """Return whether there was no fault from a logout until its end was felt."""
    return records.is_calm(felt.logout.asked, felt.last)


def find_bound(records: Records, felt: Felt) -> float:
    """Return the bound for a logout.

    Without a fault this is the poll and the time of the slowest answer, because a request makes the poll.
    In a fault this is the staleness, because a process may be cut off from the news.
    """
    return tempo.POLL + records.longest_calm if is_calm(records, felt) else tempo.STALENESS


def tell(records: Records, breach: Breach) -> Iterator[str]:
    """Yield the lines of the log that show a breach."""
    yield f"{breach.kind}: {breach.text}"
    lines: list[tuple[float, str]] = []
    first = breach.time - _AROUND
    if breach.session is not None:
        lines += breach.session.events
        first = min([first, *(when for when, _ in breach.session.events)])
        yield f"session {breach.session.id} of {breach.session.user}, client {breach.session.client}"
    last = max([when for when, _ in lines], default=breach.time)
    for each in records.list_faults(first, last):
        lines.append((each.begun, f"FAULT BEGINS: {each.fault}"))
        if each.ended != float("inf"):
            lines.append((each.ended, f"FAULT ENDS: {each.fault.kind}"))
    for when, text in sorted(lines):
        yield f"{when - records.began:9.2f} s  {text}"

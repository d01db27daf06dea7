"""The history of a round: the requests and answers of each client, and the faults of that time."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from tests.chaos import tempo
from tests.chaos.plan import Fault
from tests.chaos.wire import Answer

_HISTORY: Final = 60
"""The number of the latest events of a session that are kept."""

_LATE: Final = 30.0
"""A logout without an answer may still take effect so many seconds after its last attempt."""


AFTER_FAILOVER: Final = "after a fail-over"
"""The kind of a logout of everybody by the command of an operator."""


@dataclass(slots=True, kw_only=True)
class Logout:
    """A wish to end a session, or all sessions of a user."""

    kind: str
    user: str
    session: str = ""
    """Empty for all sessions of the user."""
    asked: float
    tried: float = 0.0
    """The time of the last attempt."""
    confirmed: float | None = None

    @property
    def until(self) -> float:
        """The time until which this logout can end a session."""
        return self.confirmed if self.confirmed is not None else max(self.asked, self.tried) + _LATE


@dataclass(slots=True, kw_only=True)
class Theft:
    """A copy of a refresh token, and how far the thief came with it."""

    strategy: str
    began: float
    successes: int = 0
    """The refresh tokens of new generations that he got, if the victim came by before each of them."""
    answers: int = 0
    caught: float | None = None
    code: str = ""
    """The code of the answer that ended it for the thief."""
    failovers: int = 0
    """A database that lost commits has forgotten the recoveries too, so the bound begins again."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One login of one client."""

    id: str
    user: str
    client: int
    asked: float
    heard: float
    events: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    theft: Theft | None = None
    refused: tuple[float, str] | None = None
    rotations: int = 0
    arrivals: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=8))
    """The last answered refreshes of the owner: when each was sent and heard."""

    def note(self, text: str) -> None:
        """Add an event to the history."""
        self.events.append((time.monotonic(), text))


@dataclass(slots=True, kw_only=True)
class Happening:
    """A fault that has begun, with its real times."""

    fault: Fault
    begun: float
    ended: float = float("inf")
    settled: float = float("inf")
    """The time from which everything has to be normal again."""


@dataclass(slots=True, kw_only=True)
class Felt:
    """How long an ended session was let in after the answer to the logout."""

    logout: Logout
    session: str
    last: float
    """When the last request that was let in was sent."""


@dataclass(slots=True)
class Records:
    """Everything that a round has seen."""

    began: float = field(default_factory=time.monotonic)
    sessions: dict[str, Session] = field(default_factory=dict)
    logouts: dict[str, list[Logout]] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    lags: list[tuple[float, float]] = field(default_factory=list)
    """From the last commit that the promoted replica surely had, to the end of the old primary."""
    felts: list[Felt] = field(default_factory=list)
    revived: list[tuple[Logout, Session, float]] = field(default_factory=list)
    """The refreshes of sessions that had been ended before, with the times of the answers."""
    codes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    strange: list[tuple[float, str]] = field(default_factory=list)
    """Answers that no client may ever get, with their times."""
    unanswered: int = 0
    rotations: int = 0
    longest_calm: float = 0.0
    """The longest time of an answer while there was no fault."""
    longest_call: tuple[float, str] = (0.0, "")
    """The longest time of an answer to a call that needs no query, and the answer."""
    longest_work: float = 0.0
    """The longest time of such a call in a thread of a server, without the time until a thread was free."""
    longest_reading: float = 0.0
    """The same for a call that had to send a statement."""
    longest_pause: float = 0.0
    """The longest time in which this process did nothing, because the machine was busy."""
    stuck: list[str] = field(default_factory=list)
    """Clients that could not work after the end of all faults."""
    found: list[tuple[str, str]] = field(default_factory=list)
    """The sessions that the database shows as ended at the end, and the reasons in it."""
    operator: list[str] = field(default_factory=list)
    """The output of the operator's command after each fail-over."""

    def is_calm(self, begin: float, end: float) -> bool:
        """Return whether there was no fault, nor the aftermath of one, between two times."""
        return not any(each.begun <= end and begin <= each.settled for each in self.happenings)

    def list_faults(self, begin: float, end: float) -> list[Happening]:
        """Return the faults between two times."""
        return [each for each in self.happenings if each.begun <= end and begin <= each.settled]

    def hear(self, where: str, answer: Answer) -> None:
        """Count an answer, and keep it if no client may ever get it."""
        self.codes[str(answer.status)] += 1
        if answer.status >= 400:
            self.errors[f"{answer.status} {answer.code or 'without a code'}"] += 1
        self._measure(answer.sent, answer.heard)
        if where == "GET /me/" and answer.statements:
            self.longest_reading = max(self.longest_reading, answer.took)
        elif where == "GET /me/":
            told = f"{answer.status} {answer.code}".strip()
            self.longest_call = max(self.longest_call, (answer.heard - answer.sent, told))
            self.longest_work = max(self.longest_work, answer.took)
        fault = judge_answer(answer)
        if fault:
            self.strange.append((answer.heard, f"{where}: {fault}: {answer.body[:200]!r}"))

    def miss(self, asked: float) -> None:
        """Count a request that got no answer."""
        self.unanswered += 1
        self._measure(asked, time.monotonic())

    def _measure(self, begin: float, end: float) -> None:
        if self.is_calm(begin, end):
            self.longest_calm = max(self.longest_calm, end - begin)

    def add_logout(self, logout: Logout) -> None:
        """Remember that somebody wants to end sessions."""
        self.logouts.setdefault(logout.user, []).append(logout)

    def find_logout(self, session: Session) -> Logout | None:
        """Return a logout that may have ended a session."""
        refused = session.refused[0] if session.refused else float("inf")
        for logout in self.logouts.get(session.user, []):
            if logout.asked > refused:
                continue
            if logout.session == session.id or (not logout.session and session.asked <= logout.until):
                return logout
        return None

    def check_refreshed(self, session: Session, answer: Answer) -> None:
        """Keep a refresh that was answered with tokens, although the session had surely been ended before."""
        for logout in self.logouts.get(session.user, []):
            confirmed = logout.confirmed
            if confirmed is not None and confirmed < answer.sent and self._covers(logout, session):
                self.revived.append((logout, session, answer.heard))
                return

    def _covers(self, logout: Logout, session: Session) -> bool:
        """Return whether a logout that was confirmed has surely ended a session."""
        if logout.session:
            return logout.session == session.id
        if logout.kind != AFTER_FAILOVER:
            return session.heard < logout.asked
        # The command compares with the time of the login, and that comes from the clock of an app server.
        jumps = [each for each in self.happenings if each.fault.kind == "jump a clock"]
        dated_right = not any(each.begun <= session.heard and session.asked <= each.settled for each in jumps)
        return dated_right and session.heard + max(tempo.OFFSETS.values()) < logout.asked

    def is_in_lag(self, asked: float, heard: float) -> bool:
        """Return whether a commit between two times may be one of those that a fail-over has lost."""
        return any(begin <= heard and asked <= end for begin, end in self.lags)

    def is_undone(self, logout: Logout) -> bool:
        """Return whether a fail-over may have lost the commit of a logout."""
        return self.is_in_lag(logout.asked, logout.until)

    def is_lost_with_lag(self, session: Session) -> bool:
        """Return whether the login of a session may be one of the commits that a fail-over has lost."""
        return self.is_in_lag(session.asked, session.heard)


def judge_answer(answer: Answer) -> str:
    """Return why no client may ever get this answer, or an empty text."""
    if not answer.is_json:
        return f"a {answer.status} that is not JSON"
    if answer.status >= 500 and answer.status != 503:
        return f"a {answer.status}"
    if answer.status == 503 and not answer.retry_after:
        return "a 503 without Retry-After"
    if answer.status >= 400 and not answer.code:
        return f"a {answer.status} without a code"
    return ""

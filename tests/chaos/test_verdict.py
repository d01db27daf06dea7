"""The harness finds each breach of a bound, and nothing that is not a breach."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.chaos import __main__ as command
from tests.chaos import faults, plan, tempo
from tests.chaos.plan import Fault, choose_kinds, make_plan
from tests.chaos.records import Felt, Happening, Logout, Records, Session, Theft
from tests.chaos.round import Order
from tests.chaos.table import list_rows, make_result, write_report
from tests.chaos.verdict import find_breaches, sort_ends, tell
from tests.chaos.wire import Answer
from tests.english import check_source

pytestmark = pytest.mark.once  # it reads records that are made here


def make_fault(kind: str = "brownout", amount: float = 8.0) -> Fault:
    return Fault(number=0, kind=kind, begin=0, seconds=4, server="a", amount=amount)


def make_records(*, fault: bool = False) -> tuple[Records, Session]:
    """Make the records of one session, which began at 10."""
    records = Records(began=0.0)
    session = Session(id="s", user="anna", client=1, asked=9.9, heard=10.0)
    records.sessions["s"] = session
    if fault:
        records.happenings.append(Happening(fault=make_fault(), begun=15.0, ended=25.0, settled=40.0))
    return records, session


def end(kind: str = "own session", *, asked: float = 20.0, confirmed: float | None = 20.1) -> Logout:
    session = "s" if kind == "own session" else ""
    return Logout(kind=kind, user="anna", session=session, asked=asked, tried=asked, confirmed=confirmed)


def refuse(code: str) -> Callable[[Records, Session], None]:
    def change(records: Records, session: Session) -> None:
        session.refused = (30.0, code)

    return change


def steal(successes: int, failovers: int = 0) -> Callable[[Records, Session], None]:
    def change(records: Records, session: Session) -> None:
        session.theft = Theft(strategy="x", began=12.0, successes=successes, failovers=failovers)
        session.refused = (30.0, "refresh_reused")

    return change


def feel(seconds: float) -> Callable[[Records, Session], None]:
    def change(records: Records, session: Session) -> None:
        logout = end()
        records.add_logout(logout)
        records.longest_calm = 0.2
        records.felts.append(Felt(logout=logout, session="s", last=20.1 + seconds))

    return change


def answer(status: int, body: bytes = b'{"code": "x"}', **headers: str) -> Callable[[Records, Session], None]:
    whole = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}

    def change(records: Records, session: Session) -> None:
        records.hear("GET /me/", Answer(status=status, headers=whole, body=body, sent=20.0, heard=20.1))

    return change


def refresh_after(logout: Logout) -> Callable[[Records, Session], None]:
    def change(records: Records, session: Session) -> None:
        records.add_logout(logout)
        found = Answer(status=200, headers={}, body=b"", sent=21.0, heard=21.1)
        records.check_refreshed(session, found)

    return change


def get_stuck(records: Records, session: Session) -> None:
    records.stuck.append("client 1")


def find_row(records: Records, session: Session) -> None:
    records.found.append(("s", "refresh_reused"))


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (refuse("session_revoked"), ["logged out"]),
        (refuse("refresh_lost"), ["logged out"]),
        (refuse("refresh_reused"), ["false alarm", "logged out"]),
        (find_row, ["false alarm", "logged out"]),
        (steal(7), []),
        (steal(8), ["thief"]),
        (steal(14, failovers=1), []),
        (steal(15, failovers=1), ["thief"]),
        (feel(0.6), []),
        (feel(0.8), ["logout"]),
        (answer(200), []),
        (answer(401), []),
        (answer(503, retry_after="1"), []),
        (answer(503), ["answer"]),
        (answer(500), ["answer"]),
        (answer(502, retry_after="1"), ["answer"]),
        (answer(401, b"{}"), ["answer"]),
        (answer(400, b"<html>", content_type="text/html"), ["answer"]),
        (refresh_after(end()), ["revived"]),
        (refresh_after(end("operator")), ["revived"]),
        (refresh_after(end("operator", asked=9.95)), []),
        (refresh_after(end(confirmed=None)), []),
        (refresh_after(end("after a fail-over")), ["revived"]),
        (refresh_after(end("after a fail-over", asked=10.5)), []),
        (get_stuck, ["stuck"]),
    ],
)
def test_each_breach_is_found(change: Callable[[Records, Session], None], kinds: list[str]) -> None:
    records, session = make_records()
    change(records, session)
    assert sorted(breach.kind for breach in find_breaches(records)) == kinds


@pytest.mark.parametrize(("seconds", "kinds"), [(2.9, []), (3.1, ["logout"])])
def test_in_a_fault_a_logout_is_felt_within_the_staleness(seconds: float, kinds: list[str]) -> None:
    records, session = make_records(fault=True)
    feel(seconds)(records, session)
    assert [breach.kind for breach in find_breaches(records)] == kinds


def test_a_logout_explains_the_end_of_a_session_but_not_an_alarm() -> None:
    for logout in (end(), end("operator"), end(confirmed=None)):
        records, session = make_records()
        records.add_logout(logout)
        refuse("session_revoked")(records, session)
        assert find_breaches(records) == []
        refuse("refresh_reused")(records, session)
        assert {breach.kind for breach in find_breaches(records)} == {"logged out", "false alarm"}


@pytest.mark.parametrize("logout", [end(asked=31.0), end("operator", asked=31.0)])
def test_a_later_logout_explains_nothing(logout: Logout) -> None:
    records, session = make_records()
    records.add_logout(logout)
    refuse("session_revoked")(records, session)
    assert [breach.kind for breach in find_breaches(records)] == ["logged out"]


@pytest.mark.parametrize(
    ("lag", "code", "lost"),
    [
        ((9.0, 11.0), "session_unknown", 1),
        ((11.0, 12.0), "session_unknown", 0),
        ((9.0, 11.0), "session_revoked", 0),
    ],
)
def test_only_a_login_in_the_lag_may_be_lost_with_it(lag: tuple[float, float], code: str, lost: int) -> None:
    records, session = make_records()
    records.lags.append(lag)
    refuse(code)(records, session)
    assert len(sort_ends(records).lost_with_lag) == lost
    assert len(find_breaches(records)) == 1 - lost


def test_a_logout_in_the_lag_may_be_undone() -> None:
    records, session = make_records()
    refresh_after(end())(records, session)
    feel(5)(records, session)
    records.lags.append((19.0, 22.0))
    assert find_breaches(records) == []


def test_a_login_dated_by_a_wrong_clock_may_outlive_the_command_of_the_operator() -> None:
    records, session = make_records()
    fault = make_fault("jump a clock", 600)
    records.happenings.append(Happening(fault=fault, begun=9.0, ended=9.5, settled=9.95))
    refresh_after(end("after a fail-over"))(records, session)
    assert find_breaches(records) == []


def test_a_request_without_an_answer_counts_for_the_longest_time() -> None:
    records, _ = make_records()
    records.miss(time.monotonic() - 3)
    assert records.longest_calm >= 3
    assert records.unanswered == 1


def test_the_log_of_a_breach_shows_the_session_and_the_faults_around_it() -> None:
    records, session = make_records(fault=True)
    session.events.append((16.0, "refresh 3"))
    refuse("refresh_reused")(records, session)
    lines = "\n".join(tell(records, find_breaches(records)[0]))
    assert "refresh 3" in lines
    assert "FAULT BEGINS: brownout (8)" in lines
    assert "FAULT ENDS: brownout" in lines


def test_the_report_shows_the_figures_the_seed_and_the_breaches() -> None:
    records, session = make_records(fault=True)
    refuse("refresh_reused")(records, session)
    order = Order(seed=7, seconds=60, store="redis", clients=3, say=print)
    result = make_result(order, records)
    rows = {name: (value, bound) for name, value, bound in list_rows(result)}
    assert rows["users logged out without a thief or a logout"] == ("1", "0")
    assert rows["false alarms: a theft without a thief"] == ("1", "0")
    report = write_report([result], "make chaos")
    assert "seed 7" in report
    assert "| 8       | 4                               | 1     | 1                |" in report
    assert "was taken for stolen" in report
    assert check_source("docs/chaos.md", report) == []


def test_a_seed_gives_the_same_faults_again() -> None:
    kinds = choose_kinds("redis")
    first, again, other = (make_plan(seed, 600, kinds) for seed in ("7", "7", "8"))
    assert first == again != other
    assert {fault.kind for fault in first} == set(kinds)
    assert [fault.begin for fault in first] == sorted(fault.begin for fault in first)
    assert all(fault.begin + fault.seconds < 600 for fault in first)


def test_an_hour_has_each_length_of_a_brownout() -> None:
    faults_of_an_hour = make_plan("7", 3600, choose_kinds("database", ("brownout",)))
    assert {fault.amount for fault in faults_of_an_hour} == set(plan.WINDOWS)


def test_each_kind_of_fault_has_an_action_and_redis_has_none_for_the_other_store() -> None:
    assert faults._ACTIONS.keys() == set(plan.KINDS)
    assert not [kind for kind in choose_kinds("database") if "Redis" in kind]
    assert len(choose_kinds("redis")) == len(plan.KINDS)


def test_the_times_leave_room_for_each_bound() -> None:
    """With a staleness beyond the access lifetime, an ended session would be refused too early to measure."""
    assert tempo.POLL < tempo.STALENESS < tempo.ACCESS
    assert max(tempo.OFFSETS.values()) < tempo.SKEW


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_missing_program_is_loud_and_fails_in_ci(
    ci: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(command, "find_missing", lambda: ["redis-server"])
    assert command.main([]) == code
    assert "CHAOS DID NOT RUN. It needs redis-server" in capsys.readouterr().out


def test_the_command_repeats_a_run() -> None:
    arguments = ["--minutes", "3", "--clients", "9", "--store", "redis", "--only", "brownout", "empty Redis"]
    text = command.write_command(command.read_arguments(arguments), 7)
    assert text == "--minutes 3 --seed 7 --clients 9 --store redis --only 'brownout' 'empty Redis'"


@pytest.mark.parametrize(
    ("only", "stores"),
    [
        ([], ["database", "redis"]),
        (["brownout", "empty Redis"], ["database", "redis"]),
        (["empty Redis", "kill Redis"], ["redis"]),
    ],
)
def test_a_store_has_a_round_if_one_of_the_chosen_faults_concerns_it(
    only: list[str], stores: list[str]
) -> None:
    chosen = command.read_arguments(["--only", *only] if only else [])
    assert command.choose_stores(chosen) == stores
    for store in stores:
        assert make_plan("7", 600, choose_kinds(store, tuple(only)))


def test_faults_of_redis_need_redis_as_the_store(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.read_arguments(["--store", "database", "--only", "empty Redis"])
    assert "Redis can only fail where it is the store." in capsys.readouterr().err


@pytest.mark.parametrize("reckless", [False, True])
def test_reckless_clients_are_asked_for_in_the_round_and_in_the_command_that_repeats_it(
    reckless: bool,
) -> None:
    chosen = command.read_arguments(["--reckless"] if reckless else [])
    assert command.make_order(chosen, 7, "redis", 60).reckless is reckless
    assert ("--reckless" in command.write_command(chosen, 7)) is reckless


def test_the_longest_call_is_told_with_its_answer_and_the_time_in_a_thread() -> None:
    """A call may wait in the queue of a server for longer than the package lets it wait."""
    records, _ = make_records()
    headers = {"content-type": "application/json", "retry-after": "1"}
    for took, sent, code in (("0.001", 12.0, "queued_too_long"), ("1.004", 19.0, "revocation_unavailable")):
        body = f'{{"code": "{code}"}}'.encode()
        found = Answer(status=503, headers={**headers, "x-took": took}, body=body, sent=sent, heard=20.5)
        records.hear("GET /me/", found)
        records.hear("POST /api/token/", Answer(status=503, headers=headers, body=body, sent=1.0, heard=20.5))
    reads = {**headers, "x-took": "5.000", "x-statements": "1"}
    records.hear("GET /me/", Answer(status=503, headers=reads, body=b'{"code": "x"}', sent=0.0, heard=20.5))
    order = Order(seed=1, seconds=60, store="database", clients=60, say=print)
    rows = {name: value for name, value, _ in list_rows(make_result(order, records))}
    assert (
        rows["longest answer to a call that needs no query, in a fault too"] == "8.50 s (503 queued_too_long)"
    )
    assert rows["longest time of such a call in a thread of a server"] == "1.00 s"
    assert rows["the same for a call that had to read a row"] == "5.00 s"

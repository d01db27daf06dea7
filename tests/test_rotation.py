"""The refresh rule, case by case. ``test_rotation_model.py`` tests sequences of cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from drf_tessera.rotation import (
    GROWTH,
    START,
    Decision,
    Outcome,
    Policy,
    Position,
    Spare,
    State,
    decide,
    rotate,
)

pytestmark = pytest.mark.once  # no Django

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
GRACE = timedelta(seconds=30)
TICK = timedelta(microseconds=1)
SHIPPED = Policy(grace=GRACE, recoveries=5)
STRICT = Policy(grace=timedelta(0), recoveries=0)

PARENT, SKIPPED, CURRENT, AHEAD = 4, 5, 6, 9
MOVED = Position(generation=CURRENT, parent=PARENT, recoveries=1, rotated_at=NOW)
"""A session that has just recovered for the first time."""
WINDOW = GRACE * GROWTH
"""The length of its window."""
END = NOW + WINDOW


def make_state(position: Position = MOVED, **changes: Any) -> State:
    usual: dict[str, Any] = {
        "revoked": False,
        "user_active": True,
        "idle_expires_at": NOW + timedelta(days=14),
        "expires_at": NOW + timedelta(days=90),
    }
    return State(position=position, **(usual | changes))


def ask(generation: int, now: datetime = END, policy: Policy = SHIPPED, **changes: Any) -> Decision:
    return decide(make_state(**changes), generation, now, policy)


def ask_branch(generation: int, branch: int, now: datetime, **changes: Any) -> Decision:
    return decide(make_state(**changes), generation, now, SHIPPED, branch)


# -- Answered --------------------------------------------------------------------------------------


def test_a_first_token_rotates_at_once() -> None:
    assert ask(0, NOW, position=START) == Decision(
        outcome=Outcome.ROTATED,
        position=Position(generation=1, parent=0, recoveries=0, rotated_at=NOW),
    )


def test_the_current_token_rotates_and_becomes_the_parent() -> None:
    now = END
    assert ask(CURRENT, now) == Decision(
        outcome=Outcome.ROTATED,
        position=Position(generation=CURRENT + 1, parent=CURRENT, recoveries=0, rotated_at=now),
    )


def test_a_rotation_ends_a_row_of_recoveries() -> None:
    exhausted = replace(MOVED, recoveries=SHIPPED.recoveries)
    decision = ask(CURRENT, NOW + SHIPPED.measure_window(SHIPPED.recoveries), position=exhausted)
    assert decision.position is not None
    assert decision.position.recoveries == 0


@pytest.mark.parametrize(("generation", "spare"), [(PARENT, Spare.BRANCH), (CURRENT, Spare.SAME)])
@pytest.mark.parametrize("since", [timedelta(0), TICK, GRACE - TICK])
def test_within_the_window_of_a_rotation_nothing_moves(
    generation: int, spare: Spare, since: timedelta
) -> None:
    rotated = replace(MOVED, recoveries=0)
    decision = ask(generation, NOW + since, position=rotated)
    assert decision == Decision(outcome=Outcome.GRACE, position=None, spare=spare)


@pytest.mark.parametrize("recoveries", range(1, 6))
def test_soon_after_a_recovery_its_answer_is_repeated(recoveries: int) -> None:
    """A client that lost the answer of a recovery gets a token that it can go on with, and loses nothing."""
    position = replace(MOVED, recoveries=recoveries)
    last = NOW + SHIPPED.measure_window(recoveries) - SHIPPED.measure_window(recoveries - 1)
    for moment in (NOW, last - TICK):
        decision = ask(PARENT, moment, position=position)
        assert decision == Decision(outcome=Outcome.REPEATED, position=None, spare=Spare.BRANCH)
    assert ask(PARENT, last, position=position).outcome is Outcome.GRACE
    current = ask(CURRENT, NOW, position=position)
    assert current == Decision(outcome=Outcome.GRACE, position=None, spare=Spare.SAME)


def test_windows_of_one_length_repeat_nothing() -> None:
    flat = Policy(grace=GRACE, recoveries=5, longest=GRACE)
    assert flat.measure_window(5) == GRACE
    position = replace(MOVED, recoveries=5)
    assert ask(PARENT, NOW, flat, position=position).outcome is Outcome.GRACE


def test_the_answer_of_a_rotation_is_not_repeated_by_a_clock_that_is_behind() -> None:
    position = replace(MOVED, recoveries=0)
    assert ask(PARENT, NOW - GRACE, position=position).outcome is Outcome.GRACE


@pytest.mark.parametrize(
    ("recoveries", "minutes"), [(0, 0.5), (1, 1.5), (2, 4.5), (3, 13.5), (4, 40.5), (5, 121.5)]
)
def test_each_window_is_three_times_as_long_as_the_one_before(recoveries: int, minutes: float) -> None:
    assert SHIPPED.measure_window(recoveries) == timedelta(minutes=minutes)


@pytest.mark.slow
@pytest.mark.parametrize("recoveries", [0, 1, 5, 32_767, 2**63])
@pytest.mark.parametrize("grace", [timedelta(0), TICK, GRACE, timedelta(days=7), timedelta(days=900_000_000)])
@pytest.mark.parametrize("longest", [timedelta(0), GRACE, timedelta(days=7), timedelta.max])
def test_no_window_outlasts_the_longest(recoveries: int, grace: timedelta, longest: timedelta) -> None:
    window = Policy(grace=grace, recoveries=0, longest=longest).measure_window(recoveries)
    assert min(grace, longest) <= window <= longest
    assert (window == timedelta(0)) == (grace == timedelta(0) or longest == timedelta(0))


def test_any_branch_of_the_current_generation_rotates_and_becomes_the_parent() -> None:
    now = END
    assert ask_branch(CURRENT, 3, now) == Decision(
        outcome=Outcome.ROTATED,
        position=Position(
            generation=CURRENT + 1, parent=CURRENT, parent_branch=3, recoveries=0, rotated_at=now
        ),
    )


@pytest.mark.parametrize("since", [timedelta(0), GRACE - TICK, GRACE])
@pytest.mark.parametrize(("winner", "loser"), [(0, 3), (3, 0), (3, 4)])
def test_a_branch_that_another_branch_has_overtaken_is_reuse(
    winner: int, loser: int, since: timedelta
) -> None:
    """Two holders of two branches reveal each other."""
    position = rotate(CURRENT, NOW, winner)
    assert ask_branch(CURRENT, loser, NOW + since, position=position).outcome is Outcome.REUSED
    assert ask_branch(CURRENT, winner, NOW + since, position=position).outcome is not Outcome.REUSED


def test_a_recovery_keeps_the_branch_of_the_parent() -> None:
    recovered = ask_branch(CURRENT, 3, NOW + GRACE, position=rotate(CURRENT, NOW, 3)).position
    assert recovered is not None
    assert (recovered.parent, recovered.parent_branch) == (CURRENT, 3)


@pytest.mark.parametrize(("generation", "outcome"), [(PARENT, Outcome.RECOVERED), (CURRENT, Outcome.ROTATED)])
def test_the_window_ends_exactly_at_its_end(generation: int, outcome: Outcome) -> None:
    assert ask(generation, END - TICK).outcome is Outcome.GRACE
    assert ask(generation, END).outcome is outcome


@pytest.mark.parametrize("generation", [PARENT, CURRENT])
def test_a_clock_that_runs_behind_another_server_is_within_the_window(generation: int) -> None:
    rotated = replace(MOVED, recoveries=0)
    assert ask(generation, NOW - timedelta(seconds=5), position=rotated).outcome is Outcome.GRACE


def test_a_recovery_keeps_the_parent_and_skips_a_generation() -> None:
    now = END
    assert ask(PARENT, now) == Decision(
        outcome=Outcome.RECOVERED,
        position=Position(generation=CURRENT + 1, parent=PARENT, recoveries=2, rotated_at=now),
    )


def test_a_recovery_opens_a_window_of_its_own() -> None:
    recovered = ask(PARENT).position
    assert recovered is not None
    assert ask(PARENT, END, position=recovered).outcome is Outcome.REPEATED
    assert ask(PARENT, END + GROWTH * WINDOW - TICK, position=recovered).outcome is Outcome.GRACE
    assert ask(PARENT, END + GROWTH * WINDOW, position=recovered).outcome is Outcome.RECOVERED


def test_the_skipped_token_is_a_tripwire() -> None:
    recovered = ask(PARENT).position
    assert recovered is not None
    for moment in (END, END + GROWTH * WINDOW):
        assert ask(CURRENT, moment, position=recovered).outcome is Outcome.REUSED


@pytest.mark.parametrize("recoveries", [0, 1, 5])
def test_only_the_set_number_of_recoveries_in_a_row_is_allowed(recoveries: int) -> None:
    policy = Policy(grace=GRACE, recoveries=recoveries)
    position, now = rotate(0, NOW), NOW
    for used in range(recoveries):
        now += policy.measure_window(used)
        decision = ask(0, now, policy, position=position)
        assert (decision.outcome, decision.position is None) == (Outcome.RECOVERED, False)
        position = decision.position or position
    assert position.recoveries == recoveries
    end = now + policy.measure_window(recoveries)
    assert ask(0, end - TICK, policy, position=position).outcome is Outcome.GRACE
    assert ask(0, end, policy, position=position).outcome is not Outcome.RECOVERED


@pytest.mark.parametrize(("recoveries", "outcome"), [(0, Outcome.REUSED), (1, Outcome.EXHAUSTED)])
def test_recoveries_that_are_used_up_do_not_prove_a_theft(recoveries: int, outcome: Outcome) -> None:
    """But a project that forgives no lost answer takes each late parent for a theft."""
    position = replace(MOVED, recoveries=recoveries)
    end = NOW + SHIPPED.measure_window(recoveries)
    policy = Policy(grace=GRACE, recoveries=recoveries)
    assert ask(PARENT, end, policy, position=position) == Decision(outcome=outcome, position=None)
    skipped = ask(SKIPPED, end, policy, position=position)
    assert skipped == Decision(outcome=Outcome.REUSED, position=None)


def test_a_limit_that_was_lowered_meanwhile_holds_after_the_window() -> None:
    many, policy = replace(MOVED, recoveries=5), Policy(grace=GRACE, recoveries=3)
    end = NOW + policy.measure_window(5)
    assert ask(PARENT, end, policy, position=many).outcome is Outcome.EXHAUSTED


@pytest.mark.parametrize("since", [timedelta(0), GRACE])
@pytest.mark.parametrize("generation", [CURRENT + 1, AHEAD])
def test_the_row_follows_a_token_ahead_of_it(generation: int, since: timedelta) -> None:
    assert ask(generation, NOW + since) == Decision(
        outcome=Outcome.RESYNCED,
        position=Position(generation=generation + 1, parent=generation, recoveries=0, rotated_at=NOW + since),
    )


def test_a_new_row_follows_too() -> None:
    assert ask(AHEAD, NOW, position=START).outcome is Outcome.RESYNCED


# -- Refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", [0, PARENT - 1, SKIPPED])
@pytest.mark.parametrize("since", [timedelta(0), GRACE, timedelta(days=1)])
def test_neither_current_nor_parent_is_reused_at_any_time(generation: int, since: timedelta) -> None:
    assert ask(generation, NOW + since) == Decision(outcome=Outcome.REUSED, position=None)


REFUSALS: list[tuple[dict[str, Any], Outcome]] = [
    ({"revoked": True}, Outcome.REVOKED),
    ({"expires_at": NOW}, Outcome.EXPIRED),
    ({"idle_expires_at": NOW}, Outcome.EXPIRED),
    ({"user_active": False}, Outcome.USER_INACTIVE),
]


@pytest.mark.parametrize("generation", [0, PARENT, SKIPPED, CURRENT, AHEAD])
@pytest.mark.parametrize(("changes", "outcome"), REFUSALS)
def test_an_ended_session_is_ended_for_every_token(
    generation: int, changes: dict[str, Any], outcome: Outcome
) -> None:
    assert ask(generation, NOW, **changes) == Decision(outcome=outcome, position=None)


@pytest.mark.parametrize("first", range(len(REFUSALS)))
def test_refusals_come_in_the_order_revoked_expired_inactive(first: int) -> None:
    changes: dict[str, Any] = {}
    for change, _ in REFUSALS[first:]:
        changes |= change
    assert ask(0, NOW, **changes).outcome is REFUSALS[first][1]


@pytest.mark.parametrize("limit", ["expires_at", "idle_expires_at"])
def test_a_session_ends_exactly_at_its_limit(limit: str) -> None:
    changes = {limit: NOW + GRACE}
    assert ask(CURRENT, NOW + GRACE - TICK, **changes).outcome is Outcome.GRACE
    assert ask(CURRENT, NOW + GRACE, **changes).outcome is Outcome.EXPIRED


# -- Settings --------------------------------------------------------------------------------------


def test_without_grace_and_recoveries_it_is_strict_rotation() -> None:
    """Even at the moment of the rotation only the current token is valid, and only once."""
    row = rotate(0, NOW)
    assert ask(0, NOW, STRICT, position=row).outcome is Outcome.REUSED
    assert ask(1, NOW, STRICT, position=row) == Decision(outcome=Outcome.ROTATED, position=rotate(1, NOW))


def test_without_grace_the_parent_recovers_at_once() -> None:
    policy = Policy(grace=timedelta(0), recoveries=1)
    assert ask(0, NOW, policy, position=rotate(0, NOW)).outcome is Outcome.RECOVERED


def test_without_recoveries_the_window_still_holds() -> None:
    policy, rotated = Policy(grace=GRACE, recoveries=0), replace(MOVED, recoveries=0)
    assert ask(PARENT, NOW + GRACE - TICK, policy, position=rotated).outcome is Outcome.GRACE
    assert ask(PARENT, NOW + GRACE, policy, position=rotated).outcome is Outcome.REUSED


# -- Assumptions of other code ---------------------------------------------------------------------


def all_positions() -> list[Position]:
    found = [START]
    for parent in range(3):
        for generation in range(parent + 1, 5):
            for recoveries in (0, 5):
                found.append(  # noqa: PERF401 - three loops in one expression are harder to read
                    Position(
                        generation=generation, parent=parent, recoveries=recoveries, rotated_at=NOW - GRACE
                    )
                )
    return found


@pytest.mark.parametrize("since", [timedelta(0), -GRACE, timedelta(hours=3)])
@pytest.mark.parametrize("policy", [SHIPPED, STRICT])
def test_every_move_raises_the_generation(policy: Policy, since: timedelta) -> None:
    """Other code compares only the generation, as if it were the whole position."""
    for position in all_positions():
        for token in range(7):
            moved = ask(token, NOW + since, policy, position=position).position
            assert moved is None or moved.generation > position.generation


@pytest.mark.parametrize("since", [timedelta(0), -GRACE, timedelta(hours=3)])
@pytest.mark.parametrize("policy", [SHIPPED, STRICT])
def test_the_rule_only_compares_generations(policy: Policy, since: timedelta) -> None:
    """The model test renumbers generations and keeps their order. Nothing may depend on the numbers."""

    def stretch(number: int) -> int:
        return 7 * number + 3

    for position in all_positions():
        parent = None if position.parent is None else stretch(position.parent)
        stretched = replace(position, generation=stretch(position.generation), parent=parent)
        for token in range(7):
            here = ask(token, NOW + since, policy, position=position)
            there = ask(stretch(token), NOW + since, policy, position=stretched)
            assert here.outcome is there.outcome
            if here.position is not None and there.position is not None:
                assert here.position.parent is not None
                assert there.position == replace(
                    here.position,
                    generation=stretch(max(token, position.generation)) + 1,
                    parent=stretch(here.position.parent),
                )


@pytest.mark.parametrize("since", [timedelta(0), -GRACE, timedelta(hours=3)])
@pytest.mark.parametrize("policy", [SHIPPED, STRICT])
def test_the_rule_only_distinguishes_branches(policy: Policy, since: timedelta) -> None:
    """The model test renumbers branches too, so the first branch of a generation is not special."""
    names = {0: 5, 1: 0, 2: 9}
    for position, token in product(all_positions(), range(7)):
        for (won, won_there), (used, used_there) in product(names.items(), repeat=2):
            here = make_state(replace(position, parent_branch=won))
            there = make_state(replace(position, parent_branch=won_there))
            first = decide(here, token, NOW + since, policy, used)
            second = decide(there, token, NOW + since, policy, used_there)
            assert (first.outcome, first.spare) == (second.outcome, second.spare)

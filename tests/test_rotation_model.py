"""No session is lost without a thief: every interleaving, against the rule that ships."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from drf_tessera import rotation
from drf_tessera.rotation import Decision, Outcome, Policy, State
from tests import rotation_model
from tests.rotation_model import GRACE, explore, write_table

SHIPPED = Policy(grace=GRACE, recoveries=5)


def test_the_shipped_rule_loses_a_session_only_after_six_lost_answers_in_a_row() -> None:
    result = explore(SHIPPED)
    sys.stdout.write(f"shipped: {result.states} states, {result.losses} lost answers\n")
    assert result.losses == 6


@pytest.mark.parametrize("recoveries", [0, 1, 2, 3])
def test_each_recovery_is_one_lost_answer_more(recoveries: int) -> None:
    assert explore(Policy(grace=GRACE, recoveries=recoveries)).losses == recoveries + 1


def test_strict_rotation_loses_sessions_to_two_tabs() -> None:
    result = explore(Policy(grace=timedelta(0), recoveries=0))
    sys.stdout.write("\n".join(result.trace))
    assert result.losses == 0


def test_a_rule_that_never_gives_up_never_loses_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recoveries without a bound, with the count held at zero so that the states stay finite."""

    def unbounded(state: State, generation: int, now: object, policy: Policy) -> Decision:
        found = rotation.decide(state, generation, now, policy)  # type: ignore[arg-type]
        if found.position is None:
            return found
        position = rotation.Position(
            generation=found.position.generation,
            parent=found.position.parent,
            recoveries=0,
            rotated_at=found.position.rotated_at,
        )
        return Decision(outcome=found.outcome, position=position)

    monkeypatch.setattr(rotation_model, "decide", unbounded)
    assert explore(Policy(grace=GRACE, recoveries=1)).losses is None


def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that calls the parent reused inside the window loses two tabs' session."""

    def faulty(state: State, generation: int, now: object, policy: Policy) -> Decision:
        found = rotation.decide(state, generation, now, policy)  # type: ignore[arg-type]
        late = found.outcome is Outcome.GRACE and generation == state.position.parent
        return Decision(outcome=Outcome.REUSED) if late else found

    monkeypatch.setattr(rotation_model, "decide", faulty)
    assert explore(SHIPPED).losses == 0


def test_the_table_is_printed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{write_table()}\n")
    assert write_table().splitlines()[1].split() == ["shipped", "1352", "6"]

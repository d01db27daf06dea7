"""A brownout is not a theft: no session is lost in half an hour without answers, and a thief gains nothing.

The clients and the thief of ``tests/model`` call the shipped function. ``python -m tests.model.minutes``
prints the tables of ``docs/explanation/refresh.md``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from drf_tessera import rotation
from drf_tessera.conf import Settings
from drf_tessera.rotation import Decision, Outcome, Policy, Position, State, decide
from tests.model.brownout import CLIENTS, FAULTS, Client, lose, survives
from tests.model.minutes import BEFORE, NOW, list_clients, list_thieves
from tests.model.rules import UNBOUNDED
from tests.model.unnoticed import find_unnoticed

pytestmark = pytest.mark.once  # the rule is pure

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "refresh.md"
HALF_AN_HOUR = 30.0
FIVE_MINUTES = timedelta(minutes=5)


def test_the_policy_of_the_tables_is_the_one_that_ships() -> None:
    assert Settings().choose_policy() == NOW


# -- Brownouts -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_no_session_is_lost_in_half_an_hour_without_answers(client: Client) -> None:
    assert survives(client, NOW, HALF_AN_HOUR, seeds=5)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_half_an_hour_with_a_queue_of_a_minute_ends_no_session(client: Client) -> None:
    """The rule assumes that a server drops such requests. In long windows they do no harm."""
    assert survives(client, NOW, HALF_AN_HOUR, seeds=5, faults=["queued"])


def test_with_windows_of_one_length_four_minutes_were_too_many() -> None:
    """So the test above can fail."""
    lost = {name for name, client in CLIENTS.items() if not survives(client, BEFORE, 4, seeds=5)}
    assert {"ours", "ours, three tabs without a common lock", "tries again after a second"} <= lost


def test_windows_that_only_double_would_not_be_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fifth recovery would come after 15.5 minutes, and its answer would be lost like the others."""
    monkeypatch.setattr(rotation, "GROWTH", 2)
    assert not all(survives(client, NOW, HALF_AN_HOUR, seeds=5) for client in CLIENTS.values())


def test_no_client_can_use_up_five_recoveries_in_an_hour() -> None:
    """A client that asks at every moment is the fastest, because each recovery waits for the end of a window.

    So this holds for clients that no simulation has thought of.
    """
    position = Position(generation=1, parent=0, recoveries=0, rotated_at=None)
    passed = timedelta(0)
    start = datetime(2030, 1, 1)  # noqa: DTZ001 - the rule compares times only with one another
    position = replace(position, rotated_at=start)
    tick = timedelta(seconds=1)
    while position.recoveries < NOW.recoveries:
        passed += tick
        state = State(
            position=position,
            revoked=False,
            user_active=True,
            idle_expires_at=start + timedelta(days=14),
            expires_at=start + timedelta(days=90),
        )
        position = decide(state, 0, start + passed, NOW).position or position
    assert passed == sum(map(NOW.measure_window, range(5)), timedelta(0)) == timedelta(minutes=60.5)


@pytest.mark.parametrize("fault", FAULTS)
def test_lost_answers_are_never_taken_for_a_theft(fault: str) -> None:
    """A brownout of a day ends sessions of impatient clients, and says that this is not a theft."""
    impatient = Client(wait=lambda attempt, rng: 60.0)
    found = lose(impatient, NOW, fault=fault, begin=290, seconds=86_400, seed=1)
    assert found is Outcome.EXHAUSTED


@pytest.mark.parametrize("days", [0.01, 1, 14])
@pytest.mark.parametrize("grace", [0, 1, 30, 3600, 86_400])
def test_no_window_outlasts_half_of_the_idle_limit(days: float, grace: int) -> None:
    idle = timedelta(days=days)
    policy = Settings(session_idle_lifetime=idle, refresh_grace=timedelta(seconds=grace)).choose_policy()
    assert all(policy.measure_window(used) <= idle / 2 for used in (0, 1, 5, 32_767))


# -- The thief -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_thief_does_not_go_unnoticed_for_longer_than_before() -> None:
    for stores in (False, True):
        before, now = (find_unnoticed(policy, FIVE_MINUTES, stores_each=stores) for policy in (BEFORE, NOW))
        assert before is not None
        assert now is not None
        assert now <= before


@pytest.mark.long
def test_longer_windows_alone_would_hide_a_thief_for_hours() -> None:
    """Therefore the answer of a recovery is repeated: the owner's next rotation then reveals the thief."""

    def never_repeat(
        state: State, generation: int, now: datetime, policy: Policy, branch: int = 0
    ) -> Decision:
        found = decide(state, generation, now, policy, branch)
        return replace(found, outcome=Outcome.GRACE) if found.outcome is Outcome.REPEATED else found

    hidden = find_unnoticed(NOW, FIVE_MINUTES, decide=never_repeat)
    assert hidden is not None
    assert hidden > 180


@pytest.mark.slow
@pytest.mark.parametrize("recoveries", range(6))
def test_each_recovery_hides_a_thief_for_one_refresh_more(recoveries: int) -> None:
    policy = replace(BEFORE, recoveries=recoveries)
    assert find_unnoticed(policy, FIVE_MINUTES) == 5 * (recoveries + 2)


@pytest.mark.slow
def test_without_a_bound_of_recoveries_a_thief_goes_unnoticed_for_ever() -> None:
    assert find_unnoticed(replace(BEFORE, recoveries=UNBOUNDED), FIVE_MINUTES) is None


# -- The page --------------------------------------------------------------------------------------


@pytest.mark.long  # it explores many brownouts
def test_the_page_shows_the_minutes_of_the_command() -> None:
    page = PAGE.read_text(encoding="utf-8").splitlines()
    for lines in (list(list_clients()), list(list_thieves())):
        first = page.index(lines[0])
        assert page[first : first + len(lines)] == lines

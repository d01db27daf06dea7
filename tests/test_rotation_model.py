"""The refresh rule under every interleaving. The tests call the shipped function in every state.

``tests/model/world.py`` describes the possible events. ``python -m tests.model`` prints the table.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime

import pytest

from drf_tessera import rotation
from drf_tessera.rotation import Decision, Outcome, Policy, State, decide
from tests.model.explore import Graph, explore
from tests.model.rules import GRACE, Chain, Decide
from tests.model.table import HEADER, RULES, SHIPPED, STORED, Line, judge, judge_stored
from tests.model.trees import FirstChildWins
from tests.model.world import Model

pytestmark = pytest.mark.once  # the rule is pure

R = 5
NEVER = UNBOUNDED = None
RECOVERIES = [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, R + 1))]
"""The numbers of recoveries. The more there are, the more orders of messages are explored."""


@pytest.fixture(scope="module")
def table() -> dict[str, Line]:
    lines = {name: judge(name, rule) for name, rule in RULES.items()}
    sys.stdout.write("\n".join([HEADER, *map(str, lines.values())]) + "\n")
    return lines


@pytest.fixture(scope="module")
def stored() -> dict[str, Line]:
    return {line.name: line for line in judge_stored()}


def explore_shipped(**options: bool | int) -> Graph:
    return explore(Model(rule=Chain(), **options))  # type: ignore[arg-type]


def find_fewest_losses(graph: Graph) -> int | None:
    loss = graph.find_loss()
    return NEVER if loss is None else loss[0]


# -- The table -------------------------------------------------------------------------------------


@pytest.mark.long  # it explores every rule
@pytest.mark.parametrize(
    ("name", "loss", "bound"),
    [
        ("strict rotation: grace 0, recoveries 0", 0, 0),
        ("Supabase's counter", 0, UNBOUNDED),
        ("SuperTokens: the first child used wins", 0, UNBOUNDED),
        ("Ory's graceful rotation", 1, UNBOUNDED),
        ("same successor again in the window", 0, UNBOUNDED),
        ("grace 0, recoveries 5", 0, 3),
        ("grace 30 s, recoveries 0", 1, 2),
        ("grace 30 s, recoveries without bound", NEVER, UNBOUNDED),
        (SHIPPED, R + 1, R + 2),
    ],
)
def test_the_table(table: dict[str, Line], name: str, loss: int | None, bound: int | None) -> None:
    """The fewest lost answers in a row that end a session without a thief, and the thief's successes."""
    assert (table[name].loss, table[name].bound) == (loss, bound), "\n".join(table[name].trace)


def test_the_table_shows_that_the_rule_that_ships_is_the_policy_that_ships() -> None:
    shipped = RULES[SHIPPED]
    assert isinstance(shipped, Chain)
    assert (shipped.policy, shipped.decide) == (Policy(grace=GRACE, recoveries=R), decide)


@pytest.mark.long  # it explores all orders of messages
@pytest.mark.parametrize(
    ("name", "loss", "bound"),
    [
        ("the token that was used, again", 0, R + 2),
        ("the current token", R + 1, UNBOUNDED),
        ("a branch of the current token: it ships", R + 1, R + 2),
    ],
)
def test_the_answers_in_the_window(
    stored: dict[str, Line], name: str, loss: int | None, bound: int | None
) -> None:
    """Clients that store the refresh token of each answer are as safe as others. A thief does not get more.

    Their messages in progress arrive before the next half of a window ends.
    """
    assert (stored[name].loss, stored[name].bound) == (loss, bound), "\n".join(stored[name].trace)


def test_the_answer_that_ships_is_one_of_them() -> None:
    assert list(STORED.values())[-1] == RULES[SHIPPED]


# -- Without a thief -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [1, 2, *(pytest.param(n, marks=pytest.mark.long) for n in (3, 4, 5))])
def test_only_six_lost_answers_in_a_row_end_a_session(in_flight: int) -> None:
    loss = explore_shipped(in_flight=in_flight).find_loss()
    assert loss is not None
    losses, trace = loss
    assert losses == R + 1
    assert sum(text == "an answer with current is lost" for text in trace) == R + 1


@pytest.mark.slow
@pytest.mark.parametrize("recoveries", range(6))
def test_each_recovery_bears_one_lost_answer_more(recoveries: int) -> None:
    rule = Chain(Policy(grace=GRACE, recoveries=recoveries))
    assert find_fewest_losses(explore(Model(rule=rule))) == recoveries + 1


def test_strict_rotation_ends_the_session_of_two_tabs() -> None:
    trace = judge("strict", RULES["strict rotation: grace 0, recoveries 0"]).trace
    assert trace == [
        "a tab sends current",
        "a tab sends current",
        "current is answered with current",
        "parent is refused, and the session ends",
    ]


@pytest.mark.slow
def test_no_older_token_is_ever_stored_over_a_newer_one() -> None:
    """Therefore a client may store each answer in the order of arrival. Other rules need more care."""
    assert explore_shipped().backwards == 0
    assert explore(Model(rule=RULES["grace 0, recoveries 5"])).backwards > 0


@pytest.mark.long
def test_messages_that_keep_to_no_time_break_the_rule() -> None:
    """The only assumption is necessary: a request of one tab hangs for a whole window and then arrives."""
    graph = explore_shipped(punctual=False)
    assert graph.backwards > 0
    assert find_fewest_losses(graph) == 0


@pytest.mark.long
@pytest.mark.parametrize("recoveries", range(3))
def test_clients_that_store_each_answer_are_as_safe_if_messages_are_prompt(recoveries: int) -> None:
    rule = Chain(Policy(grace=GRACE, recoveries=recoveries))
    graph = explore(Model(rule=rule, storing=True, careless=True, prompt=True))
    assert (find_fewest_losses(graph), graph.backwards) == (recoveries + 1, 0)


@pytest.mark.long
def test_clients_that_store_each_answer_need_prompt_messages_or_one_request_at_a_time() -> None:
    """A limit: with messages that take half a window, two tabs can hold two generations at once."""
    assert find_fewest_losses(explore_shipped(storing=True, in_flight=2)) == 0
    assert find_fewest_losses(explore_shipped(storing=True, careless=True, in_flight=1)) == R + 1


# -- A thief ---------------------------------------------------------------------------------------


@pytest.mark.slow  # it explores all orders of messages
@pytest.mark.parametrize("recoveries", RECOVERIES)
@pytest.mark.parametrize("answered", [False, True], ids=["asked", "answered"])
def test_a_thief_gets_two_refresh_tokens_more_than_there_are_recoveries(
    recoveries: int, answered: bool
) -> None:
    rule = Chain(Policy(grace=GRACE, recoveries=recoveries))
    assert explore(Model(rule=rule, thief=True, answered=answered)).find_bound() == recoveries + 2


@pytest.mark.slow  # it explores all orders of messages
@pytest.mark.parametrize("recoveries", RECOVERIES)
def test_a_thief_gets_access_tokens_in_one_more_window(recoveries: int) -> None:
    """The additional window is the window of the theft, in which the stolen token does not rotate yet."""
    rule = Chain(Policy(grace=GRACE, recoveries=recoveries))
    assert explore(Model(rule=rule, thief=True, count_access=True)).find_bound() == recoveries + 3


@pytest.mark.long  # it explores all orders of messages
@pytest.mark.parametrize("prompt", [False, True])
@pytest.mark.parametrize("recoveries", range(3))
def test_clients_that_store_each_answer_do_not_help_a_thief(recoveries: int, prompt: bool) -> None:
    rule = Chain(Policy(grace=GRACE, recoveries=recoveries))
    model = Model(rule=rule, thief=True, storing=True, careless=True, prompt=prompt)
    assert explore(model).find_bound() == recoveries + 2


@pytest.mark.long  # it explores all orders of messages
@pytest.mark.parametrize("in_flight", [1, 2, 4])
def test_the_bound_does_not_depend_on_how_much_is_on_its_way(in_flight: int) -> None:
    assert explore_shipped(thief=True, in_flight=in_flight).find_bound() == R + 2


@pytest.mark.long
def test_the_run_that_reaches_the_bound_can_be_shown() -> None:
    graph = explore_shipped(thief=True)
    run = graph.find_run(R + 2)
    assert sum(text.endswith("(COUNTS)") for text in run) == R + 2
    with pytest.raises(LookupError):
        graph.find_run(R + 3)


@pytest.mark.parametrize("in_flight", [1, 2, 3])
def test_supertokens_has_a_bound_if_the_victim_gets_her_answers(in_flight: int) -> None:
    """Then a thief gets one token for each message in progress, so one token if only one tab waits."""
    model = Model(rule=FirstChildWins(), thief=True, answered=True, in_flight=in_flight)
    assert explore(model).find_bound() == in_flight


# -- A restored database ---------------------------------------------------------------------------


@pytest.mark.long  # a restored database has many more states
def test_a_restored_database_ends_no_session() -> None:
    graph = explore_shipped(restores=True)
    assert (find_fewest_losses(graph), graph.backwards) == (R + 1, 0)


@pytest.mark.long  # the same
def test_a_seamless_fail_over_may_end_the_session_of_two_tabs() -> None:
    """This is a limit of the rule: a request from before the fail-over arrives after a newer token."""
    loss = explore_shipped(restores=True, seamless=True, in_flight=2).find_loss()
    assert loss is not None
    assert loss[1][-3:] == [
        "the BACKUP comes back",
        "ahead is answered with current",
        "old is refused, and the session ends",
    ]
    assert find_fewest_losses(explore_shipped(restores=True, seamless=True, in_flight=1)) == R + 1


# -- Planted faults --------------------------------------------------------------------------------


def reissue_the_lost_token(
    state: State, generation: int, now: datetime, policy: Policy, branch: int
) -> Decision:
    """Issue the generation whose answer was lost again, without a tripwire."""
    found = decide(state, generation, now, policy, branch)
    if found.outcome is not Outcome.RECOVERED or found.position is None:
        return found
    return replace(found, position=replace(found.position, generation=state.position.generation))


def recover_from_any_ancestor(
    state: State, generation: int, now: datetime, policy: Policy, branch: int
) -> Decision:
    parent = state.position.parent
    is_old = parent is not None and generation < state.position.generation
    return decide(state, parent if is_old and parent is not None else generation, now, policy, branch)


def rotate_within_the_window(
    state: State, generation: int, now: datetime, policy: Policy, branch: int
) -> Decision:
    found = decide(state, generation, now, policy, branch)
    if found.outcome is Outcome.GRACE and generation == state.position.generation:
        return Decision(outcome=Outcome.ROTATED, position=rotation.rotate(generation, now, branch))
    return found


def refuse_the_parent_within_the_window(
    state: State, generation: int, now: datetime, policy: Policy, branch: int
) -> Decision:
    found = decide(state, generation, now, policy, branch)
    late = found.outcome in {Outcome.GRACE, Outcome.REPEATED} and generation == state.position.parent
    return Decision(outcome=Outcome.REUSED) if late else found


def count_recoveries_for_ever(
    state: State, generation: int, now: datetime, policy: Policy, branch: int
) -> Decision:
    found = decide(state, generation, now, policy, branch)
    if found.outcome is not Outcome.ROTATED or found.position is None:
        return found
    return replace(found, position=replace(found.position, recoveries=state.position.recoveries))


def forget_the_branch(state: State, generation: int, now: datetime, policy: Policy, branch: int) -> Decision:
    """Accept each branch of the parent as the parent itself."""
    position = state.position
    used = position.parent_branch if generation == position.parent else branch
    return decide(state, generation, now, policy, used)


def recover_once_too_often(
    state: State, generation: int, now: datetime, policy: Policy, branch: int
) -> Decision:
    return decide(state, generation, now, replace(policy, recoveries=policy.recoveries + 1), branch)


def keep_the_skipped_token_for_a_parent(
    state: State, generation: int, now: datetime, policy: Policy, branch: int
) -> Decision:
    found = decide(state, generation, now, policy, branch)
    if found.outcome is not Outcome.RECOVERED or found.position is None:
        return found
    return replace(found, position=replace(found.position, parent=state.position.generation))


@pytest.mark.long  # it explores all orders of messages
@pytest.mark.parametrize(
    ("mutant", "loss", "bound"),
    [
        (forget_the_branch, R + 1, UNBOUNDED),
        (reissue_the_lost_token, R + 1, UNBOUNDED),
        (recover_from_any_ancestor, R + 1, UNBOUNDED),
        (rotate_within_the_window, 0, R + 2),
        (refuse_the_parent_within_the_window, 0, 3),
        (count_recoveries_for_ever, 1, R + 2),
        (recover_once_too_often, R + 2, R + 3),
        (keep_the_skipped_token_for_a_parent, 0, R + 2),
    ],
)
def test_a_planted_fault_is_found(mutant: Decide, loss: int | None, bound: int | None) -> None:
    """No faulty rule reaches the figures of the shipped rule."""
    line = judge(mutant.__name__, Chain(decide=mutant))
    assert (line.loss, line.bound) == (loss, bound)
    assert (line.loss, line.bound) != (R + 1, R + 2)

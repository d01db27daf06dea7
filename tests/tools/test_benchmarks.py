from __future__ import annotations

import ast
import json
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import results
from benchmarks.inside import memory
from benchmarks.measurements import clearing, feed
from tests.wheels import ROOT

pytestmark = pytest.mark.once

FOLDER = ROOT / "benchmarks" / "measurements"
OUTSIDE = {"importing"}
"""The panels of commands that are not a part of `make bench`."""


def list_panels() -> set[str]:
    """Return the names of the panels of the plot, whose module needs matplotlib to be imported."""
    tree = ast.parse((ROOT / "benchmarks" / "plot.py").read_text())
    [panels] = [
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "_PANELS"
    ]
    assert isinstance(panels, ast.Dict)
    return {ast.literal_eval(key) for key in panels.keys if key is not None}


def test_each_measurement_has_a_module_and_each_module_is_a_measurement() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert modules == set(bench.MEASUREMENTS)
    for name in modules:
        assert callable(import_module(f"benchmarks.measurements.{name}").measure)


def test_each_measurement_states_the_number_of_its_target() -> None:
    assert len(set(bench.MEASUREMENTS.values())) == len(bench.MEASUREMENTS)
    for name, number in bench.MEASUREMENTS.items():
        assert f"Target {number}: " in (import_module(f"benchmarks.measurements.{name}").__doc__ or "")


def test_the_plot_draws_measurements_alone() -> None:
    assert list_panels() - OUTSIDE <= set(bench.MEASUREMENTS)
    assert list_panels() >= {"feed", "memory", "clearing", "updates", "logins"}


def test_a_measurement_that_needs_one_environment_names_no_peer() -> None:
    assert set(bench.MEASUREMENTS) > bench.ALONE
    for name in bench.ALONE:
        text = (FOLDER / f"{name}.py").read_text()
        assert not any(peer in text for peer in ("BLACKLIST", "SIMPLEJWT", "LAST_LOGIN", "PEERS")), name


def test_a_part_is_kept_beside_the_whole_run_with_its_circumstances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    (tmp_path / "README.md").write_text("the whole run")
    outcomes = {"memory": results.Outcome(data={"bytes": 1})}
    run = results.Run(minutes=1.0, load=(99.0, 3.0), quick=True)
    path = results.write(outcomes, run, complete=False, versions={}, keep="part")
    assert json.loads(path.read_text())["load"] == [99.0, 3.0]
    page = (tmp_path / "part.md").read_text()
    assert 'make bench BENCH="memory --quick"' in page
    assert "load average of the machine was 99.0 before" in page
    assert "Other programs used the machine" in page
    assert "quick run" in page
    assert "part.svg" in page
    assert (tmp_path / "README.md").read_text() == "the whole run"


def test_a_run_on_an_idle_machine_has_no_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "COMMITTED", tmp_path)
    run = results.Run(minutes=1.0, load=(0.0, 3.0), quick=False)
    results.write({}, run, complete=True, versions={})
    page = (tmp_path / "README.md").read_text()
    assert "Other programs" not in page
    assert "quick run" not in page


@pytest.mark.parametrize(
    ("answered", "wait", "period"),
    [
        (9.0, 0.5, "before"),
        (10.2, 0.5, "during"),
        (10.4, 0.1, "during"),
        (10.8, 0.2, "in the pauses"),
        (11.2, 0.5, "during"),
        (12.0, 0.7, "during"),
        (12.0, 0.1, "after"),
    ],
)
def test_a_request_that_meets_the_work_at_any_moment_belongs_to_the_work(
    answered: float, wait: float, period: str
) -> None:
    slices = [[10.0, 10.5], [11.0, 11.5]]
    waits = clearing.sort_waits([["call", 200, answered, wait]], slices)
    assert waits["call"][period] == [wait]
    assert sum(len(found) for kind in waits.values() for found in kind.values()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sessions", "users", "dict"])
def test_the_memory_of_each_kind_of_notices_is_measured_with_all_of_them(kind: str) -> None:
    found = memory.measure(sessions=3000, lifetimes=1, kind=kind)
    seconds = found["curve"][-1][0] + 1
    assert found["held"] == 10 * seconds
    assert found["curve"][-1][1] == found["held"]


def test_the_load_is_measured_with_as_many_processes_as_get_all_notices() -> None:
    def tell(learned: int) -> dict[str, object]:
        return {"polls": 10, "counts": {"learned": 10 * learned}}

    polls = {"1000 1": tell(1000), "1000 8": tell(950), "1000 64": tell(400)}
    polls |= {"10000 1": tell(700), "10000 8": tell(800), "10000 64": tell(600)}
    data = {"postgres": {"polls": polls}}
    assert feed.choose_processes(data, "postgres", 1000) == 8
    assert feed.choose_processes(data, "postgres", 10_000) == 8


def test_a_process_with_redis_reads_few_rows_of_the_table_in_few_statements() -> None:
    def tell(rate: int) -> dict[str, object]:
        # A statement takes a millisecond of the database, and a row takes a microsecond.
        polls = {"polls": 10, "counts": {"learned": 10 * rate}, "store": 10 * (1e-3 + rate * 1e-6)}
        return polls | {"cache": {"cpu": 0.0}, "written": {"count": 1}}

    polls = {f"{rate} {count}": tell(rate) for rate in feed.RATES for count in (0, *feed.PROCESSES)}
    data = {"postgres": {"polls": polls}, "redis": {"polls": polls}}
    assert feed.find_database_load(data, "postgres", 1000) == pytest.approx(2e-3)
    for rate in feed.RATES:
        found = feed.find_database_load(data, "redis", rate)
        assert found == pytest.approx((1e-3 + 10e-6) / feed.CHECK)

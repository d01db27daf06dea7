"""A short attack on real gunicorn workers. ``make hostile`` runs the whole attack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.attack import MOST_LOGINS, Cost, Sent, judge, list_requests, run
from tests.servers import require

pytestmark = [pytest.mark.server, pytest.mark.once]  # it has a database of its own


@pytest.mark.long
def test_an_attack_costs_little_and_locks_no_owner_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require("redis-server")
    if not Path("/proc/self/stat").exists():
        pytest.skip("the CPU time of the workers comes from /proc")
    faults = run(tmp_path, quick=True)
    assert faults == [], capsys.readouterr().out


def test_the_whole_attack_has_about_a_hundred_requests() -> None:
    requests = list_requests()
    assert 100 <= len(requests) <= 150
    assert len({sent.name for sent in requests}) == len(requests)


@pytest.mark.parametrize(
    ("status", "cpu", "fault"),
    [
        (401, 1.0, ""),
        (401, MOST_LOGINS * 0.2, "2000 ms"),
        (500, 0.0, "500"),
        (503, 0.0, "503"),
        (200, 0.0, "succeeded"),
    ],
)
def test_the_attack_reports_each_fault(status: int, cpu: float, fault: str) -> None:
    sent = Sent(name="x", path="/api/token/")
    cost = Cost(sent=sent, status=status, cpu=cpu, waited=0.0)
    found = " ".join(judge([cost], limit=1.5))
    assert fault in found
    assert bool(found) == bool(fault)

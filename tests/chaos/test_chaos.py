"""A short run of chaos on real servers. ``make chaos`` makes longer ones."""

from __future__ import annotations

import pytest

from tests.chaos import __main__ as command
from tests.chaos.services import PROGRAMS
from tests.servers import require

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.once]  # it has databases of its own


@pytest.mark.long
def test_a_minute_of_chaos_breaks_no_bound(capsys: pytest.CaptureFixture[str]) -> None:
    require(*PROGRAMS)
    code = command.main(["--minutes", "1", "--seed", "747", "--clients", "24"])
    assert code == 0, capsys.readouterr().out

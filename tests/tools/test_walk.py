"""The walk of a token on the page about the architecture agrees with the code."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.servers import ROOT
from tools import walk

pytestmark = [pytest.mark.once, pytest.mark.slow]  # it has a database of its own, and starts Python again


def test_the_walk_on_the_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.walk"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    quoted = walk.PAGE.read_text().split(f"{walk.BEGIN}\n```text\n")[1].split("```")[0]
    assert quoted == done.stdout, "run python -m tools.walk --write"

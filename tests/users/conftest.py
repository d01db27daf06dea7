from __future__ import annotations

from collections.abc import Iterator

import pytest

from drf_tessera.users import lazy


@pytest.fixture(autouse=True)
def _fresh_plan() -> Iterator[None]:
    """Read the user model again in each test, because some tests change it."""
    lazy._find_plan.forget()
    yield
    lazy._find_plan.forget()

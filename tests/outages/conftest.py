"""A PostgreSQL of the module's own, with the tables and the users of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.outages.private import Private, prepare


@pytest.fixture(scope="module")
def postgres() -> Iterator[Private]:
    found = Private()
    found.start()
    prepare(found.describe())
    yield found
    found.remove()

"""Django's pool of connections, whose connections die together, without ``CONN_HEALTH_CHECKS``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.outages.endpoints import ask, log_everybody_in, repeat
from tests.outages.private import Private, serve_on
from tests.servers import PATIENCE

pytestmark = [pytest.mark.server, pytest.mark.once]  # they have their own databases


@pytest.fixture(scope="module")
def server(postgres: Private, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pool = {"min_size": 4, "max_size": 4, "timeout": PATIENCE}  # more than one request uses
    database = {**postgres.describe(), "OPTIONS": {"pool": pool}}
    with serve_on(database, tmp_path_factory.mktemp("server")) as found:
        yield found


def test_restarted(postgres: Private, server: str) -> None:
    """All connections of the pool are dead afterwards, and no request gets a 503 for one of them."""
    grants = log_everybody_in(server)
    for _ in range(2):
        postgres.stop()
        postgres.start()
        ask(server, grants, "restarted", at_once=4)
        grants = log_everybody_in(server)


def test_every_endpoint_survives_a_pool_of_dead_connections(postgres: Private, server: str) -> None:
    """The pool finds out one by one, because each connection is found dead when it is used."""
    repeat(server, log_everybody_in(server), before=postgres.kill_connections)

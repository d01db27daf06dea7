"""A replica takes over, and the commits that it had not received are lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.outages.endpoints import ask, log_everybody_in, log_in, repeat
from tests.outages.private import Private, prepare, serve_on
from tests.servers import call, wait_until

pytestmark = [pytest.mark.server, pytest.mark.once]  # they have their own databases


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Private, Private]]:
    primary = Private()
    primary.start()
    prepare(primary.describe())
    replica = primary.copy()
    yield primary, replica
    replica.remove()
    primary.remove()


def name_both(primary: Private, replica: Private) -> dict[str, Any]:
    """Return the entry of ``DATABASES`` that finds the one of both that can be written to."""
    return {
        **primary.describe(),
        "HOST": f"{primary.describe()['HOST']},{replica.describe()['HOST']}",
        "PORT": f"{primary.port},{replica.port}",
        "OPTIONS": {"target_session_attrs": "read-write"},
    }


def stop_receiving(primary: Private, replica: Private) -> None:
    """Wait until the replica has everything, and let it receive nothing from then on."""
    with primary.connect() as connection:
        row = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
        assert row is not None
        position = row[0]

    def has_all() -> bool:
        with replica.connect() as connection:
            row = connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [position]).fetchone()
            return row is not None and bool(row[0])

    wait_until(has_all, "the replica does not catch up")
    replica.set("primary_conninfo", "")

    def is_alone() -> bool:
        with primary.connect() as connection:
            row = connection.execute("SELECT count(*) FROM pg_stat_replication").fetchone()
            return row is not None and row[0] == 0

    wait_until(is_alone, "the replica still receives")


def refresh(server: str, token: str) -> tuple[int, dict[str, Any]]:
    return call(f"{server}/api/token/refresh/", {"refresh": token})


@pytest.mark.long
def test_nobody_is_logged_out_and_the_logouts_of_the_lag_are_undone(
    pair: tuple[Private, Private], tmp_path_factory: pytest.TempPathFactory
) -> None:
    primary, replica = pair
    settings = {"REFRESH_GRACE": 0, "REVOCATION_POLL": 0.2}
    database = name_both(primary, replica)
    with serve_on(database, tmp_path_factory.mktemp("old"), **settings) as server:
        grants = log_everybody_in(server)
        ahead, ended = log_in(server, "login"), log_in(server, "login")
        stop_receiving(primary, replica)
        for _ in range(3):  # the replica does not know these
            status, ahead = refresh(server, ahead["refresh"])
            assert status == 200
        lost = log_in(server, "login")
        assert call(f"{server}/api/token/revoke/", {"refresh": ended["refresh"]}) == (200, {"revoked": True})
        assert call(f"{server}/me/", token=ended["access"])[0] == 401
        primary.stop()
        replica.promote()

        # Nobody is logged out, and each endpoint works, with the refresh token of a lost generation too.
        ask(server, grants, "failed over, and commits are lost")
        grants = log_everybody_in(server)
        status, ahead = refresh(server, ahead["refresh"])
        assert status == 200
        # A login of the lag is gone.
        status, body = refresh(server, lost["refresh"])
        assert (status, body["code"]) == (401, "session_unknown")
        # A logout of the lag is undone in two halves. The refresh succeeds, ...
        status, again = refresh(server, ended["refresh"])
        assert status == 200
        # ... but this process still knows the logout, and a process that starts later does not.
        assert call(f"{server}/me/", token=again["access"])[0] == 401
    with serve_on(database, tmp_path_factory.mktemp("new"), **settings) as server:
        assert call(f"{server}/me/", token=again["access"])[0] == 200
        repeat(server, grants)

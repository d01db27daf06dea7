"""A refresh is judged by one clock, however different the clocks of the servers are.

On PostgreSQL and MariaDB this is the clock of the database. On SQLite all servers run on one machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import freezegun
import pytest
import time_machine
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, connections
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import RefreshReused, SessionExpired
from drf_tessera.jose.encoding import decode_base64url, decode_json_object
from drf_tessera.models import Session
from drf_tessera.rotation import Outcome
from drf_tessera.sessions import clock
from drf_tessera.sessions.expressions import CLOCKS

by_database = pytest.mark.skipif(
    connection.vendor not in CLOCKS, reason="SQLite has no clock of its own: its processes share a machine"
)
SKEW = timedelta(seconds=17)
GRACE = timedelta(seconds=30)


@contextmanager
def on_server(skew: timedelta) -> Iterator[None]:
    """Run as on a server whose clock is ahead by ``skew``. No clock of that server tells that it is ahead."""
    real = time.clock_gettime
    ahead = SimpleNamespace(clock_gettime=lambda number: real(number) + skew.total_seconds())
    with time_machine.travel(datetime.now(UTC) + skew, tick=True), mock.patch.object(clock, "time", ahead):
        yield


def wait_as_if(duration: timedelta) -> None:
    """Move the rotation of the row into the past, instead of waiting."""
    row = Session.objects.get()
    assert row.rotated_at is not None
    Session.objects.update(rotated_at=row.rotated_at - duration)


def row_of_now() -> Session:
    return Session.objects.get()


@by_database
@pytest.mark.parametrize("first", [-SKEW, SKEW])
@pytest.mark.parametrize("second", [-SKEW, SKEW])
def test_two_tabs_on_servers_with_different_clocks_are_within_one_window(
    anna: AbstractBaseUser, first: timedelta, second: timedelta
) -> None:
    """Without a lost message nobody is ever logged out, and nobody recovers.

    A window has 30 s. By two clocks that are 34 s apart, the second tab would come after it, or before the
    rotation.
    """
    login = sessions.start(anna)
    with on_server(first):
        assert sessions.refresh(str(login.refresh)).outcome is Outcome.ROTATED
    with on_server(second):
        assert sessions.refresh(str(login.refresh)).outcome is Outcome.GRACE


@by_database
def test_a_late_tab_raises_no_alarm_by_a_clock_that_is_ahead(anna: AbstractBaseUser) -> None:
    """Three tabs send one token. Two servers agree, and the clock of the third is 17 s ahead.

    By the clock of the third server, the late tab came 32 s after the rotation. So it recovered, the token of
    the first tab was skipped, and the next refresh of the first tab was taken for a theft.
    """
    login = sessions.start(anna)
    stored = sessions.refresh(str(login.refresh))
    wait_as_if(GRACE / 2)
    with on_server(SKEW):
        late = sessions.refresh(str(login.refresh))
    assert (late.outcome, late.refresh) == (Outcome.GRACE, None)
    wait_as_if(GRACE)
    assert sessions.refresh(str(stored.refresh)).outcome is Outcome.ROTATED


@by_database
@pytest.mark.parametrize("skew", [-SKEW, SKEW])
def test_the_times_that_a_refresh_writes_come_from_the_database(
    anna: AbstractBaseUser, skew: timedelta
) -> None:
    """In the one statement of the normal case, and after a recovery, which reads first."""
    login = sessions.start(anna)
    before = timezone.now()
    for outcome in (Outcome.ROTATED, Outcome.RECOVERED):
        with on_server(skew):
            assert sessions.refresh(str(login.refresh)).outcome is outcome
        row = row_of_now()
        assert row.rotated_at is not None
        # The database is on this machine, so its clock is this clock.
        assert before <= row.rotated_at <= timezone.now()
        idle = get_settings().session_idle_lifetime
        assert before <= row.idle_expires_at - idle <= timezone.now()
        wait_as_if(GRACE)


@by_database
@pytest.mark.parametrize("skew", [-SKEW, SKEW])
def test_access_tokens_are_dated_by_the_server(anna: AbstractBaseUser, skew: timedelta) -> None:
    """Another server verifies them by its own clock, and ``CLOCK_SKEW`` is for the difference."""
    login = sessions.start(anna)
    for _ in range(2):
        with on_server(skew):
            early = time.time()
            grant = sessions.refresh(str(login.refresh))
            claims = decode_json_object(decode_base64url(grant.access.split(".")[1].encode()))
            assert int(early) <= claims["iat"] <= time.time()
            assert claims["exp"] - claims["iat"] == 300
        assert 14 * 86400 - 60 <= grant.refresh_expires_in <= 14 * 86400


@by_database
@pytest.mark.parametrize("skew", [-SKEW, SKEW])
def test_the_limits_of_a_session_are_judged_by_the_database(anna: AbstractBaseUser, skew: timedelta) -> None:
    login = sessions.start(anna)
    Session.objects.update(idle_expires_at=timezone.now() + (SKEW / 2 if skew > timedelta(0) else -SKEW / 2))
    with on_server(skew):
        if skew > timedelta(0):
            assert sessions.refresh(str(login.refresh)).outcome is Outcome.ROTATED
        else:
            with pytest.raises(SessionExpired):
                sessions.refresh(str(login.refresh))


@by_database
def test_a_theft_is_found_near_the_idle_limit_by_a_clock_that_is_ahead(anna: AbstractBaseUser) -> None:
    """The end is written by the same clock by which the session was found alive."""
    login = sessions.start(anna)
    second = sessions.refresh(str(login.refresh))
    wait_as_if(GRACE)
    sessions.refresh(str(second.refresh))
    Session.objects.update(idle_expires_at=timezone.now() + SKEW / 2)
    with on_server(SKEW), pytest.raises(RefreshReused):
        sessions.refresh(str(login.refresh))
    assert row_of_now().revoked_for == "refresh_reused"


@by_database
@pytest.mark.parametrize("skew", [timedelta(0), SKEW])
def test_a_look_at_a_token_is_judged_by_the_database_too(anna: AbstractBaseUser, skew: timedelta) -> None:
    login = sessions.start(anna)
    Session.objects.update(expires_at=timezone.now() + SKEW / 2)
    with on_server(skew):
        assert sessions.inspect_refresh_token(str(login.refresh)).generation == 0


# -- Tests of projects -----------------------------------------------------------------------------

Travel = Callable[[datetime], AbstractContextManager[Any]]
TOOLS: dict[str, Travel] = {
    "time-machine, stopped": lambda moment: time_machine.travel(moment, tick=False),
    "time-machine, moved": lambda moment: time_machine.travel(moment, tick=True),
    "freezegun, stopped": freezegun.freeze_time,
    "freezegun, moved": lambda moment: freezegun.freeze_time(moment, tick=True),
    "a mock": lambda moment: mock.patch.object(timezone, "now", return_value=moment),
}


@pytest.mark.slow
@pytest.mark.parametrize("travel", TOOLS.values(), ids=TOOLS)
@pytest.mark.parametrize("ahead", [timedelta(seconds=31), timedelta(days=3)])
def test_a_test_that_moves_the_clock_moves_the_window(
    anna: AbstractBaseUser, travel: Travel, ahead: timedelta
) -> None:
    """A project's own tests see the same on every database."""
    first = sessions.start(anna)
    second = sessions.refresh(str(first.refresh))
    moment = timezone.now() + ahead
    with travel(moment):
        third = sessions.refresh(str(second.refresh))
        assert third.outcome is Outcome.ROTATED
        assert sessions.refresh(str(second.refresh)).outcome is Outcome.GRACE
    rotated = row_of_now().rotated_at
    assert rotated is not None
    assert rotated - moment < timedelta(minutes=1)
    with travel(moment + timedelta(days=20)), pytest.raises(SessionExpired):
        sessions.refresh(str(third.refresh))


@pytest.mark.parametrize("day", ["1990-01-01", "2050-01-01"])
def test_a_test_may_live_in_another_year(anna: AbstractBaseUser, day: str) -> None:
    with freezegun.freeze_time(day) as frozen:
        grant = sessions.start(anna)
        for _ in range(3):
            grant = sessions.refresh(str(grant.refresh))
            assert grant.outcome is Outcome.ROTATED
            frozen.tick(GRACE)


def test_a_given_time_always_applies(anna: AbstractBaseUser) -> None:
    moment = timezone.now() + timedelta(days=1)
    grant = sessions.start(anna)
    sessions.refresh(str(grant.refresh), now=moment)
    assert row_of_now().rotated_at == moment


def test_without_a_second_clock_only_the_class_of_a_time_tells(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    """On other systems than Linux. A test with time-machine then passes ``now``, or uses SQLite."""
    monkeypatch.setattr(clock, "_SECOND_CLOCK", None)
    monkeypatch.setattr(clock, "CLOCKS", {connection.vendor: ""})
    assert clock.choose_moment(None) is None
    with freezegun.freeze_time("2050-01-01"):
        assert clock.choose_moment(None) == timezone.now()


@pytest.mark.parametrize("used", [True, False])
def test_the_clock_of_this_process_applies_where_the_database_has_none(
    monkeypatch: pytest.MonkeyPatch, db: None, *, used: bool
) -> None:
    monkeypatch.setattr(clock, "CLOCKS", {connection.vendor: ""} if used else {})
    assert (clock.choose_moment(None) is None) == used


def forget_zone() -> None:
    """Make Django read the zone of the connection again."""
    for name in ("timezone", "timezone_name"):
        vars(connections["default"]).pop(name, None)
    connection.ensure_timezone()


@by_database
@pytest.mark.parametrize("zone", [None, "Asia/Kathmandu", "America/New_York"])
def test_the_zone_of_the_connection_makes_no_difference(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch, zone: str | None
) -> None:
    """MariaDB stores times without a zone (``TIME_ZONE`` of the database)."""
    monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", zone)
    forget_zone()
    try:
        login = sessions.start(anna)
        before = timezone.now()
        second = sessions.refresh(str(login.refresh))
        row = row_of_now()
        assert row.rotated_at is not None
        assert before <= row.rotated_at <= timezone.now()
        assert sessions.refresh(str(login.refresh)).outcome is Outcome.GRACE
        wait_as_if(GRACE)
        assert sessions.refresh(str(second.refresh)).outcome is Outcome.ROTATED
        if zone and connection.vendor == "mysql":
            assert clock.measure_zone("default") == datetime.now(ZoneInfo(zone)).utcoffset()
    finally:
        monkeypatch.undo()
        forget_zone()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_a_project_without_zones_is_judged_by_the_same_clock(
    anna: AbstractBaseUser, settings: Any, zone: str
) -> None:
    """With ``USE_TZ = False`` each time is a local time of the project."""
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    login = sessions.start(anna)
    before = timezone.now()
    assert sessions.refresh(str(login.refresh)).outcome is Outcome.ROTATED
    row = row_of_now()
    assert row.rotated_at is not None
    assert before <= row.rotated_at <= timezone.now()
    assert sessions.refresh(str(login.refresh)).outcome is Outcome.GRACE
    wait_as_if(GRACE)
    assert sessions.refresh(str(login.refresh)).outcome is Outcome.RECOVERED
    row = row_of_now()
    assert row.rotated_at is not None
    assert before <= row.rotated_at <= timezone.now()


def test_the_difference_of_zones_matters_only_for_times_without_a_zone(db: None) -> None:
    assert clock.measure_zone("default") == timedelta(0)

"""On PostgreSQL a refresh writes the new version of its row on the same page, and changes no index."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.models import Session

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="HOT updates are PostgreSQL's"),
]


def ask(expression: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}", [Session._meta.db_table])
        (found,) = cursor.fetchone() or ()
    return int(found)


def test_refreshes_change_no_index(anna: AbstractBaseUser) -> None:
    # The pages keep space for a few new versions. In one transaction no old version can make room for more.
    grants = [sessions.start(anna) for _ in range(100)][:3]
    before = ask("pg_stat_get_xact_tuples_hot_updated(%s::regclass)")
    for grant in grants:
        assert grant.refresh is not None
        sessions.refresh(grant.refresh, now=timezone.now() + timedelta(minutes=5))
    assert ask("pg_stat_get_xact_tuples_hot_updated(%s::regclass)") - before == len(grants)


def test_pages_of_a_new_table_keep_space_free() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = %s", [Session._meta.db_table])
        assert cursor.fetchone() == (["fillfactor=85"],)


def test_no_index_has_a_column_that_a_refresh_changes() -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Session._meta.db_table)
    indexed = {
        column for item in found.values() if item["index"] or item["unique"] for column in item["columns"]
    }
    assert indexed == {"id", "user_id", "actor"}  # nobody changes the actor of a session


BROWSERS = {
    "Chrome on Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36",
    "Firefox on Ubuntu": "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mobile Safari on iPhone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
}


@pytest.mark.parametrize("device", BROWSERS)
def test_a_page_has_room_for_44_sessions_of_browsers(anna: AbstractBaseUser, device: str) -> None:
    """The size of a row is a multiple of eight. 152 bytes are 44 rows on a page, and 160 bytes are 42.

    So a million sessions take 186 or 195 MB, and 55 MB of indexes.
    """
    client = sessions.Client(ip="203.0.113.7", user_agent=BROWSERS[device])
    grant = sessions.start(anna, client=client)
    assert grant.refresh is not None
    sessions.refresh(grant.refresh, now=timezone.now() + timedelta(minutes=5))
    assert Session.objects.get().device == device
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_column_size(it.*) FROM tessera_session it")
        (size,) = cursor.fetchone() or ()
    assert size <= (152 if len(device) <= 20 else 160)

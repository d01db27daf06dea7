"""The keys in the database: their life, their encryption, and servers that change them at once."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError, connection
from django.test.utils import CaptureQueriesContext, override_settings

from drf_tessera.conf import get_settings, use_tenant
from drf_tessera.exceptions import DatabaseUnavailable, KeyMaterialError, ProjectError, TemporarilyUnavailable
from drf_tessera.jose.life import NEVER, Stage
from drf_tessera.keys import (
    find_book,
    list_keys,
    list_overdue,
    open_private,
    retire_key,
    revoke_key,
    rotate_keys,
    rows,
)
from drf_tessera.keys.rows import find_pace, is_due, tidy_keys
from drf_tessera.models import SigningKey
from tests.keys.conftest import DATABASE, MOVING, Clock

pytestmark = pytest.mark.django_db

LIFE = 86_400.0


def stages() -> list[str]:
    return [key.stage.value for key in list_keys()]


def test_the_first_key_signs_at_once_because_nothing_else_does(in_database: None) -> None:
    key, is_new = rotate_keys()
    assert (is_new, key.stage, key.number) == (True, Stage.SIGNING, 1)
    assert SigningKey.objects.get().kid == key.kid == key.open(get_settings(), "").thumbprint


def test_beside_another_key_the_first_one_waits_until_every_verifier_can_have_it(clock: Clock) -> None:
    with override_settings(TESSERA=MOVING):
        key, _ = rotate_keys()
        assert key.stage is Stage.PUBLISHED
        assert key.life.signs_at - key.published_at == pytest.approx(find_pace(get_settings()).delay)


def test_a_rotation_goes_through_all_stages(in_database: None, clock: Clock) -> None:
    old, _ = rotate_keys()
    new, _ = rotate_keys()
    assert stages() == ["signing", "published"]
    assert list_keys()[0].retires_at == new.life.signs_at
    clock.move(find_pace(get_settings()).delay + 1)
    assert stages() == ["retiring", "signing"]
    clock.move(find_pace(get_settings()).rest)
    assert stages() == ["gone", "signing"]
    tidy_keys()
    assert [key.kid for key in list_keys()] == [new.kid]
    assert old.kid != new.kid


def test_a_second_rotation_waits_for_the_first(in_database: None) -> None:
    rotate_keys()
    first, second = rotate_keys(), rotate_keys()
    assert (first[1], second[1], second[0].kid) == (True, False, first[0].kid)


def test_a_rotation_may_change_the_algorithm(in_database: None) -> None:
    assert [rotate_keys()[0].alg, rotate_keys("ES256")[0].alg] == ["Ed25519", "ES256"]
    SigningKey.objects.all().delete()
    with pytest.raises(KeyMaterialError):
        rotate_keys("none")


@pytest.mark.parametrize("alg", ["HS256", "ML-DSA-65", "none"])
def test_a_key_of_the_table_is_always_a_pair_that_others_can_verify(in_database: None, alg: str) -> None:
    """``KEYS`` refuses these algorithms, and so does the argument that takes their place."""
    with pytest.raises(KeyMaterialError, match="alg must be one of ES256, "):
        rotate_keys(alg)
    assert list_keys() == []


def test_a_rotation_is_due_so_early_that_the_next_key_signs_in_time(in_database: None, clock: Clock) -> None:
    settings = get_settings()
    assert settings.key_rotation is not None
    interval, delay = settings.key_rotation.total_seconds(), find_pace(settings).delay
    assert is_due(list_keys(), settings, clock.time())
    rotate_keys()
    clock.move(interval - delay - 60)
    assert not is_due(list_keys(), settings, clock.time())
    assert rotate_keys(if_due=True) == (list_keys()[0], False)
    clock.move(61)
    assert is_due(list_keys(), settings, clock.time())
    assert rotate_keys(if_due=True)[1]
    assert not is_due(list_keys(), settings, clock.time())


def test_without_an_interval_nothing_is_due_after_the_first_key(clock: Clock) -> None:
    with override_settings(TESSERA={**MOVING, "KEY_ROTATION": None}):
        assert is_due(list_keys(), get_settings(), clock.time())
        rotate_keys()
        assert not is_due(list_keys(), get_settings(), clock.time())  # the first one waits
        clock.move(100 * LIFE)
        assert not is_due(list_keys(), get_settings(), clock.time())


def test_a_key_that_signs_is_retired_in_the_orderly_way(in_database: None) -> None:
    old, _ = rotate_keys()
    new = retire_key(old.kid[:10])
    assert (new.stage, stages()) == (Stage.PUBLISHED, ["signing", "published"])
    with pytest.raises(KeyMaterialError, match="is published"):
        retire_key(new.kid)


@pytest.mark.parametrize("kid", ["", "unknown"])
def test_a_key_that_is_not_there_is_named(in_database: None, kid: str) -> None:
    rotate_keys()
    for change in (retire_key, revoke_key):
        with pytest.raises(KeyMaterialError, match="0 keys"):
            change(kid)


def test_a_stolen_key_is_replaced_at_once_and_its_private_part_is_deleted(in_database: None) -> None:
    stolen, _ = rotate_keys()
    following = revoke_key(stolen.kid)
    assert following is not None
    assert (following.stage, stages()) == (Stage.SIGNING, ["revoked", "signing"])
    assert SigningKey.objects.get(kid=stolen.kid).private == ""
    assert revoke_key(stolen.kid) is None  # a second call does no harm
    assert stages() == ["revoked", "signing"]


def test_a_published_key_takes_over_from_a_stolen_one(in_database: None, clock: Clock) -> None:
    stolen, _ = rotate_keys()
    clock.move(1)
    waiting, _ = rotate_keys()
    following = revoke_key(stolen.kid)
    assert following is not None
    assert following.kid == waiting.kid
    assert stages() == ["revoked", "signing"]


def test_a_stolen_key_that_does_not_sign_yet_leaves_the_signature_where_it_is(in_database: None) -> None:
    rotate_keys()
    waiting, _ = rotate_keys()
    assert revoke_key(waiting.kid) is None
    assert stages() == ["signing", "revoked"]


def test_a_revoked_key_is_deleted_when_its_last_token_has_expired(in_database: None, clock: Clock) -> None:
    stolen, _ = rotate_keys()
    revoke_key(stolen.kid)
    clock.move(find_pace(get_settings()).rest - 60)  # the clock goes on, and a slow machine needs a moment
    tidy_keys()
    assert stages() == ["revoked", "signing"]
    clock.move(60)
    tidy_keys()
    assert stages() == ["signing"]


def test_a_copy_of_the_table_alone_signs_nothing(in_database: None) -> None:
    key, _ = rotate_keys()
    row = SigningKey.objects.get()
    assert "d" not in json.loads(row.public)
    assert open_private(key, get_settings(), "")["d"] not in f"{vars(row)}{key!r}"
    with override_settings(SECRET_KEY="another one"), pytest.raises(KeyMaterialError, match="FALLBACKS"):
        key.open(get_settings(), "")
    with pytest.raises(KeyMaterialError, match="FALLBACKS"):
        key.open(get_settings(), "another tenant")


def test_a_row_with_the_private_key_of_another_row_is_not_used(in_database: None) -> None:
    key, _ = rotate_keys()
    other, _ = rotate_keys()
    SigningKey.objects.filter(kid=key.kid).update(private=other.private)
    with pytest.raises(KeyMaterialError, match="not that of this row"):
        list_keys()[0].open(get_settings(), "")


def test_a_new_secret_key_encrypts_the_keys_again(in_database: None) -> None:
    from tests.settings import SECRET_KEY

    key, _ = rotate_keys()
    with override_settings(SECRET_KEY="the next one", SECRET_KEY_FALLBACKS=[SECRET_KEY]):
        assert list_keys()[0].open(get_settings(), "").kid == key.kid
        tidy_keys()
    with override_settings(SECRET_KEY="the next one"):
        assert list_keys()[0].open(get_settings(), "").kid == key.kid
        tidy_keys()  # nothing to do
    tidy_keys()  # nothing opens it, so it stays as it is
    with override_settings(SECRET_KEY="the next one"):
        assert list_keys()[0].open(get_settings(), "").kid == key.kid


def test_each_tenant_has_keys_of_its_own() -> None:
    with override_settings(TESSERA={**DATABASE, "TENANT": lambda request: ""}):
        found = []
        for name in ("one", "two", "ONE"):
            with use_tenant(name):
                found.append(rotate_keys()[0])
                assert [key.kid for key in list_keys()] == [found[-1].kid]
        assert len({key.kid for key in found}) == 3
        assert list_keys() == []


def test_without_an_entry_for_the_database_no_key_is_made() -> None:
    with pytest.raises(ProjectError, match="database"):
        rotate_keys()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProgrammingError('relation "tessera_signingkey" does not exist'), ProjectError),
        (OperationalError("no such table: tessera_signingkey"), ProjectError),
        (OperationalError("the disk is gone"), DatabaseUnavailable),
    ],
    ids=str,
)
def test_trouble_of_the_database_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    def fail() -> Any:
        raise error

    monkeypatch.setattr(rows, "_rows", fail)
    with pytest.raises(expected):
        list_keys()


def test_a_server_that_is_never_fast_enough_gives_up(
    in_database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate_keys()
    taken = rows._insert

    def insert(found: Any, *args: Any) -> int:
        return taken([], *args)  # as if it had read before all others wrote

    monkeypatch.setattr(rows, "_insert", insert)
    with pytest.raises(TemporarilyUnavailable, match="Other servers"):
        rotate_keys()
    assert len(list_keys()) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.parametrize("task", ["first", "next", "revoke"])
def test_one_of_the_servers_that_rotate_at_once_makes_the_key(in_database: None, task: str) -> None:
    servers = 8
    for _ in range(3):
        SigningKey.objects.all().delete()
        old = None if task == "first" else rotate_keys()[0].kid
        start = threading.Barrier(servers)

        def rotate() -> str:
            try:
                start.wait()  # noqa: B023
                key = revoke_key(old) if task == "revoke" and old else rotate_keys(if_due=task == "first")[0]  # noqa: B023
                return key.kid if key else ""
            finally:
                connection.close()

        with ThreadPoolExecutor(servers) as pool:
            found = [task.result() for task in [pool.submit(rotate) for _ in range(servers)]]
        assert len(set(found) - {""}) == 1
        assert SigningKey.objects.count() == (1 if task == "first" else 2)


def test_a_list_of_keys_is_one_query(in_database: None) -> None:
    rotate_keys()
    with CaptureQueriesContext(connection) as queries, nullcontext():
        assert list_keys()[0].gone_at == NEVER
    assert len(queries) == 1


# -- Settings that change --------------------------------------------------------------------------


def start_with(**times: timedelta) -> None:
    with override_settings(TESSERA={**DATABASE, **times}):
        rotate_keys()


def test_a_verifier_may_still_use_a_set_from_before_jwks_max_age_was_lowered(clock: Clock) -> None:
    """The next key waits for the longest age that a set had while the present key was the newest."""
    start_with(JWKS_MAX_AGE=timedelta(days=1))
    with override_settings(TESSERA=DATABASE):
        clock.move(90 * 86_400)  # the interval of KEY_ROTATION
        (signing,) = list_keys(clock.time())
        assert is_due([signing], get_settings(), signing.life.signs_at + 89 * 86_400 + 1), "one day before"
        following, _ = rotate_keys()
        waits = following.life.signs_at - following.published_at
        assert waits == pytest.approx(find_pace(get_settings()).delay + 86_400 - 3600)
        clock.move(waits + 2 * 3600)
        last, _ = rotate_keys()
        assert last.life.signs_at - last.published_at == pytest.approx(find_pace(get_settings()).delay)


def test_a_token_from_before_access_lifetime_was_lowered_keeps_its_key(clock: Clock) -> None:
    start_with(ACCESS_LIFETIME=timedelta(hours=8))
    with override_settings(TESSERA=DATABASE):
        following, _ = rotate_keys()
        old = list_keys()[0]
        assert old.gone_at - following.life.signs_at == pytest.approx(8 * 3600 + 60)
        find_book.forget()
        clock.move(old.retires_at - clock.time() + 8 * 3600)
        assert old.kid in {key.kid for key in find_book().find().keys}


def test_a_setting_that_is_raised_is_noticed_by_the_job_of_cron(clock: Clock) -> None:
    start_with()
    with override_settings(TESSERA={**DATABASE, "JWKS_MAX_AGE": timedelta(days=2)}):
        rotate_keys(if_due=True)
    assert [key.cached for key in list_keys()] == [2 * 86_400]


def test_a_setting_that_stays_is_not_written_again(in_database: None) -> None:
    rotate_keys()
    with CaptureQueriesContext(connection) as queries:
        tidy_keys()
    assert not [query for query in queries if query["sql"].startswith("UPDATE")]


# -- Nobody rotates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "patience"), [(timedelta(days=90), 9), (timedelta(days=2), 1)], ids=["90 days", "2 days"]
)
def test_a_key_is_overdue_only_after_a_while(clock: Clock, interval: timedelta, patience: int) -> None:
    with override_settings(TESSERA={**DATABASE, "KEY_ROTATION": interval}):
        key, _ = rotate_keys()
        delay = find_pace(get_settings()).delay
        clock.move(interval.total_seconds() - delay + patience * 86_400 - 60)
        assert list_overdue() == []
        clock.move(120)
        assert [(tenant, late.kid) for tenant, late in list_overdue()] == [("", key.kid)]
        rotate_keys(if_due=True)
        assert list_overdue() == []


def test_without_an_interval_and_without_a_key_nothing_is_overdue(clock: Clock) -> None:
    with override_settings(TESSERA={**MOVING, "KEY_ROTATION": None}):
        assert list_overdue() == []
        rotate_keys()
        clock.move(1000 * 86_400)
        assert list_overdue() == []


def test_the_overdue_keys_of_all_tenants_are_found(clock: Clock) -> None:
    with override_settings(TESSERA={**DATABASE, "TENANT": lambda request: "b"}):
        for tenant in ("a", "b"):
            with use_tenant(tenant):
                rotate_keys()
        clock.move(200 * 86_400)
        with use_tenant("a"):
            rotate_keys()
        assert [tenant for tenant, _ in list_overdue()] == ["b"]

"""The keys that a process knows: when it reads them, which one signs, and what trouble costs."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, current_thread
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.conf import get_settings, use_tenant
from drf_tessera.exceptions import DatabaseUnavailable, KeysUnavailable, TokenKeyUnknown
from drf_tessera.jose.algorithms import generate_jwk
from drf_tessera.jose.keys import Key
from drf_tessera.keys import book, find_book, list_keys, revoke_key, rotate_keys
from drf_tessera.keys.rows import Listed, find_pace
from drf_tessera.models import SigningKey
from drf_tessera.revocation import check_session, publish_keys
from drf_tessera.revocation.feed import get_feed
from drf_tessera.tokens import keystore, recall_access_token, verify_access_token
from drf_tessera.tokens.keystore import get_keystore
from drf_tessera.users import load_user
from tests.conftest import bearer, log_in
from tests.keys.conftest import DATABASE, MOVING, Clock
from tests.keys.test_files import ONE, TWO, write
from tests.servers import PATIENCE, wait_until

pytestmark = pytest.mark.django_db


def forget() -> None:
    """Make this process like a new one."""
    keystore._get_holder.forget()
    find_book.forget()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget()
    yield
    forget()


def signing() -> str:
    found = get_keystore().ring.signing
    return "" if found is None else found.alg


# -- The database ------------------------------------------------------------------------------------------


def test_the_first_key_is_made_when_nothing_else_can_sign(in_database: None, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    token = verify_access_token(grant.access)
    assert [key.kid for key in list_keys()] == [token.kid]
    assert signing() == "Ed25519"


def test_a_request_costs_no_query_for_the_keys(
    in_database: None, api: APIClient, anna: AbstractBaseUser, still_feed: None
) -> None:
    access = log_in(api, anna)["access"]
    api.get("/me/", **bearer(access))
    with CaptureQueriesContext(connection) as queries:
        for _ in range(5):
            assert api.get("/me/", **bearer(access)).status_code == 200
    assert [query["sql"] for query in queries] == []


def test_a_login_reads_the_keys_at_most_once_per_poll(
    in_database: None, anna: AbstractBaseUser, clock: Clock
) -> None:
    sessions.start(anna)
    with CaptureQueriesContext(connection) as queries:
        sessions.start(anna)
    assert not [query for query in queries if "signingkey" in query["sql"]]
    clock.move(1.5)
    with CaptureQueriesContext(connection) as queries:
        sessions.start(anna)
    assert len([query for query in queries if "signingkey" in query["sql"]]) == 1


def test_beside_the_derived_key_a_key_of_the_database_signs_when_its_time_has_come(
    anna: AbstractBaseUser, clock: Clock
) -> None:
    with override_settings(TESSERA=MOVING):
        before = sessions.start(anna).access
        assert (signing(), list_keys()) == ("HS256", [])  # an operator makes the first key
        key, _ = rotate_keys()
        clock.move(2)
        middle = sessions.start(anna).access
        assert signing() == "HS256"
        assert key.kid in get_keystore().ring.by_kid  # published, so every verifier can fetch it
        clock.move(key.life.signs_at - clock.time() + 1)
        after = sessions.start(anna).access
        assert signing() == "Ed25519"
        assert verify_access_token(after).kid == key.kid
        assert {verify_access_token(token).kid for token in (before, middle)} & {key.kid} == set()


def test_a_process_that_was_idle_signs_with_the_present_key(
    in_database: None, anna: AbstractBaseUser, clock: Clock
) -> None:
    sessions.start(anna)
    new, _ = rotate_keys()  # another process, and no notice comes
    clock.move(find_pace(get_settings()).delay + 1)
    assert verify_access_token(sessions.start(anna).access).kid == new.kid


def test_a_token_of_a_key_that_this_process_does_not_know_yet_is_accepted(
    in_database: None, anna: AbstractBaseUser, clock: Clock
) -> None:
    old = verify_access_token(sessions.start(anna).access).kid
    mine = find_book()
    revoke_key(old)
    forget()  # another process signs
    access = sessions.start(anna).access
    forget()
    held = keystore._get_holder()
    held.book = mine
    clock.move(0.5)
    assert verify_access_token(access).kid != old


def test_unknown_keys_of_strangers_cost_a_query_per_fifth_of_a_second(
    in_database: None, anna: AbstractBaseUser
) -> None:
    access = sessions.start(anna).access
    key = Key.from_jwk(generate_jwk("Ed25519"))
    from drf_tessera.jose.codec import Codec
    from drf_tessera.jose.keys import KeyRing

    forged = Codec(KeyRing([key]), typ="at+jwt").encode(dict(verify_access_token(access).claims, amr=[]))
    with CaptureQueriesContext(connection) as queries:
        for _ in range(50):
            with pytest.raises(TokenKeyUnknown):
                verify_access_token(forged)
    assert len(queries) < 10


def test_a_stolen_key_is_refused_with_the_next_pull_also_for_remembered_tokens(
    in_database: None, api: APIClient, anna: AbstractBaseUser
) -> None:
    access = log_in(api, anna)["access"]
    assert api.get("/me/", **bearer(access)).status_code == 200
    assert recall_access_token(f"Bearer {access}") is not None
    revoke_key(verify_access_token(str(access)).kid)
    publish_keys(timezone.now())
    assert recall_access_token(f"Bearer {access}") is not None  # this process has not heard of it
    get_feed()._due = float("-inf")
    answer = api.get("/me/", **bearer(access))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_key_unknown")
    assert recall_access_token(f"Bearer {access}") is None
    assert api.get("/me/", **bearer(log_in(api, anna)["access"])).status_code == 200


def test_an_object_that_outlives_its_key_is_refused(in_database: None, anna: AbstractBaseUser) -> None:
    """A consumer of WebSockets keeps the token, and checks it again."""
    token = verify_access_token(sessions.start(anna).access)
    check_session(token)
    revoke_key(token.kid)
    publish_keys(timezone.now())
    get_feed()._due = float("-inf")
    with pytest.raises(TokenKeyUnknown):
        check_session(token)


def test_a_strict_view_hears_of_a_stolen_key_without_the_feed(
    in_database: None, anna: AbstractBaseUser, clock: Clock
) -> None:
    token = verify_access_token(sessions.start(anna).access)
    load_user(token)
    revoke_key(token.kid)
    clock.move(1.5)
    with pytest.raises(TokenKeyUnknown):
        load_user(token)


def test_the_worker_reads_the_keys_after_a_notice_and_once_a_minute(
    in_database: None, anna: AbstractBaseUser, clock: Clock
) -> None:
    sessions.start(anna)
    found = find_book()

    def count(action: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as queries:
            action()
        return len(queries)

    assert count(found.catch_up) == 0
    found.mark_changed()
    assert [count(found.catch_up), count(found.catch_up)] == [1, 0]
    clock.move(61)
    assert [count(found.catch_up), count(found.catch_up)] == [1, 0]


def test_the_worker_reads_nothing_before_the_first_request_and_nothing_without_the_table(
    in_database: None,
) -> None:
    found = find_book()
    found.mark_changed()
    with CaptureQueriesContext(connection) as queries:
        found.catch_up()
        with override_settings(TESSERA={}):
            find_book().catch_up()
            find_book().refresh()
    assert len(queries) == 0


class Outage:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.down = True
        real = book.list_keys

        def read() -> Any:
            if self.down:
                raise DatabaseUnavailable
            return real()

        patch.setattr(book, "list_keys", read)


def test_without_the_database_the_known_keys_serve_for_a_while(
    in_database: None, anna: AbstractBaseUser, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = sessions.start(anna).access
    outage = Outage(monkeypatch)
    clock.move(20)
    assert sessions.start(anna)
    clock.move(20)
    with pytest.raises(DatabaseUnavailable):  # a key of today may have been replaced by now
        sessions.start(anna)
    assert verify_access_token(access)
    outage.down = False
    clock.move(2)
    assert sessions.start(anna)


def test_a_notice_is_not_lost_when_the_database_fails_after_it(
    in_database: None, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = verify_access_token(sessions.start(anna).access)
    check_session(token)
    revoke_key(token.kid)
    publish_keys(timezone.now())
    outage = Outage(monkeypatch)
    feed = get_feed()
    feed._due = float("-inf")
    check_session(token)  # nobody knows better
    assert feed.describe().is_failing
    outage.down = False
    feed._due = float("-inf")
    with pytest.raises(TokenKeyUnknown):
        check_session(token)


def test_a_process_that_never_read_its_keys_answers_503(
    in_database: None, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(monkeypatch)
    with pytest.raises(KeysUnavailable):
        get_keystore()
    answer = api.get("/me/", **bearer("a.b.c"))
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (
        503,
        "keys_unavailable",
        "1",
    )
    outage.down = False
    assert signing() == "Ed25519"


def test_a_key_that_cannot_be_decrypted_verifies_and_does_not_sign(
    anna: AbstractBaseUser, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(TESSERA={**DATABASE, "ISSUER": "us"}):
        forget()
        access = sessions.start(anna).access
    with override_settings(TESSERA={**DATABASE, "ISSUER": "us"}, SECRET_KEY="another one"):
        forget()
        with caplog.at_level(logging.WARNING):
            assert verify_access_token(access)["iss"] == "us"
        assert "SECRET_KEY_FALLBACKS" in caplog.text
        with pytest.raises(KeysUnavailable):
            sessions.start(anna)


def test_a_damaged_row_is_left_out(in_database: None, anna: AbstractBaseUser) -> None:
    sessions.start(anna)
    SigningKey.objects.update(private="", public="{")
    forget()
    with pytest.raises(KeysUnavailable):
        sessions.start(anna)


def test_a_key_that_is_gone_is_forgotten(in_database: None, anna: AbstractBaseUser, clock: Clock) -> None:
    old = verify_access_token(sessions.start(anna).access).kid
    rotate_keys()
    clock.move(30 * 86_400)
    sessions.start(anna)
    assert old not in find_book()._opened
    assert old not in get_keystore().ring.by_kid


@pytest.mark.django_db(transaction=True)
def test_a_first_key_that_is_rolled_back_is_made_again(in_database: None, anna: AbstractBaseUser) -> None:
    SigningKey.objects.all().delete()
    with transaction.atomic():
        verify_access_token(sessions.start(anna).access)
        transaction.set_rollback(True)
    assert SigningKey.objects.count() == 0
    find_book().catch_up()
    assert list_keys()[0].kid in get_keystore().ring.by_kid


@pytest.mark.django_db(transaction=True)
def test_a_flush_between_two_tests_drops_the_keys_that_the_process_knows(
    in_database: None, anna: AbstractBaseUser
) -> None:
    before = verify_access_token(sessions.start(anna).access).kid
    SigningKey.objects.all().delete()
    call_command("migrate", "tessera", verbosity=0)  # a flush sends the same signal
    after = verify_access_token(sessions.start(anna).access).kid
    assert [key.kid for key in list_keys()] == [after] != [before]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_migrate_makes_the_first_key(in_database: None) -> None:
    SigningKey.objects.all().delete()
    call_command("migrate", "tessera", verbosity=0)
    (key,) = list_keys()
    call_command("migrate", "tessera", verbosity=0)
    assert [item.kid for item in list_keys()] == [key.kid]
    with override_settings(TESSERA=MOVING):
        SigningKey.objects.all().delete()
        call_command("migrate", "tessera", verbosity=0)
        assert list_keys() == []


def test_the_worker_reads_the_keys_of_its_tenant() -> None:
    with override_settings(TESSERA={**DATABASE, "TENANT": lambda request: ""}):
        with use_tenant("one"):
            kid = get_keystore().ring.keys[0].kid
            found = find_book()
        found.mark_changed()
        found.catch_up()  # outside of the tenant, as the worker is
        assert found.find().keys[0].kid == kid


# -- A mounted file ----------------------------------------------------------------------------------------


def test_a_mounted_file_is_noticed_within_the_poll(
    tmp_path: Path, anna: AbstractBaseUser, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "keys.json", ONE)
    with override_settings(TESSERA={"KEYS": [{"jwks": str(path)}]}):
        forget()
        before = sessions.start(anna).access
        write(path, {"keys": [ONE, TWO]})
        looks: list[bool] = []
        real = book.KeyFile.look
        monkeypatch.setattr(book.KeyFile, "look", lambda file: looks.append(True) or real(file))
        for _ in range(10):
            assert verify_access_token(before).kid == ONE["kid"]
        assert looks == []  # a request does not look at the file
        clock.move(1.5)
        assert verify_access_token(sessions.start(anna).access).kid == TWO["kid"]
        assert verify_access_token(before).kid == ONE["kid"]
        write(path, TWO)
        clock.move(1.5)
        with pytest.raises(TokenKeyUnknown):
            verify_access_token(before)


def test_a_file_without_a_private_key_only_verifies(tmp_path: Path, anna: AbstractBaseUser) -> None:
    with override_settings(TESSERA={"KEYS": [{"jwks": str(write(tmp_path / "a", ONE))}]}):
        forget()
        access = sessions.start(anna).access
        public = {name: value for name, value in ONE.items() if name != "d"}
        write(tmp_path / "a", public)
        forget()
        assert verify_access_token(access).kid == ONE["kid"]
        with pytest.raises(KeysUnavailable):
            sessions.start(anna)


def test_a_file_that_is_not_there_yet_is_read_when_it_comes(
    tmp_path: Path, anna: AbstractBaseUser, api: APIClient
) -> None:
    with override_settings(TESSERA={"KEYS": [{"jwks": str(tmp_path / "late")}]}):
        forget()
        with pytest.raises(KeysUnavailable):
            get_keystore()
        write(tmp_path / "late", ONE)
        assert signing() == "Ed25519"


# -- A signer ----------------------------------------------------------------------------------------------


class Device:
    """A device that keeps a private key."""

    def __init__(self) -> None:
        self.key = Key.from_jwk(ONE)
        self.public_jwk = {name: value for name, value in ONE.items() if name != "d"}
        self.is_away = False

    def sign(self, message: bytes) -> bytes:
        if self.is_away:
            raise OSError("The device does not answer.")
        return self.key.sign(message)


def test_a_signer_signs_and_its_trouble_passes(anna: AbstractBaseUser, api: APIClient) -> None:
    device = Device()
    with override_settings(TESSERA={"KEYS": [{"derived": True}, {"signer": lambda: device}]}):
        forget()
        access = sessions.start(anna).access
        assert verify_access_token(access).kid == ONE["kid"]
        device.is_away = True
        grant = log_in_raw(api, anna)
        assert (grant.status_code, grant.json()["code"], grant["Retry-After"]) == (
            503,
            "keys_unavailable",
            "1",
        )
        assert verify_access_token(access).kid == ONE["kid"]


def log_in_raw(api: APIClient, user: AbstractBaseUser) -> Any:
    from tests.conftest import PASSWORD

    return api.post("/api/token/", {"username": user.get_username(), "password": PASSWORD})


def test_a_signer_that_cannot_be_made_is_trouble_that_passes(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Any:
        raise OSError("no slot")

    with override_settings(TESSERA={"KEYS": [{"signer": fail}]}):
        forget()
        with pytest.raises(KeysUnavailable):
            get_keystore()


def test_the_public_key_of_a_signer_has_no_private_part() -> None:
    class Careless:
        public_jwk = ONE

        def sign(self, message: bytes) -> bytes:
            return b""

    with override_settings(TESSERA={"KEYS": [{"signer": Careless}]}):
        forget()
        with pytest.raises(KeysUnavailable) as caught:
            get_keystore()
    assert "private part" in str(caught.value.__cause__)


def test_a_key_in_two_places_counts_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a", {"keys": [ONE, TWO]})
    with override_settings(TESSERA={"KEYS": [{"jwk": ONE}, {"jwks": str(path)}]}):
        forget()
        assert [key.kid for key in get_keystore().ring.keys] == [ONE["kid"], TWO["kid"]]


def test_a_clock_that_goes_back_does_no_harm(tmp_path: Path, clock: Clock) -> None:
    with override_settings(TESSERA={"KEYS": [{"jwks": str(write(tmp_path / "a", ONE))}]}):
        forget()
        first = get_keystore()
        clock.move(-3600)
        find_book().refresh()
        assert get_keystore() is first
    assert time.time() > 0


def test_a_process_logs_once_that_nobody_rotates(
    in_database: None, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    find_book().find()
    clock.move(200 * 86_400)
    for _ in range(3):
        clock.move(120)
        find_book().refresh()
    assert [record.message for record in caplog.records if "KEY_ROTATION" in record.message] == [
        f"The key {list_keys()[0].kid} has signed for longer than KEY_ROTATION. Run 'manage.py tessera_keys "
        "rotate --if-due' by cron."
    ]


# -- Tenants that share a table, and so a feed -------------------------------------------------------------

TENANTS = {**DATABASE, "TENANT": lambda request: ""}


def issue(user: AbstractBaseUser, tenant: str) -> str:
    with use_tenant(tenant):
        return sessions.start(user).access


def let_in(access: str, tenant: str) -> bool:
    """Return whether a request of a tenant with this token is let in."""
    with use_tenant(tenant):
        try:
            check_session(recall_access_token(access) or verify_access_token(access))
        except TokenKeyUnknown:
            return False
        return True


def steal(access: str, tenant: str) -> None:
    """Revoke the key of a token, as a command in another process does."""
    with use_tenant(tenant):
        revoke_key(verify_access_token(access).kid)
        publish_keys(timezone.now())


def poll() -> None:
    get_feed()._refresh(since=time.monotonic())


@pytest.fixture
def shared() -> Iterator[None]:
    with override_settings(TESSERA=TENANTS):
        for name in ("one", "two"):  # a first key would be read again after the transaction that makes it
            with use_tenant(name):
                rotate_keys()
        forget()
        yield


def test_a_stolen_key_is_felt_in_its_tenant_alone(shared: None, anna: AbstractBaseUser) -> None:
    tokens = {name: issue(anna, name) for name in ("one", "two")}
    assert all(let_in(access, name) for name, access in tokens.items())
    steal(tokens["one"], "one")
    with use_tenant("two"):
        poll()  # the request that pulls may be of any tenant
    assert [let_in(tokens[name], name) for name in ("one", "two")] == [False, True]


def test_a_notice_about_keys_is_followed_once(shared: None, anna: AbstractBaseUser) -> None:
    """It may be the newest notice for days, and each pull reads the newest row again."""
    access = issue(anna, "one")
    assert let_in(access, "one")
    with use_tenant("one"):
        publish_keys(timezone.now())
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            poll()
    assert [SigningKey._meta.db_table in query["sql"] for query in queries] == [False, True, False, False]


def test_a_notice_about_keys_makes_only_its_tenant_read_them(shared: None, anna: AbstractBaseUser) -> None:
    names = ["one", "two"]
    assert all(let_in(issue(anna, name), name) for name in names)
    for name in names:
        with use_tenant(name):
            publish_keys(timezone.now())
        with CaptureQueriesContext(connection) as queries:
            poll()
        (read,) = [query["sql"] for query in queries if SigningKey._meta.db_table in query["sql"]]
        assert [other for other in names if f"'{other}'" in read] == [name]


def test_a_tenant_that_comes_after_the_notice_hears_of_the_stolen_key(
    shared: None, anna: AbstractBaseUser
) -> None:
    """A login reads the keys of a tenant, and its feed may learn of the tenant only at a later request."""
    tokens = {name: issue(anna, name) for name in ("one", "two")}
    assert let_in(tokens["two"], "two")
    steal(tokens["one"], "one")
    with use_tenant("two"):
        poll()
    assert not let_in(tokens["one"], "one")


def test_keys_that_were_dropped_and_read_again_hear_of_the_stolen_one(
    shared: None, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process keeps the keys of a thousand tenants. Every part of it must have the same ones."""
    access = issue(anna, "one")
    assert let_in(access, "one")
    find_book.forget()  # as if a thousand other tenants came, for which the keystore has more room
    assert let_in(access, "one")
    steal(access, "one")
    poll()
    assert not let_in(access, "one")


def test_a_tenant_without_a_key_does_not_disturb_the_others(
    shared: None, anna: AbstractBaseUser, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = {name: issue(anna, name) for name in ("one", "two")}
    assert let_in(tokens["one"], "one")
    SigningKey.objects.filter(tenant="two").update(private="", public="{")
    with use_tenant("two"):
        find_book().forget()
        with pytest.raises(KeysUnavailable):
            find_book().find()
        get_feed().add_book(find_book())
        publish_keys(timezone.now())
    poll()
    assert let_in(tokens["one"], "one")
    assert not get_feed().describe().is_failing


def test_the_feed_keeps_no_keys_that_the_process_has_dropped(shared: None, anna: AbstractBaseUser) -> None:
    assert let_in(issue(anna, "one"), "one")
    assert len(get_feed()._list_books()) == 1
    forget()
    gc.collect()
    assert get_feed()._list_books() == []


# -- A reading that hangs ----------------------------------------------------------------------------------


@pytest.fixture
def hanging(own_crews: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    """Make the table of keys hang when a test says so."""
    found = Hanging(book.list_keys)
    monkeypatch.setattr(book, "list_keys", found.list_keys)
    yield found
    found.may_answer.set()


class Hanging:
    """The table of keys, in a database that can hang. A turn of the crew is its only victim."""

    def __init__(self, real: Callable[[], list[Listed]]) -> None:
        self._real = real
        self.may_answer = Event()
        self.may_answer.set()
        self.readers = list[str]()

    def hang(self) -> None:
        """Make each reading hang from now on. A request has little patience, because a test waits for it."""
        find_book()._reader._patience = 0.01
        self.may_answer.clear()
        self.readers.clear()

    def list_keys(self) -> list[Listed]:
        self.readers.append(current_thread().name)
        assert self.may_answer.wait(PATIENCE)
        return self._real()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_reading_that_hangs_holds_no_request(
    in_database: None, anna: AbstractBaseUser, clock: Clock, hanging: Hanging
) -> None:
    """A stranger can send tokens with unknown keys, and fetch the JWK Set, as often as he likes."""
    sessions.start(anna)
    found = find_book()
    before = found.find()
    hanging.hang()
    for _ in range(3):
        clock.move(5)
        found.refresh()
        assert found.find() is before
    wait_until(lambda: hanging.readers == ["drf-tessera-worker"], "no thread of the crew reads")
    key, _ = rotate_keys()
    hanging.may_answer.set()
    found.mark_changed()
    found.catch_up()  # the worker of the feed
    clock.move(30 * 86_400)
    assert key.kid in found.find().by_kid  # the time of the last ring is over


@pytest.mark.django_db(transaction=True)
def test_an_open_transaction_reads_the_keys_again_that_were_dropped(in_database: None) -> None:
    for _ in range(2):
        with transaction.atomic():
            assert find_book().find().signing
        find_book().forget()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_past_the_limit_a_reading_that_hangs_is_an_error(
    in_database: None, anna: AbstractBaseUser, clock: Clock, hanging: Hanging
) -> None:
    sessions.start(anna)
    hanging.hang()
    clock.move(86_400)
    with pytest.raises(DatabaseUnavailable):
        find_book().refresh()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_first_reading_that_hangs_is_not_waited_for(in_database: None, hanging: Hanging) -> None:
    hanging.hang()
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            find_book().find()
    wait_until(lambda: hanging.readers == ["drf-tessera-worker"], "no thread of the crew reads")
    hanging.may_answer.set()
    find_book()._reader._patience = PATIENCE
    assert find_book().find().signing


def test_a_reading_that_hung_does_not_replace_a_later_one(
    in_database: None, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.start(anna)
    found, real = find_book(), book.list_keys

    def read_late() -> Any:
        old = real()
        monkeypatch.setattr(book, "list_keys", real)
        rotate_keys()
        found.mark_changed()
        found.catch_up()
        return old

    monkeypatch.setattr(book, "list_keys", read_late)
    found._read()
    assert len(found._listed or ()) == 2


def test_keys_that_were_read_under_a_later_clock_are_replaced(
    in_database: None, anna: AbstractBaseUser, clock: Clock
) -> None:
    """freezegun moves the monotonic clock too, and the next test is without it."""
    rotate_keys()
    clock.move(86_400)
    sessions.start(anna)
    clock.move(-86_400)
    key, is_new = rotate_keys()
    assert is_new
    find_book().refresh()
    assert key.kid in find_book().find().by_kid


def test_the_first_reading_does_not_count_as_a_refresh(in_database: None) -> None:
    """The next test case may begin within one poll, and the keys of the last one were rolled back."""
    find_book().find()
    key, _ = rotate_keys()
    find_book().refresh()
    assert key.kid in find_book().find().by_kid


def test_news_whose_reading_failed_are_read_by_the_next_pull(
    in_database: None, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Any:
        raise DatabaseUnavailable

    sessions.start(anna)
    found = find_book()
    found.mark_changed()
    with monkeypatch.context() as patch:
        patch.setattr(book, "list_keys", fail)
        with pytest.raises(DatabaseUnavailable):
            found.catch_up()
    with CaptureQueriesContext(connection) as queries:
        found.catch_up()
    assert len(queries) == 1


def test_a_pull_that_was_given_up_reads_no_more_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its successor reads them. An object that is not a book would raise an error."""
    found = get_feed()
    monkeypatch.setattr(type(found), "_list_books", lambda self: [object()])
    found._read_keys(SimpleNamespace(is_lost=True))  # type: ignore[arg-type]

"""The rules: a tenant never meets the users, the tokens and the counts of another tenant.

Both tenants have one ``SECRET_KEY``. Where each tenant has tables of its own, the first user of both has the
same primary key, and the one of tenant "two" is a superuser.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import StringIO
from threading import Event, Thread
from threading import enumerate as list_threads
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import Error, connection, connections, transaction
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from drf_tessera import sessions
from drf_tessera.conf import current_tenant
from drf_tessera.database import find_database
from drf_tessera.exceptions import ProjectError
from drf_tessera.installation import read_installation_id
from drf_tessera.revocation import feed
from drf_tessera.revocation.stores import DatabaseStore
from drf_tessera.tokens import get_issuer
from drf_tessera.workers.crews import MOST_THREADS
from tests.tenants import routing

PASSWORD: Final = "correct horse battery staple"
NAMES: Final = {"one": "anna", "two": "root"}
"""The first user of each tenant."""

LOGOUTS: Final = 10
"""The number of logouts in each tenant under load."""


class Clock:
    """The clock of the feed. It moves only when a rule moves it, so no rule depends on the machine."""

    now = 1000.0

    def install(self) -> None:
        feed.time = SimpleNamespace(monotonic=lambda: self.now, time=time.time)  # type: ignore[assignment]

    def pass_poll(self) -> None:
        self.now += settings.TESSERA["REVOCATION_POLL"] + 1


clock = Clock()


# -- The tenants -----------------------------------------------------------------------------------


@contextmanager
def inside(tenant: str) -> Iterator[None]:
    """Run the block in a tenant, as a command of the project does."""
    if settings.KIND == "schemas":
        from django_tenants.utils import schema_context

        with schema_context(tenant):
            yield
    else:
        before = routing.current.set(tenant)
        try:
            yield
        finally:
            routing.current.reset(before)


@contextmanager
def broken_transaction() -> Iterator[None]:
    with suppress(Error), transaction.atomic(using=find_database()):
        with suppress(Error):
            transaction.get_connection(find_database()).cursor().execute("SELECT nothing FROM nowhere")
        yield
        transaction.set_rollback(True, using=find_database())


def prepare() -> None:
    """Create the tenants and their users."""
    if settings.KIND == "schemas":
        from tests.tenants.customers.models import Customer, Domain

        call_command("migrate_schemas", shared=True, verbosity=0)
        for tenant in NAMES:
            customer = Customer(schema_name=tenant)
            customer.save(verbosity=0)
            Domain.objects.create(domain=f"{tenant}.example.com", tenant=customer, is_primary=True)
    elif settings.KIND == "databases":
        for tenant in NAMES:
            with inside(tenant):
                call_command("migrate", database=tenant, verbosity=0)
    else:
        call_command("migrate", verbosity=0)
    for tenant, name in NAMES.items():
        with inside(tenant):
            make_user(name, is_superuser=tenant == "two")


def make_user(name: str, **fields: Any) -> Any:
    return get_user_model()._default_manager.create_user(name, password=PASSWORD, **fields)


# -- Requests --------------------------------------------------------------------------------------


def call(tenant: str, path: str, body: Any = None, *, access: str = "", cookie: str = "") -> Any:
    """Send a request to the host of a tenant, over TLS."""
    headers = {"host": f"{tenant}.example.com"}
    headers |= {"authorization": f"Bearer {access}"} if access else {}
    headers |= {"cookie": cookie, "origin": f"https://{tenant}.example.com"} if cookie else {}
    client = Client(headers=headers, raise_request_exception=False)
    if body is None:
        return client.get(path, secure=True)
    return client.post(path, json.dumps(body), "application/json", secure=True)


def log_in(tenant: str, name: str = "", **extra: Any) -> Any:
    body = {"username": name or NAMES[tenant], "password": PASSWORD, **extra}
    answer = call(tenant, "/api/token/", body)
    assert answer.status_code == 200, answer.content
    return answer


def see(tenant: str, access: str) -> tuple[int, str]:
    """Return the status and the name of the user that a tenant sees."""
    answer = call(tenant, "/me/", access=access)
    return answer.status_code, answer.json().get("name", "")


# -- The rules -------------------------------------------------------------------------------------


def an_access_token_is_refused_by_another_tenant() -> None:
    tokens = {tenant: log_in(tenant).json()["access"] for tenant in NAMES}
    for _ in range(2):  # the second time the token is remembered
        for tenant, access in tokens.items():
            for other in NAMES:
                expected = (200, NAMES[tenant]) if other == tenant else (401, "")
                assert see(other, access) == expected, (tenant, other)


def a_refresh_token_is_refused_by_another_tenant_and_stays_valid() -> None:
    for tenant, other in (("one", "two"), ("two", "one")):
        body = {"refresh": log_in(tenant).json()["refresh"]}
        for path in ("refresh/", "verify/", "revoke/"):
            sent = {"token": body["refresh"]} if path == "verify/" else body
            answer = call(other, f"/api/token/{path}", sent)
            assert "access" not in answer.json(), (path, answer.content)
            assert answer.json().get("revoked") is not True, (path, answer.content)
        assert call(tenant, "/api/token/refresh/", body).status_code == 200


def a_cookie_is_refused_by_another_tenant() -> None:
    for tenant, other in (("one", "two"), ("two", "one")):
        cookies = log_in(tenant, transport="cookie").cookies
        names = sorted(cookies)
        assert {name.rpartition("_")[2] for name in names} == {tenant}, names
        own = "; ".join(f"{name}={cookies[name].value}" for name in names)
        foreign = "; ".join(f"{name.removesuffix(tenant)}{other}={cookies[name].value}" for name in names)
        assert call(tenant, "/me/", cookie=own).json() == {"name": NAMES[tenant]}
        for sent in (own, foreign, f"{own}; {foreign}"):
            assert call(other, "/me/", cookie=sent).status_code == 401
            assert call(other, "/api/token/refresh/", {}, cookie=sent).status_code == 401
        assert call(tenant, "/api/token/refresh/", {}, cookie=own).status_code == 200


def a_user_is_never_loaded_in_another_tenant() -> None:
    access = log_in("one").json()["access"]
    answer = call("one", "/elsewhere/", access=access)
    if settings.KIND == "column":  # the same key is the same person there
        assert answer.json() == {"name": NAMES["one"]}
    else:
        assert answer.status_code == 500, answer.content
        assert isinstance(answer.exc_info[1], ProjectError), answer.exc_info


def a_user_is_loaded_in_the_own_tenant_inside_a_broken_transaction() -> None:
    for tenant, name in NAMES.items():
        access = log_in(tenant).json()["access"]
        assert call(tenant, "/broken/", access=access).json() == {"name": name}


def each_tenant_has_an_issuer_of_its_own() -> None:
    found = {}
    for tenant in NAMES:
        with inside(tenant):
            assert current_tenant() == tenant
            found[tenant] = get_issuer(), read_installation_id()
            assert get_issuer() == f"drf-tessera:{read_installation_id()}:{tenant}"
    (issuer, one), (other_issuer, two) = found.values()
    assert issuer != other_issuer
    assert (one == two) == (settings.KIND == "column")


def a_remembered_token_needs_no_query_for_user_or_session() -> None:
    for tenant in NAMES:
        access = log_in(tenant).json()["access"]
        assert call(tenant, "/key/", access=access).status_code == 200
        with inside(tenant):
            alias = find_database()
        with CaptureQueriesContext(connections[alias]) as queries:
            assert call(tenant, "/key/", access=access).status_code == 200
        sent = [query["sql"] for query in queries]
        assert [sql for sql in sent if "auth_user" in sql or "tessera_" in sql] == [], sent


def failed_logins_at_one_tenant_do_not_count_at_another() -> None:
    for tenant in NAMES:
        with inside(tenant):
            make_user(f"{tenant}-guest")
    wrong = {"username": "two-guest", "password": "wrong"}
    statuses = [call("one", "/api/token/", wrong).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert log_in("two", "two-guest").status_code == 200


def a_thread_does_not_keep_the_tenant_of_its_last_request() -> None:
    log_in("one")
    with inside("two"):
        assert current_tenant() == "two"
        request = RequestFactory().get("/", headers={"host": "two.example.com"})
        log_in("two")
        del request
        assert current_tenant() == "two"


def every_logout_is_felt_while_both_tenants_are_busy() -> None:
    """Check logouts in another process, while threads send requests to both tenants."""
    busy = [(tenant, log_in(tenant).json()["access"]) for tenant in NAMES]
    targets = [(tenant, log_in(tenant).json()) for _ in range(LOGOUTS) for tenant in NAMES]
    assert all(see(tenant, tokens["access"])[0] == 200 for tenant, tokens in targets)
    done, failed, answered = Event(), [], dict.fromkeys(NAMES, 0)

    def load(tenant: str, access: str) -> None:
        while not done.is_set():
            answered[tenant] += 1
            if see(tenant, access) != (200, NAMES[tenant]):
                failed.append(tenant)
        connection.close()

    threads = [Thread(target=load, args=item) for item in busy for _ in range(2)]
    for thread in threads:
        thread.start()
    felt = dict.fromkeys(NAMES, 0)
    try:
        with other_process() as revoke:
            for number, (tenant, tokens) in enumerate(targets):
                revoke(tenant, tokens["session"])
                clock.pass_poll()
                other = "two" if tenant == "one" else "one"
                assert see(other, dict(busy)[other])[0] == 200  # the other tenant takes its poll first
                felt[tenant] += see(tenant, tokens["access"])[0] == 401
                later = targets[number + 1 :]
                assert all(see(*_of(item))[0] == 200 for item in later[:2]), "a logout of another session"
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert felt == dict.fromkeys(NAMES, LOGOUTS), felt
    assert failed == []
    assert min(answered.values()) > 0


def the_work_depends_on_the_tables_and_not_on_the_tenants() -> None:
    """Check that 200 tenants cost one statement per poll, and one thread, for each table that they share."""
    schemas = settings.KIND == "schemas"
    names = list(NAMES) if schemas else [f"{name}-{number}" for number in range(100) for name in NAMES]
    tokens = {}
    for name in names:
        with inside(name):
            user = get_user_model()._default_manager.get(username=NAMES[name.partition("-")[0]])
            tokens[name] = sessions.start(user)
        assert see(name, tokens[name].access)[0] == 200
    clock.pass_poll()
    fetch, fetched = DatabaseStore._fetch, list[Any]()  # each call is one statement
    with patch.object(DatabaseStore, "_fetch", lambda *args: fetched.append(args) or fetch(*args)):
        for name in names * 2:
            assert see(name, tokens[name].access)[0] == 200
    assert len(fetched) == (1 if settings.KIND == "column" else 2), len(fetched)
    threads = [item for item in list_threads() if item.name == "drf-tessera-worker"]
    most = {"column": 1, "databases": 2, "schemas": MOST_THREADS}[settings.KIND]
    assert len(threads) <= most, threads
    with other_process() as revoke:
        revoke(names[-1], str(tokens[names[-1]].session_id))
    clock.pass_poll()
    assert see(names[0], tokens[names[0]].access)[0] == 200
    assert see(names[-1], tokens[names[-1]].access)[0] == 401


def _of(item: tuple[str, Any]) -> tuple[str, str]:
    return item[0], item[1]["access"]


@contextmanager
def other_process() -> Iterator[Callable[[str, str], None]]:
    """Start another process of the project, and yield a function that ends a session there."""
    command = [sys.executable, "-m", "tests.tenants", settings.KIND, "revoke"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def revoke(tenant: str, session: str) -> None:
            print(tenant, session, file=child.stdin, flush=True)
            assert child.stdout is not None
            assert child.stdout.readline() == "True\n"

        yield revoke
        child.stdin.close()


def revoke_by_command() -> None:
    """Read tenants and sessions from stdin, and end each session. This is the other process."""
    for line in sys.stdin:
        tenant, session = line.split()
        with inside(tenant):
            sys.stdout.write(f"{sessions.revoke(UUID(session))}\n")
            sys.stdout.flush()


def a_command_acts_on_one_tenant() -> None:
    """Check that a command needs a name, or acts on all tenants of a shared table and says so."""
    tokens = {tenant: log_in(tenant).json() for tenant in NAMES}
    command, err = ("tessera_revoke", "--user", NAMES["one"], "--tenant", "one"), StringIO()
    if settings.KIND == "column":
        command = command[:3]
    else:
        outside = inside("public") if settings.KIND == "schemas" else nullcontext()
        with outside, suppress(CommandError):
            call_command(*command[:3], stderr=err)
            raise AssertionError("the command has taken a tenant quietly")
        command += ("--database", "one") if settings.KIND == "databases" else ()
    call_command(*command, stdout=StringIO(), stderr=err)
    places = {
        "column": "In all tenants in the database 'default'.\n",
        "databases": "In the database 'one'.\n",
        "schemas": "In the schema 'one'.\n",
    }
    assert err.getvalue() == places[settings.KIND]
    clock.pass_poll()
    assert see("one", tokens["one"]["access"])[0] == 401
    assert see("two", tokens["two"]["access"]) == (200, NAMES["two"])


RULES: Final = [
    each_tenant_has_an_issuer_of_its_own,
    an_access_token_is_refused_by_another_tenant,
    a_refresh_token_is_refused_by_another_tenant_and_stays_valid,
    a_cookie_is_refused_by_another_tenant,
    a_user_is_never_loaded_in_another_tenant,
    a_user_is_loaded_in_the_own_tenant_inside_a_broken_transaction,
    a_remembered_token_needs_no_query_for_user_or_session,
    failed_logins_at_one_tenant_do_not_count_at_another,
    a_thread_does_not_keep_the_tenant_of_its_last_request,
    every_logout_is_felt_while_both_tenants_are_busy,
    the_work_depends_on_the_tables_and_not_on_the_tenants,
    a_command_acts_on_one_tenant,
]

"""The id of the installation binds access tokens to the database, without a setting and without queries."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import CommandError, call_command
from django.db import Error, OperationalError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext, override_settings
from rest_framework.test import APIClient

from drf_tessera import installation, sessions
from drf_tessera.exceptions import ProjectError, TemporarilyUnavailable, TokenWrongIssuer
from drf_tessera.installation import read_installation_id, renew_installation
from drf_tessera.models import Installation
from drf_tessera.tokens import get_issuer, verify_access_token
from drf_tessera.tokens.keystore import _get_holder
from drf_tessera.workers import readers
from tests.conftest import bearer, log_in
from tests.servers import PATIENCE, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore the row of the database and the memory of this process for the other tests."""
    before = dict(installation._known)
    yield
    monkeypatch.undo()
    call_command("migrate", "tessera", verbosity=0)  # it reads the row that the test has left
    Installation.objects.update(name=before[""])
    installation._known.clear()
    installation._known.update(before)


def forget() -> None:
    """Make this process like a new one."""
    installation._known.clear()


@pytest.mark.slow
def test_the_default_issuer_has_the_id_of_the_row() -> None:
    assert get_issuer() == f"drf-tessera:{Installation.objects.get().name}"


@pytest.mark.slow
@pytest.mark.parametrize("empty", [None, ""])
def test_an_issuer_of_the_project_takes_precedence(empty: str | None, anna: AbstractBaseUser) -> None:
    with override_settings(TESSERA={"ISSUER": "https://api.example.com"}):
        forget()
        grant = sessions.start(anna)
        assert verify_access_token(grant.access)["iss"] == "https://api.example.com"
        assert installation._known == {}
    with override_settings(TESSERA={"ISSUER": empty}):
        assert get_issuer() == f"drf-tessera:{read_installation_id()}"


def test_an_id_is_random() -> None:
    names = {renew_installation() for _ in range(5)}
    assert len(names) == 5
    assert {len(name) for name in names} == {22}


@pytest.mark.slow
def test_a_token_of_another_installation_is_refused_although_the_secret_key_is_the_same(
    api: APIClient, anna: AbstractBaseUser
) -> None:
    tokens = log_in(api, anna)
    assert api.get("/me/", **bearer(tokens["access"])).status_code == 200
    # Another database: it has another id, and somebody else may have this primary key.
    renew_installation()
    with pytest.raises(TokenWrongIssuer):
        verify_access_token(str(tokens["access"]))
    answer = api.get("/me/", **bearer(tokens["access"]))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_wrong_issuer")


@pytest.mark.slow
def test_another_id_costs_each_client_one_refresh(api: APIClient, anna: AbstractBaseUser) -> None:
    tokens = log_in(api, anna)
    renew_installation()
    answer = api.post("/api/token/refresh/", {"refresh": tokens["refresh"]})
    assert answer.status_code == 200
    assert api.get("/me/", **bearer(answer.json()["access"])).status_code == 200


def test_a_process_reads_the_id_once(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    asked, select = list[str](), installation._select

    def record() -> str | None:
        asked.append(threading.current_thread().name)
        return select()

    monkeypatch.setattr(installation, "_select", record)
    for _ in range(3):
        read_installation_id()
    assert len(asked) == 1
    assert installation._readers == {}


@pytest.mark.slow
def test_a_database_that_hangs_holds_no_request_of_a_new_process(
    own_crews: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that replaces its processes now and then may do so during the outage."""
    forget()
    may_answer, select = threading.Event(), installation._select

    def hang() -> str | None:
        assert may_answer.wait(PATIENCE)
        return select()

    monkeypatch.setattr(readers, "LEAST_PATIENCE", 0.01)
    monkeypatch.setattr(installation, "_select", hang)
    with override_settings(TESSERA={"REVOCATION_POLL": timedelta(milliseconds=1)}):
        for _ in range(3):
            with pytest.raises(TemporarilyUnavailable):
                read_installation_id()
        may_answer.set()
        wait_until(lambda: bool(installation._known), "the reading does not end")
        assert read_installation_id()
    wait_until(lambda: installation._readers == {}, "the reader is kept")


def test_the_readers_of_tenants_that_do_not_exist_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database hangs, strangers may invent host names, and each may be the name of a tenant."""
    monkeypatch.setattr(installation, "MAX_TENANTS", 2)
    monkeypatch.setattr(installation, "_readers", {})
    for number in range(5):
        installation._find_reader(str(number))
        assert len(installation._readers) <= 2


@pytest.mark.slow
def test_no_login_refresh_or_request_asks_again(
    api: APIClient, anna: AbstractBaseUser, still_feed: None
) -> None:
    tokens = log_in(api, anna)
    with CaptureQueriesContext(connection) as queries:
        api.get("/me/", **bearer(tokens["access"]))
        api.post("/api/token/refresh/", {"refresh": tokens["refresh"]})
    assert [query["sql"] for query in queries if "tessera_installation" in query["sql"]] == []


def test_the_id_is_created_when_it_is_read() -> None:
    Installation.objects.all().delete()
    forget()
    found = read_installation_id()
    assert Installation.objects.get().name == found
    assert len(found) == 22


@pytest.mark.slow
def test_processes_that_create_the_id_at_the_same_time_agree() -> None:
    Installation.objects.all().delete()
    made: list[str] = []
    barrier = threading.Barrier(4)

    def create(name: str) -> None:
        barrier.wait()
        made.append(installation._create("default", name))
        connection.close()

    threads = [threading.Thread(target=create, args=(f"{number:022}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [Installation.objects.get().name] * 4


def test_an_id_that_is_rolled_back_is_forgotten() -> None:
    Installation.objects.all().delete()
    forget()
    with transaction.atomic():
        lost = read_installation_id()
        transaction.set_rollback(True)
    found = read_installation_id()
    assert found != lost
    assert Installation.objects.get().name == found


def test_the_id_is_read_inside_a_broken_transaction() -> None:
    expected = read_installation_id()
    forget()
    with transaction.atomic():
        with pytest.raises(Error):
            connection.cursor().execute("SELECT nothing FROM nowhere")
        transaction.set_rollback(True)
        assert read_installation_id() == expected


def test_a_broken_transaction_without_a_row_is_a_passing_trouble() -> None:
    Installation.objects.all().delete()
    forget()
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TemporarilyUnavailable):
            read_installation_id()
    assert read_installation_id() == Installation.objects.get().name


@pytest.mark.slow
def test_a_flush_keeps_the_id() -> None:
    before = read_installation_id()
    call_command("flush", interactive=False, verbosity=0)
    assert Installation.objects.get().name == before


@pytest.mark.slow
def test_migrate_creates_the_id_of_another_process() -> None:
    Installation.objects.all().delete()
    forget()
    call_command("migrate", "tessera", verbosity=0)
    assert Installation.objects.get().name == read_installation_id()


@pytest.mark.slow
def test_migrate_leaves_a_row_alone() -> None:
    before = read_installation_id()
    forget()
    call_command("migrate", "tessera", verbosity=0)
    assert read_installation_id() == before


class Elsewhere:
    """A router that keeps our tables out of the database that is being migrated."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if app_label == "tessera" else None


class Other:
    """A router that writes our tables to another database."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "other" if model._meta.app_label == "tessera" else None


def test_migrate_creates_nothing_where_the_table_does_not_belong() -> None:
    Installation.objects.all().delete()
    with override_settings(DATABASE_ROUTERS=["tests.test_installation.Elsewhere"]):
        installation._follow_migrate(using="default")
    assert not Installation.objects.exists()


@pytest.mark.slow
def test_migrate_of_another_database_does_not_change_what_this_process_knows() -> None:
    forget()  # other tests may have left other tenants
    before = read_installation_id()
    Installation.objects.all().delete()
    with override_settings(DATABASE_ROUTERS=["tests.test_installation.Other"]):
        installation._follow_migrate(using="default")
    assert Installation.objects.get().name != before
    assert installation._known == {"": before}


@pytest.fixture
def no_table() -> Iterator[None]:
    call_command("migrate", "tessera", "zero", verbosity=0)
    forget()
    yield
    call_command("migrate", "tessera", verbosity=0)


@pytest.mark.slow
@pytest.mark.usefixtures("no_table")
def test_without_the_table_the_error_says_what_to_do() -> None:
    for read in (read_installation_id, installation.read_installation, renew_installation):
        with pytest.raises(ProjectError, match=r"manage\.py migrate"):
            read()


def test_a_table_that_must_not_be_read_is_a_mistake_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(using: str) -> Any:
        raise ProgrammingError("permission denied for table tessera_installation")

    monkeypatch.setattr(installation, "_rows", refuse)
    with pytest.raises(ProjectError, match="permission denied"):
        installation.read_installation()


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A database that does not answer until the list is emptied."""
    answers: list[int] = [1]
    rows = installation._rows

    def break_down(using: str) -> Any:
        if answers:
            raise OperationalError("server closed the connection unexpectedly")
        return rows(using)

    monkeypatch.setattr(installation, "_rows", break_down)
    forget()
    return answers


def test_without_the_database_the_error_is_temporary_and_the_next_call_tries_again(down: list[int]) -> None:
    for read in (read_installation_id, installation.read_installation, renew_installation):
        with pytest.raises(TemporarilyUnavailable):
            read()
    down.clear()
    assert read_installation_id()


@pytest.mark.slow
def test_an_unknown_id_is_a_503_for_those_who_need_it(
    api: APIClient, anna: AbstractBaseUser, down: list[int]
) -> None:
    down.clear()
    tokens = log_in(api, anna)
    down.append(1)
    forget()
    _get_holder.forget()  # like a new process: no token is remembered
    answer = api.get("/me/", **bearer(tokens["access"]))
    assert (answer.status_code, answer.json()["code"]) == (503, "temporarily_unavailable")
    assert api.get("/public/").status_code == 200, "an anonymous request does not need the id"
    down.clear()
    assert api.get("/me/", **bearer(tokens["access"])).status_code == 200


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("tessera_installation", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_shows_the_id() -> None:
    out, err = run()
    assert out == f"{read_installation_id()}\n"
    assert Installation.objects.get().created_at.isoformat() in err


def test_the_command_renews_the_id() -> None:
    before = read_installation_id()
    out, err = run("--renew")
    assert out.strip() == Installation.objects.get().name == read_installation_id() != before
    assert "Restart" in err


@pytest.mark.slow
@pytest.mark.usefixtures("no_table")
def test_the_command_says_what_is_wrong() -> None:
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        run()


@pytest.mark.slow
def test_the_row_can_be_named_in_messages() -> None:
    assert str(Installation.objects.get()) == read_installation_id()
    Installation.objects.all().delete()
    assert installation.read_installation() is None
    assert run() == (f"{read_installation_id()}\n", "")


TWO_INSTALLATIONS = """
import os, sys
from django.conf import settings
settings.configure(
    SECRET_KEY="one secret key of two installations, which is long enough",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "drf_tessera"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
)
import django
django.setup()
from django.contrib.auth import get_user_model
from drf_tessera import exceptions, sessions
from drf_tessera.tokens import verify_access_token
if sys.argv[2] == "issue":
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    user = get_user_model().objects.create_user(sys.argv[3], is_superuser=sys.argv[3] == "root")
    assert user.pk == 1
    grant = sessions.start(user)
    print(grant.access, grant.refresh)
else:
    try:
        verify_access_token(sys.argv[3])
    except exceptions.TesseraError as error:
        print(error.code, end=" ")
    else:
        print("accepted", end=" ")
    try:
        sessions.refresh(sys.argv[4])
    except exceptions.TesseraError as error:
        print(error.code)
    else:
        print("accepted")
"""


@pytest.mark.long
@pytest.mark.once
def test_two_installations_with_one_secret_key_refuse_the_tokens_of_each_other(tmp_path: Path) -> None:
    def call(*arguments: str) -> list[str]:
        command = [sys.executable, "-c", TWO_INSTALLATIONS, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        return done.stdout.split()

    own = {name: call(str(tmp_path / name), "issue", name) for name in ("user", "root")}
    for name, tokens in own.items():
        for where in own:
            expected = (
                ["accepted", "accepted"] if where == name else ["token_wrong_issuer", "session_unknown"]
            )
            assert call(str(tmp_path / where), "verify", *tokens) == expected

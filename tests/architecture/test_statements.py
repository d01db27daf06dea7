"""Each statement of each test is judged by who sent it, and each kind of second writer is found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import connections

from drf_tessera import sessions
from drf_tessera.models import Revocation, Session
from tests.architecture import statements

SECOND_WRITERS = {
    "by a module": "from drf_tessera import models\nmodels.Session.objects.update(label='')",
    "by a shortcut": (
        "from django.shortcuts import get_object_or_404\nfrom drf_tessera.models import Session\n"
        "get_object_or_404(Session, pk=pk).delete()"
    ),
    "by a label": (
        "from django.apps import apps\napps.get_model('tessera', 'Session').objects.update(label='')"
    ),
    "by an attribute": "from drf_tessera.models import Session\ngetattr(Session.objects, 'update')(label='')",
    "by a type": "type(row).objects.update(label='')",
    "by a row of unknown type": "row.save()",
    "below Django's signals": "row.save_base()",
    "below Django's collector": "type(row).objects.all()._raw_delete('default')",
    "by rows together": "type(row).objects.bulk_update([row], ['label'])",
    "by SQL": (
        "from django.db import connection\nwith connection.cursor() as cursor:\n"
        "    cursor.execute('UPDATE tessera_session SET label = %s', [''])"
    ),
    "by SQL for many": (
        "from django.db import connection\nwith connection.cursor() as cursor:\n"
        "    cursor.executemany('UPDATE tessera_session SET label = %s', [('',), ('x',)])"
    ),
    "by the name of the table": (
        "from django.db import connection\nwith connection.cursor() as cursor:\n"
        "    cursor.execute(f'DELETE FROM {row._meta.db_table}')"
    ),
    "by the deletion of a user": "row.user.delete()",
    "by a repetition": (
        "from drf_tessera.database import persist\npersist(lambda: type(row).objects.update(label=''))"
    ),
}


@pytest.fixture
def row(anna: AbstractBaseUser) -> Session:
    return Session.objects.get(pk=sessions.start(anna).session_id)


@pytest.mark.parametrize("code", SECOND_WRITERS.values(), ids=SECOND_WRITERS)
def test_a_second_writer_is_found(code: str, row: Session) -> None:
    _run("login", code, row=row, pk=row.pk)
    assert _take_found() == {"login writes Session, whose only writer is sessions.rows"}


def _run(module: str, code: str, **names: Any) -> None:
    """Run ``code`` as if it stood in a module of the package."""
    file = statements.ROOT / f"{module.replace('.', '/')}.py"
    exec(compile(code, str(file), "exec"), names)  # noqa: S102 - the code is the table above


def _take_found() -> set[str]:
    found = {entry.partition(":")[0] for entry in statements.found}
    statements.found.clear()
    return found


@pytest.mark.parametrize("module", ["sessions.revoking", "sessions.rows", "database", "models", "admin"])
def test_notices_have_one_writer_too(module: str, row: Session) -> None:
    _run(module, "make.objects.create(session_id=pk, until=1)", make=Revocation, pk=row.pk)
    assert _take_found() == {f"{module} writes Revocation, whose only writer is revocation"}


@pytest.mark.parametrize("module", ["sessions.rows", "sessions.compiled"])
def test_the_writer_may_write(module: str, row: Session) -> None:
    _run(module, "row.save()", row=row)
    _run("revocation.stores", "make.objects.create(session_id=pk, until=1)", make=Revocation, pk=row.pk)
    assert _take_found() == set()


def test_a_test_may_write_also_inside_of_ours(row: Session) -> None:
    """Many tests write a row at a certain moment, by a hook or in the place of a function of ours."""
    _run("login", "hook()", hook=lambda: Session.objects.update(label="x"))
    assert _take_found() == set()


def test_a_read_is_not_a_write(row: Session) -> None:
    _run("login", "list(type(row).objects.all())", row=row)
    _run("login", "list(type(row).objects.select_for_update())", row=row)
    assert _take_found() == set()


@pytest.mark.parametrize("module", ["tokens.access", "http.client"])
def test_a_statement_of_a_room_without_the_orm_is_found(module: str, row: Session) -> None:
    _run(module, "rows.count()", rows=sessions.live_sessions(row.user_id))
    assert _take_found() == {
        f"{module} sends a statement, and {module.partition('.')[0]} does without the ORM"
    }


def test_the_deletion_of_a_user_is_a_write_of_the_code_that_deletes(
    row: Session, bob: AbstractBaseUser
) -> None:
    """Django deletes the rows of a user with the user. Our receivers have ended the sessions before that.

    If a project deletes a user, no module of ours deletes the rows. If a module of ours deletes a user, that
    module deletes rows of sessions too, and the guard finds it.
    """
    row.user.delete()
    assert not Session.objects.filter(pk=row.pk).exists()
    assert Revocation.objects.filter(session_id=row.pk).exists()
    assert _take_found() == set()


@pytest.mark.django_db(transaction=True)
def test_each_thread_is_watched(row: Session) -> None:
    code = "try:\n    type(row).objects.update(label='')\nfinally:\n    connections.close_all()"
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_run, "login", code, row=row, connections=connections).result()
    assert _take_found() == {"login writes Session, whose only writer is sessions.rows"}

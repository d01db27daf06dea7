"""The tenant on which a command acts: it is named, or it is told, and it is never the default one quietly."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import CommandError, call_command, get_commands
from django.db import InterfaceError, OperationalError, connections

from drf_tessera import sessions
from drf_tessera.conf import current_tenant, use_tenant
from drf_tessera.database import find_database
from drf_tessera.keys import find_book
from drf_tessera.management import places
from drf_tessera.models import SessionQuerySet, SigningKey

pytestmark = pytest.mark.django_db

COMMANDS = [
    ("tessera_revoke", "--all", "--no-input"),
    ("tessera_prune",),
    ("tessera_installation",),
    ("tessera_import_simplejwt",),
    ("flushexpiredtokens",),
]
ROUTERS = ["tests.management.test_places.Router"]


class Router:
    """A router that asks for the tenant. There is one database."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"


def run(*arguments: str) -> str:
    """Run a command, and return what it writes to stderr."""
    err = StringIO()
    call_command(*arguments, stdout=StringIO(), stderr=err)
    return err.getvalue()


def prune(*arguments: str) -> str:
    return run("tessera_prune", *arguments)


@pytest.fixture
def project(settings: Any) -> Any:
    """Return the settings of a project with a function for tenants, which knows none without a request."""
    settings.TESSERA = {"TENANT": lambda request: ""}
    return settings


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
@pytest.mark.usefixtures("same_second")
class TestEachCommand:
    def test_without_tenants_it_needs_no_option_and_says_nothing(self, command: tuple[str, ...]) -> None:
        assert "In the" not in run(*command)
        assert "In the database 'default'.\n" in run(*command, "--database", "default")

    def test_with_a_router_it_must_be_told_the_tenant(self, command: tuple[str, ...], project: Any) -> None:
        project.DATABASE_ROUTERS = ROUTERS
        with pytest.raises(CommandError, match="--tenant"):
            run(*command)
        assert "In the database 'default'.\n" in run(*command, "--tenant", "acme", "--database", "default")

    def test_with_one_table_it_says_that_it_acts_on_all(self, command: tuple[str, ...], project: Any) -> None:
        assert "In all tenants in the database 'default'.\n" in run(*command)
        with pytest.raises(CommandError, match="share the tables"):
            run(*command, "--tenant", "acme")


@pytest.mark.parametrize("command", [*COMMANDS, ("tessera_keys", "rotate")])
def test_an_outage_is_an_exit_code_and_not_a_traceback(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, settings: Any, anna: AbstractBaseUser
) -> None:
    settings.TESSERA = KEYS
    find_book.forget()

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(connections["default"], "cursor", fail)
    with pytest.raises(CommandError) as caught:
        run(*command)
    assert caught.value.returncode == 3


def test_no_command_of_ours_is_missing_here() -> None:
    found = {
        name
        for name, app in get_commands().items()
        if str(app).startswith(("drf_tessera", "rest_framework_simplejwt", "rest_framework_jwt"))
    }
    elsewhere = {"tessera_migrate_check", "tessera_setup", "tessera_inspect", "tessera_keys"}
    assert found == {command[0] for command in COMMANDS} | elsewhere


def inspect(token: str, *arguments: str) -> str:
    out, err = StringIO(), StringIO()
    call_command("tessera_inspect", token, *arguments, stdout=out, stderr=err)
    assert "accepts the token" in out.getvalue()
    return err.getvalue()


@pytest.mark.parametrize("routers", [[], ROUTERS])
def test_a_token_is_inspected_by_the_tenant_that_issued_it(
    anna: AbstractBaseUser, project: Any, routers: list[str]
) -> None:
    """The keys depend on the tenant, and not on the table. So the name counts with one table too."""
    project.DATABASE_ROUTERS = routers
    with use_tenant("acme"):
        token = sessions.start(anna).access
    options = ["--database", "default"] if routers else []
    assert inspect(token, "--tenant", "acme", *options) == "In the tenant 'acme'.\n"
    with pytest.raises(CommandError, match="refuses"):
        inspect(token, "--tenant", "other", *options)
    with pytest.raises(CommandError, match="--tenant"):
        inspect(token, *options)


KEYS = {"KEYS": [{"alg": "Ed25519", "database": True}]}
KEY_TASKS = [("list",), ("rotate",), ("rotate", "--if-due"), ("retire", "x", "--now"), ("export",)]


class TestKeys:
    """The keys depend on the tenant, also if the tenants share the table of the keys."""

    @pytest.fixture
    def project(self, settings: Any) -> Any:
        settings.TESSERA = {"TENANT": lambda request: "", **KEYS}
        return settings

    @pytest.mark.parametrize("task", KEY_TASKS)
    @pytest.mark.parametrize("routers", [[], ROUTERS])
    def test_no_task_takes_a_tenant_that_nobody_named(
        self, project: Any, routers: list[str], task: tuple[str, ...]
    ) -> None:
        project.DATABASE_ROUTERS = routers
        with pytest.raises(CommandError, match="--tenant"):
            run("tessera_keys", *task)
        assert not SigningKey.objects.exists()

    @pytest.mark.parametrize("routers", [[], ROUTERS])
    def test_a_key_is_made_and_withdrawn_for_the_tenant_alone(self, project: Any, routers: list[str]) -> None:
        project.DATABASE_ROUTERS = routers
        place = ["--tenant", "acme", *(["--database", "default"] if routers else [])]
        assert run("tessera_keys", "rotate", *place) == "In the tenant 'acme'.\n"
        (key,) = SigningKey.objects.all()
        assert key.tenant == "acme"
        other = ["--tenant", "other", *place[2:]]
        with pytest.raises(CommandError, match="0 keys"):
            run("tessera_keys", "retire", key.kid, "--now", *other)
        key.refresh_from_db()
        assert key.revoked_at is None
        run("tessera_keys", "retire", key.kid, "--now", *place)
        key.refresh_from_db()
        assert key.revoked_at is not None

    def test_a_new_key_that_is_not_stored_needs_no_tenant(self, project: Any) -> None:
        assert run("tessera_keys", "generate") == ""

    def test_with_schemas_it_never_takes_the_public_one(self, schemas: Schemas, settings: Any) -> None:
        settings.TESSERA = {**settings.TESSERA, **KEYS}
        with pytest.raises(CommandError, match="--tenant"):
            run("tessera_keys", "list")
        assert run("tessera_keys", "list", "--tenant", "acme") == "In the schema 'acme'.\n"


def test_a_tenant_needs_tenants() -> None:
    with pytest.raises(CommandError, match="TESSERA"):
        prune("--tenant", "acme")


def test_a_database_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CommandError, match="DATABASES"):
        prune("--database", "nowhere")


def test_a_tenant_without_a_name_is_refused_as_the_setting_says(project: Any) -> None:
    project.DATABASE_ROUTERS = ROUTERS
    with pytest.raises(CommandError, match="printable"):
        prune("--tenant", "two\nlines")


def test_the_router_must_know_the_tenant_too(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would choose the database of another tenant, or the default one."""
    project.DATABASE_ROUTERS = ROUTERS
    with pytest.raises(CommandError, match="--database"):
        prune("--tenant", "acme")
    project.TESSERA = {"TENANT": lambda request: "acme"}
    assert prune("--tenant", "acme") == prune() == "In the database 'default'.\n"


def test_the_tenant_and_the_database_are_in_use_during_the_command(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.DATABASE_ROUTERS = ROUTERS
    used = []
    monkeypatch.setattr(
        sessions, "prune", lambda **options: used.append((current_tenant(), find_database())) or 0
    )
    prune("--tenant", "acme", "--database", "default")
    assert used == [("acme", "default")]


def test_a_missing_table_says_what_to_do(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Exception] = [OperationalError("no such table: tessera_session"), OperationalError("syntax")]

    def fail(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise errors[0]

    monkeypatch.setattr(SessionQuerySet, "filter", fail)
    with pytest.raises(CommandError, match=r"manage\.py migrate.*tessera_session"):
        prune()
    del errors[0]
    with pytest.raises(OperationalError, match="syntax"):
        prune()


class Schemas:
    """The additions of django-tenants to a connection. tests/tenants has a real one."""

    def __init__(self, connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self._connection, self._patch = connection, monkeypatch
        monkeypatch.setattr(connection, "include_public_schema", True, raising=False)
        monkeypatch.setattr(connection, "set_tenant", lambda tenant, _: self.use(tenant), raising=False)
        monkeypatch.setattr(connection, "set_schema", self.use, raising=False)
        self.use("public")

    def use(self, name: str) -> None:
        for attribute in ("tenant", "schema_name"):
            self._patch.setattr(self._connection, attribute, name, raising=False)


@pytest.fixture
def schemas(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Schemas]:
    settings.TESSERA = {"TENANT": lambda request: str(connections["default"].schema_name)}  # type: ignore[attr-defined]
    monkeypatch.setattr(places, "has_schema", lambda alias, name: name == "acme")
    return Schemas(connections["default"], monkeypatch)  # type: ignore[return-value]


class TestSchemas:
    def test_the_public_schema_is_never_taken_quietly(self, schemas: Schemas) -> None:
        with pytest.raises(CommandError, match="--tenant"):
            prune()
        assert prune("--tenant", "public") == "In the schema 'public'.\n"

    def test_a_tenant_is_a_schema(self, schemas: Schemas) -> None:
        assert prune("--tenant", "acme") == "In the schema 'acme'.\n"
        assert current_tenant() == "public"
        with pytest.raises(CommandError, match="nowhere"):
            prune("--tenant", "nowhere")

    def test_tenant_command_of_django_tenants_chooses_the_schema(self, schemas: Schemas) -> None:
        schemas.use("acme")
        assert prune() == "In the schema 'acme'.\n"


def test_a_schema_is_looked_up_among_the_tenants(settings: Any) -> None:
    settings.TENANT_MODEL = "contenttypes.ContentType"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "_SCHEMA", "app_label")
        assert places.has_schema("default", "auth")
        assert not places.has_schema("default", "nowhere")

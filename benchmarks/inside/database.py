"""The peer's database: created, filled with users, and dropped."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection, connections

PASSWORD = "a password of the benchmarks"


def create(*, users: int) -> None:
    """Create a new database, with its tables and ``users`` users."""
    drop()
    if connection.vendor == "sqlite":
        Path(settings.DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    else:
        _administer(f'CREATE DATABASE "{settings.DATABASES["default"]["NAME"]}"')
    call_command("migrate", verbosity=0, stdout=io.StringIO())
    add_users(users)
    if connection.vendor == "postgresql":
        run("ANALYZE")


def drop() -> None:
    """Drop the database, if it exists."""
    connections.close_all()
    name = settings.DATABASES["default"]["NAME"]
    if connection.vendor == "sqlite":
        Path(name).unlink(missing_ok=True)
    else:
        _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def add_users(count: int) -> None:
    """Add users. Each user has an e-mail address, and all users have the same password."""
    model = get_user_model()
    password = make_password(PASSWORD)
    model.objects.bulk_create(
        [
            model(username=f"user{number}", email=f"user{number}@example.com", password=password)
            for number in range(count)
        ],
        batch_size=1000,
    )


def run(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Execute one statement and return its rows, if it has rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def forget_durability() -> None:
    """Do not wait for the disk in this connection. Use this only where no time is measured."""
    run("SET synchronous_commit = off")


def describe() -> dict[str, str]:
    """Return the server's version and the settings that determine the duration of a commit."""
    names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
    return {name: run(f"SHOW {name}")[0][0] for name in names}


def _administer(statement: str) -> None:
    """Execute a statement in the database that always exists."""
    import psycopg

    given = settings.DATABASES["default"]
    with psycopg.connect(
        host=given["HOST"],
        port=given["PORT"],
        user=given["USER"],
        password=given["PASSWORD"],
        dbname="postgres",
        autocommit=True,
    ) as administration:
        administration.execute(statement)

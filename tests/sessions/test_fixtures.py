"""Sessions and users survive ``dumpdata`` and ``loaddata``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import call_command

from drf_tessera import sessions
from drf_tessera.exceptions import SessionRevoked
from drf_tessera.models import Revocation, Session
from drf_tessera.revocation.feed import get_feed

pytestmark = pytest.mark.django_db
MODELS = (get_user_model(), Session, Revocation)


def read_rows() -> list[dict[str, Any]]:
    rows = [row for model in MODELS for row in model._default_manager.order_by("pk").values()]
    return [{name: _cut(value) for name, value in row.items()} for row in rows]


def _cut(value: Any) -> Any:
    """Return a moment in whole milliseconds, because Django writes only those."""
    whole = value.microsecond // 1000 * 1000 if isinstance(value, datetime) else 0
    return value.replace(microsecond=whole) if isinstance(value, datetime) else value


@pytest.mark.parametrize("natural", [False, True])
def test_every_column_survives(anna: AbstractBaseUser, tmp_path: Path, natural: bool) -> None:
    live, ended = sessions.start(anna), sessions.start(anna)
    sessions.revoke(ended.session_id)
    rows, fixture = read_rows(), tmp_path / "dump.json"
    keys = {"use_natural_foreign_keys": natural, "use_natural_primary_keys": natural}
    call_command("dumpdata", "auth.user", "tessera", output=str(fixture), verbosity=0, **keys)
    assert "tsr_" not in fixture.read_text()
    for model in reversed(MODELS):
        model._default_manager.all()._raw_delete("default")
    for _ in range(2):  # into empty tables, and over rows that are there
        call_command("loaddata", str(fixture), verbosity=0)
        found = read_rows()
        if natural:  # then the user has another key
            key = get_user_model()._default_manager.get().pk
            found, rows = _replace_keys(found, key), _replace_keys(rows, key)
        assert found == rows
    get_feed.forget()
    if not natural:
        assert sessions.refresh(str(live.refresh)).access
        with pytest.raises(SessionRevoked):
            sessions.refresh(str(ended.refresh))


def _replace_keys(rows: list[dict[str, Any]], key: Any) -> list[dict[str, Any]]:
    changed = [{**row, **({"user_id": key} if "user_id" in row else {})} for row in rows]
    return [{**row, "id": key} if "password" in row else row for row in changed]

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import CommandError, call_command
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.models import Session

pytestmark = pytest.mark.django_db


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [StringIO, Terminal])
def test_reports_its_progress_and_its_result(anna: AbstractBaseUser, stream: Any) -> None:
    for _ in range(3):
        sessions.start(anna, now=timezone.now() - timedelta(days=100))
    sessions.start(anna)
    out, err = StringIO(), stream()
    call_command("tessera_prune", "--batch-size", "2", stdout=out, stderr=err)
    assert out.getvalue() == "3 sessions deleted.\n"
    separator = "" if stream is Terminal else "\n"
    assert err.getvalue().rstrip("\n") == f"\r2 deleted{separator}\r3 deleted"
    assert Session.objects.count() == 1


def test_keeps_recently_ended_sessions(anna: AbstractBaseUser) -> None:
    sessions.start(anna, now=timezone.now() - timedelta(days=14, hours=1))
    out = StringIO()
    call_command("tessera_prune", stdout=out, stderr=StringIO())
    call_command("tessera_prune", "--keep-days", "0", stdout=out, stderr=StringIO())
    assert out.getvalue() == "0 sessions deleted.\n1 sessions deleted.\n"


@pytest.mark.parametrize("options", [["--keep-days", "-1"], ["--batch-size", "0"], ["--keep-days", "nan"]])
def test_refuses_numbers_that_make_no_sense(options: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("tessera_prune", *options)

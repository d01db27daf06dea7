"""A task in another process gets ``request.user``, looked at or not."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.test import RequestFactory
from rest_framework.request import Request

from drf_tessera import JWTAuthentication, sessions
from tests.conftest import bearer

pytestmark = [pytest.mark.django_db, pytest.mark.once]

WORKER = """
import pickle, sys
from django.conf import settings
settings.configure(
    SECRET_KEY="the secret key of the worker, which has another one",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "drf_tessera"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
call_command("migrate", verbosity=0)
with CaptureQueriesContext(connection) as queries:
    user, loaded = pickle.loads(sys.stdin.buffer.read())
    assert isinstance(user, User) and (loaded.email, len(queries)) == ("anna@example.com", 0)
    assert user.pk == loaded.pk
User.objects.create_user("anna", "of-the-worker@example.com", pk=user.pk)
with CaptureQueriesContext(connection) as queries:
    assert (user.email, type(user), len(queries)) == ("of-the-worker@example.com", User, 1)
User.objects.all().delete()
user = pickle.loads(pickle.dumps(user))
print(user.email)
"""


@pytest.mark.slow
def test_a_worker_loads_the_user_from_its_own_database(anna: AbstractBaseUser) -> None:
    def find_user() -> AbstractBaseUser:
        request = RequestFactory().get("/", **bearer(sessions.start(anna).access))
        return Request(request, authenticators=[JWTAuthentication()]).user

    loaded = find_user()
    assert loaded.email  # type: ignore[attr-defined]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WORKER],
        input=pickle.dumps([find_user(), loaded]),
        cwd=Path(__file__).parent,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"of-the-worker@example.com\n"), done.stderr.decode()[-2000:]

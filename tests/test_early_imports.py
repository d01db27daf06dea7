"""A module of the project that is loaded early may import the package.

A user model's own module is loaded before the user model is there. Tutorials do this: ``def tokens(self):
return RefreshToken.for_user(self)`` with the import at the top. The module of a default authentication class
is loaded while REST framework's views are being imported.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.house import PUBLIC, read_house, read_sources

pytestmark = [pytest.mark.once, pytest.mark.slow]  # each in a process of its own

ROOT = Path(__file__).parent.parent

LATE = {"backends"}
"""It imports Django's authentication backends, which need the user model when they are imported."""

NOT_FOR_MODELS = {"admin", "apps", "management"}
"""Django itself imports them, after the models."""

COMPAT = [
    *(
        "rest_framework_simplejwt.tokens",
        "rest_framework_simplejwt.settings",
        "rest_framework_simplejwt.exceptions",
    ),
    *("rest_framework_jwt.utils", "rest_framework_jwt.settings"),
]

PROJECT = """
import sys, types
from django.conf import settings

first = sys.argv[2] == "first"
ours = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "drf_tessera"]
settings.configure(
    SECRET_KEY="the secret key of this project alone, and of no other",
    INSTALLED_APPS=["people", *ours] if first else [*ours, "people"],
    AUTH_USER_MODEL="people.User",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    ROOT_URLCONF="people",
)
people = types.ModuleType("people")
people.__path__ = [sys.argv[3]]
people.urlpatterns = []
sys.modules["people"] = people
import django
django.setup()
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
user = get_user_model().objects.create_user("anna", password="x")
from drf_tessera import sessions
from drf_tessera.tokens import verify_access_token
assert verify_access_token(sessions.start(user).access).sub == str(user.pk)
assert not [found for found in run_checks() if found.id.startswith("tessera.")]
"""

MODELS = """
import {module}
from django.contrib.auth.models import AbstractUser

class User(AbstractUser):
    pass
"""

AUTHENTICATION = """
import sys
from django.conf import settings

sys.path.insert(0, sys.argv[1])
settings.configure(
    SECRET_KEY="the secret key of this project alone, and of no other",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "drf_tessera"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["own_authentication.Own"]},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
import django
django.setup()
from rest_framework.views import APIView
assert [found.__name__ for found in APIView.authentication_classes] == ["Own"]
"""

OWN = """
{imports}
from rest_framework.authentication import BaseAuthentication

class Own(BaseAuthentication):
    pass
"""

BESIDE_VIEWS = {
    "rest_framework_simplejwt": (
        *("serializers", "authentication", "backends", "exceptions", "models"),
        *("settings", "state", "tokens", "utils"),
    ),
    "rest_framework_jwt": ("serializers", "authentication", "compat", "settings", "utils"),
    "drf_tessera": ("rest.serializers", "rest.authentication", "rest.throttling", "sessions", "tokens"),
}
"""Modules that an authentication class of a project may import. dj-rest-auth's class imports serializers."""


def list_doors() -> list[str]:
    """Return the doors, and the modules of the rooms without a door."""
    house = read_house(read_sources())
    rooms = [room for room in house.rooms if room in {*PUBLIC} - NOT_FOR_MODELS]
    inside = [f"rest.{place}" for place, _ in house.list_places("rest") if place != "urls"]
    return ["drf_tessera", *(f"drf_tessera.{name}" for name in [*rooms, *inside])]


def start(module: str, place: str, folder: Path) -> tuple[int, str]:
    (folder / "models.py").write_text(MODELS.format(module=module))
    command = [sys.executable, "-W", "ignore", "-c", PROJECT, module, place, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr[-2000:]


OFTEN = ("drf_tessera", "drf_tessera.models", "drf_tessera.rest", "drf_tessera.sessions", "drf_tessera.users")
"""The modules that user models import most. Each test has a process of its own."""


@pytest.mark.parametrize(
    ("module", "place"),
    [
        *(
            pytest.param(module, "first", marks=() if module in OFTEN else pytest.mark.long)
            for module in [*list_doors(), *COMPAT]
        ),
        *((f"drf_tessera.{room}", "last") for room in ("sessions", "tokens")),
    ],
)
def test_a_user_model_may_import(module: str, place: str, tmp_path: Path) -> None:
    code, errors = start(module, place, tmp_path)
    if module.removeprefix("drf_tessera.") in LATE:
        assert code, "It can be imported now. Remove it from the table."
        assert "that has not been installed" in errors or "Apps aren't loaded yet" in errors
    else:
        assert code == 0, errors


@pytest.mark.parametrize("package", BESIDE_VIEWS)
def test_a_default_authentication_class_may_import(package: str, tmp_path: Path) -> None:
    imports = "\n".join(f"import {package}.{module}" for module in BESIDE_VIEWS[package])
    (tmp_path / "own_authentication.py").write_text(OWN.format(imports=imports))
    command = [sys.executable, "-W", "ignore", "-c", AUTHENTICATION, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

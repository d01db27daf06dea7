"""A project in one file, run by test_distributions.py with an interpreter that has the wheels alone."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from django.urls import include, path

OURS = ("drf_tessera", "rest_framework_simplejwt", "rest_framework_jwt")

settings.configure(
    SECRET_KEY="a secret key of this smoke test, and of nothing else",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["testserver"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.staticfiles",
        "rest_framework",
        "drf_tessera",
        "rest_framework_simplejwt.token_blacklist",
    ],
    AUTHENTICATION_BACKENDS=["drf_tessera.backends.EmailBackend"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["drf_tessera.JWTAuthentication"]},
    STATIC_URL="static/",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
urlpatterns = [path("api/token/", include("drf_tessera.rest.urls"))]


def find_home(name: str) -> Path:
    """Return the folder of a package."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def main() -> None:
    """Use what the wheels contain."""
    for name in OURS:
        assert find_home(name).is_relative_to(sys.prefix), find_home(name)
        assert (find_home(name) / "py.typed").exists()
    connected = {point.name for point in importlib.metadata.entry_points(group="drf_tessera")}
    assert connected == {"simplejwt", "jwt", "spectacular", "opentelemetry"}
    assert finders.find("drf_tessera/client.js"), "the browser client is not among the static files"
    templates = find_home("drf_tessera") / "templates" / "admin" / "tessera" / "session"
    assert (templates / "end_all.html").exists(), "the pages of the admin are not in the wheel"

    call_command("check", fail_level="WARNING")
    call_command("migrate", verbosity=0)
    call_command("makemigrations", check=True, dry_run=True)
    call_command("tessera_prune")

    from django.contrib.auth.models import User

    User.objects.create_user("anna", "anna@example.com", "a long password")
    client = Client()
    body = {"email": "anna@example.com", "password": "a long password"}
    login = client.post("/api/token/", body, content_type="application/json").json()
    headers = {"authorization": f"Bearer {login['access']}"}
    assert client.get("/api/token/sessions/", headers=headers).status_code == 200
    body = {"refresh": login["refresh"]}
    assert client.post("/api/token/refresh/", body, content_type="application/json").status_code == 200
    assert client.post("/api/token/revoke/", body, content_type="application/json").json() == {
        "revoked": True
    }
    assert client.get("/api/token/sessions/", headers=headers).status_code == 401
    print("ok")  # noqa: T201 - the test reads this


if __name__ == "__main__":
    main()

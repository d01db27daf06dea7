"""``tessera_setup`` prints lines that fit the project, that can be pasted, and nothing else."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from django.urls import include, path

from drf_tessera.management.commands import tessera_setup

pytestmark = pytest.mark.django_db

urlpatterns = [path("api/token/mine/", lambda request: None)]


def run() -> tuple[str, str]:
    """Return the lines for the settings and for the urls."""
    out = io.StringIO()
    call_command("tessera_setup", stdout=out)
    first, second, last = out.getvalue().split("\n\n# ", 2) if "include" not in out.getvalue() else split(out)
    assert last.startswith("Then run:")
    return first, second


def split(out: io.StringIO) -> list[str]:
    head, _, rest = out.getvalue().partition("\n\n# ")
    urls, _, last = rest.partition("\n\n# Then")
    return [head, urls, f"Then{last}"]


def paste(lines: str, **before: Any) -> dict[str, Any]:
    """Execute the lines as a part of the settings."""
    space: dict[str, Any] = {"INSTALLED_APPS": [], **before}
    exec(lines, space)  # noqa: S102 - the lines are meant to be pasted into a file of Python
    return space


def test_a_project_that_is_set_up_misses_nothing(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["drf_tessera.JWTAuthentication"],
        "EXCEPTION_HANDLER": "drf_tessera.exception_handler",
        "NUM_PROXIES": 1,
    }
    settings.TESSERA = {"PROFILE": "api"}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
    settings.TESSERA["REVOCATION_CACHE"] = "default"
    assert [part.splitlines()[1:] for part in run()] == [["# Nothing is missing."]] * 2


def test_the_lines_keep_the_choices_of_the_project(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
        "PAGE_SIZE": 5,
    }
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.CSRF_TRUSTED_ORIGINS = ["https://shop.example"]
    found = paste(run()[0], REST_FRAMEWORK=settings.REST_FRAMEWORK)
    assert found["REST_FRAMEWORK"] == {
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "drf_tessera.JWTAuthentication",
            "rest_framework.authentication.SessionAuthentication",
        ],
        "PAGE_SIZE": 5,
        "EXCEPTION_HANDLER": "drf_tessera.exception_handler",
        "NUM_PROXIES": 1,
    }
    assert found["TESSERA"] == {"PROFILE": ["browser", "api"]}


def test_a_package_that_is_there_gets_its_lines(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"drf_spectacular", "axes", "django_otp"}
    monkeypatch.setattr(tessera_setup.apps, "is_installed", lambda name: name in names)
    settings.SIMPLE_JWT = {"ALGORITHM": "HS256"}
    settings.AXES_USERNAME_CALLABLE = "own.find"
    text = run()[0]
    found = paste(text, REST_FRAMEWORK={})
    assert found["INSTALLED_APPS"] == ["rest_framework"]
    assert found["REST_FRAMEWORK"]["DEFAULT_SCHEMA_CLASS"] == "drf_spectacular.openapi.AutoSchema"
    assert found["AXES_LOCKOUT_CALLABLE"] == "drf_tessera.contrib.axes.answer_lockout"
    assert "AXES_USERNAME_CALLABLE" not in found
    assert '# "CHALLENGE": "your.function",  # needed for django_otp' in text
    assert "tessera_migrate_check" in text


@pytest.mark.parametrize("unique", [True, False])
def test_a_login_by_address_needs_unique_addresses(
    settings: Any, monkeypatch: pytest.MonkeyPatch, unique: bool
) -> None:
    from django.contrib.auth.models import User

    settings.AUTHENTICATION_BACKENDS = ["own.Backend", "django.contrib.auth.backends.ModelBackend"]
    monkeypatch.setitem(vars(User._meta.get_field("email")), "unique", unique)
    expected = ["own.Backend", "drf_tessera.backends.EmailBackend"]
    text = run()[0]
    found = paste(text, REST_FRAMEWORK={})
    assert found.get("AUTHENTICATION_BACKENDS") == (expected if unique else None)
    assert ("tessera.W001" in text) is not unique


def test_a_redis_can_carry_the_news_of_logouts(settings: Any) -> None:
    settings.CACHES = {"news": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
    assert '# "REVOCATION_CACHE": "news",  # with many processes' in run()[0]


@pytest.mark.parametrize("redis", [True, False])
def test_a_cache_that_processes_do_not_share_is_told(monkeypatch: pytest.MonkeyPatch, redis: bool) -> None:
    monkeypatch.setattr(tessera_setup, "find_spec", lambda name: redis or None)
    text = run()[0]
    assert "each process counts failed logins alone" in text
    line = next(line for line in text.splitlines() if line.startswith("# CACHES"))
    assert ("RedisCache" in line) is redis
    assert ("createcachetable" in text) is not redis
    paste(line.removeprefix("# "))


def test_a_model_that_is_loaded_each_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tessera_setup, "find_obstacles", lambda model, tokens_name_tenant: ["its metaclass"])
    text = run()[0]
    assert '"USER": "database",  # its metaclass' in text


def test_settings_that_are_wrong_do_not_stop_the_command(settings: Any) -> None:
    settings.TESSERA = {"PROFILES": "api"}
    found = paste(run()[0], REST_FRAMEWORK={}, TESSERA=settings.TESSERA)
    assert found["TESSERA"] == {"PROFILES": "api", "PROFILE": "api"}


def test_the_databases_are_looked_at(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "AUTOCOMMIT", False)
    assert "AUTOCOMMIT of the database 'default'" in run()[0]
    monkeypatch.setattr(
        tessera_setup.router,
        "db_for_write",
        lambda model: "default" if model._meta.label == "auth.User" else "x",
    )
    assert "Route the app 'tessera' to the database 'default'" in run()[0]


@pytest.mark.parametrize(
    ("urlconf", "prefix"),
    [("rest_framework.urls", "api/token/"), ("tests.management.test_setup_command", "api/auth/token/")],
)
def test_the_urls_get_a_prefix_that_is_free(settings: Any, urlconf: str, prefix: str) -> None:
    settings.ROOT_URLCONF = urlconf
    lines = run()[1].partition("\n")[2]
    found: dict[str, Any] = {"urlpatterns": []}
    exec(lines, found)  # noqa: S102 - the same
    assert str(found["urlpatterns"][0].pattern) == prefix
    assert ("is taken by" in lines) is (prefix != "api/token/")
    assert found["include"] is include


def test_urls_that_cannot_be_read_are_told(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.nothing"
    assert "cannot be read" in run()[1]
    assert django_settings.ROOT_URLCONF == "tests.nothing"

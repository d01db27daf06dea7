"""The settings of one chaos server. Its clock, its database and its Redis come from the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.chaos import clocks, tempo
from tests.settings import *  # noqa: F403 - only some settings differ
from tests.settings import MIDDLEWARE as PLAIN

if "TESSERA_CHAOS_CLOCK" in os.environ:
    clocks.install(Path(os.environ["TESSERA_CHAOS_CLOCK"]))

DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ["TESSERA_CHAOS_DB_PORT"],
        "CONN_MAX_AGE": 600,
        # Without these limits a thread waits for a hung database for ever, and no server can prevent that.
        "OPTIONS": {"connect_timeout": 2, "options": f"-c statement_timeout={int(tempo.GIVE_UP * 1000)}"},
    }
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "news": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{os.environ['TESSERA_CHAOS_REDIS_PORT']}/0",
        "OPTIONS": {"socket_timeout": tempo.GIVE_UP, "socket_connect_timeout": tempo.GIVE_UP},
    },
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "drf_tessera",
]
_VIEWS = "tests.chaos.project.views"
MIDDLEWARE = [*PLAIN[2:4], f"{_VIEWS}.name_process", f"{_VIEWS}.shed_old_requests"]
ROOT_URLCONF = "tests.chaos.project.urls"
AUTH_USER_MODEL = "auth.User"
TESSERA: dict[str, Any] = {
    **{name: timedelta(seconds=seconds) for name, seconds in tempo.SETTINGS.items()},
    **({"REVOCATION_CACHE": "news"} if os.environ["TESSERA_CHAOS_STORE"] == "redis" else {}),
    # Many clients of one address log in again and again here.
    "LOGIN_RATE_PER_ACCOUNT": None,
    "LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": None,
    "LOGIN_RATE_PER_ADDRESS": None,
    "TOKEN_RATE_PER_SESSION": None,
    "TOKEN_RATE_PER_ADDRESS": None,
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"log": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["log"], "level": "WARNING"},
    "loggers": {"django.request": {"level": "ERROR"}},
}

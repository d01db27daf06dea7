"""The settings of the servers that tests start. They use the database of the test."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403 - only some settings differ
from tests.settings import DATABASES, INSTALLED_APPS

DATABASES["default"]["NAME"] = os.environ["TESSERA_SERVER_DB_NAME"]
if "TESSERA_SERVER_DB_PORT" in os.environ:
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ["TESSERA_SERVER_DB_PORT"],
        "CONN_MAX_AGE": 600,  # so that a connection outlives its server
    }
if "TESSERA_SERVER_REDIS" in os.environ:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "news": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["TESSERA_SERVER_REDIS"],
        },
    }
DATABASES["default"].update(json.loads(os.environ.get("TESSERA_SERVER_DB", "{}")))
TESSERA = json.loads(os.environ.get("TESSERA_SERVER_SETTINGS", "{}"))
if "TESSERA_SERVER_URLCONF" in os.environ:
    ROOT_URLCONF = os.environ["TESSERA_SERVER_URLCONF"]
    INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.staticfiles"]
DEBUG = "TESSERA_SERVER_DEBUG" in os.environ

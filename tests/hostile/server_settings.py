"""The settings of the server that is attacked: real password hashes, one proxy, and a tight limit."""

from __future__ import annotations

import os
from typing import Any

from tests.settings import *  # noqa: F403 - only some settings differ
from tests.settings import REST_FRAMEWORK as PLAIN

DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["TESSERA_SERVER_DB_NAME"],
        "OPTIONS": {"timeout": 60},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ["TESSERA_SERVER_REDIS"],
    }
}
ROOT_URLCONF = "tests.hostile.urls"
AUTH_USER_MODEL = "auth.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
REST_FRAMEWORK = {**PLAIN, "NUM_PROXIES": 1}
TESSERA = {
    "PROFILE": ["api", "browser"],
    # The windows are long, so that the attack is within one of them on a slow machine too.
    "LOGIN_RATE_PER_ACCOUNT": "10/day",
    "LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": "15/day",
    "LOGINS_AT_ONCE": None,  # the attack counts each guess, so each guess has to be checked
}
JWT_AUTH = {"JWT_ALLOW_REFRESH": True, "JWT_AUTH_COOKIE": "jwt_cookie"}
LOGGING = {"version": 1, "disable_existing_loggers": False, "loggers": {"django.request": {"level": "ERROR"}}}

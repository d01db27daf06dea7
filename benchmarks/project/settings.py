"""The settings of the project. Environment variables choose them (``benchmarks.peers`` sets them).

The settings are those of ``startproject`` with DEBUG off: the whole list of middleware, and all applications
except the admin and static files. ``BENCH_SCHEME`` chooses the authentication, and ``BENCH_DATABASE`` the
database.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

from benchmarks.peers import HOME

SCHEME = os.environ["BENCH_SCHEME"]
_NAME = os.environ["BENCH_DATABASE_NAME"]

SECRET_KEY = "the-secret-key-of-the-benchmarks-and-of-nothing-else"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
USE_TZ = True
ROOT_URLCONF = "benchmarks.project.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# All peers use the cheapest hash, because the rest of a login is measured. benchmarks.logins chooses another.
PASSWORD_HASHERS = [os.environ.get("BENCH_HASHER", "django.contrib.auth.hashers.MD5PasswordHasher")]
LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR"}}

if os.environ["BENCH_DATABASE"] == "sqlite":
    _DATABASE = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("BENCH_SQLITE", HOME / "databases")) / f"{_NAME}.sqlite3",
        "OPTIONS": {"timeout": 30},
    }
else:
    _DATABASE = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _NAME,
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "PORT": os.environ.get("PGPORT", "5432"),
    }
DATABASES = {"default": {**_DATABASE, "CONN_MAX_AGE": json.loads(os.environ["BENCH_CONN_MAX_AGE"])}}

# A run takes longer than the five minutes of a token. The lifetime does not change any cost.
_LONG = timedelta(hours=2)
REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]}

if SCHEME == "tessera":
    INSTALLED_APPS += ["drf_tessera"]
    AUTHENTICATION_BACKENDS = ["drf_tessera.backends.EmailBackend"]
    _CLASS = "drf_tessera.JWTAuthentication"
elif SCHEME == "simplejwt":
    SIMPLE_JWT: dict[str, timedelta | bool] = {"ACCESS_TOKEN_LIFETIME": _LONG}
    _CLASS = "rest_framework_simplejwt.authentication.JWTAuthentication"
elif SCHEME == "simplejwt-blacklist":
    INSTALLED_APPS += ["rest_framework_simplejwt.token_blacklist"]
    SIMPLE_JWT = {
        "ACCESS_TOKEN_LIFETIME": _LONG,
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
    }
    _CLASS = "rest_framework_simplejwt.authentication.JWTAuthentication"
elif SCHEME == "simplejwt-stateless":
    SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": _LONG}
    _CLASS = "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
elif SCHEME == "knox":
    INSTALLED_APPS += ["knox"]
    _CLASS = "knox.auth.TokenAuthentication"
elif SCHEME == "drf-token":
    INSTALLED_APPS += ["rest_framework.authtoken"]
    _CLASS = "rest_framework.authentication.TokenAuthentication"
elif SCHEME == "dj-rest-auth":
    INSTALLED_APPS += ["dj_rest_auth"]
    SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": _LONG}
    REST_AUTH = {
        "USE_JWT": True,
        "TOKEN_MODEL": None,
        "JWT_AUTH_COOKIE": "access",
        "JWT_AUTH_REFRESH_COOKIE": "refresh",
        "JWT_AUTH_HTTPONLY": False,
    }
    _CLASS = "dj_rest_auth.jwt_auth.JWTCookieAuthentication"
elif SCHEME == "allauth":
    INSTALLED_APPS += ["allauth", "allauth.account", "allauth.headless"]
    MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
    HEADLESS_ONLY = True
    HEADLESS_TOKEN_STRATEGY = "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"
    HEADLESS_JWT_PRIVATE_KEY = (HOME / "keys" / "RS256.pem").read_text()  # RS256 is the default of allauth
    HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = int(_LONG.total_seconds())
    ACCOUNT_EMAIL_VERIFICATION = "none"
    ACCOUNT_RATE_LIMITS = False  # logins come one after another here
    _CLASS = "allauth.headless.contrib.rest_framework.authentication.JWTTokenAuthentication"
elif SCHEME == "oauth-toolkit":
    INSTALLED_APPS += ["oauth2_provider"]
    _CLASS = "oauth2_provider.contrib.rest_framework.OAuth2Authentication"
elif SCHEME == "session":
    _CLASS = "rest_framework.authentication.SessionAuthentication"
else:
    raise ValueError(SCHEME)

REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = [_CLASS]
for _key, _value in json.loads(os.environ["BENCH_SETTINGS"]).items():
    if isinstance(_value, dict):
        globals()[_key] = {**globals().get(_key, {}), **_value}
    elif isinstance(_value, list):
        globals()[_key] = [*globals().get(_key, []), *_value]
    else:
        globals()[_key] = _value

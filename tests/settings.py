"""The settings of the tests. ``TESSERA_TEST_DB`` and ``TESSERA_TEST_USER`` choose database and user model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

DATABASE = os.environ.get("TESSERA_TEST_DB", "sqlite")
USER_MODEL = os.environ.get("TESSERA_TEST_USER", "auth.User")

if DATABASE == "mariadb":
    import pymysql

    pymysql.install_as_MySQLdb()

# A file and not memory: several threads and processes have to meet in it.
_SQLITE = Path(os.environ.get("TESSERA_TEST_SQLITE", Path(__file__).parent / ".test.sqlite3"))
_NAME = "tessera_" + USER_MODEL.lower().removeprefix("auth.").removeprefix("accounts.").replace(".", "_")

DATABASES: dict[str, Any] = {
    "default": {
        "sqlite": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _SQLITE,
            "TEST": {"NAME": _SQLITE},
            "OPTIONS": {"timeout": 30},
        },
        "postgres": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _NAME,
            "USER": os.environ.get("PGUSER", "postgres"),
            "PASSWORD": os.environ.get("PGPASSWORD", ""),
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "PORT": os.environ.get("PGPORT", "5432"),
        },
        "mariadb": {
            "ENGINE": "django.db.backends.mysql",
            "NAME": _NAME,
            "USER": os.environ.get("MARIADB_USER", "root"),
            "PASSWORD": os.environ.get("MARIADB_PASSWORD", ""),
            "HOST": os.environ.get("MARIADB_HOST", "127.0.0.1"),
            "PORT": os.environ.get("MARIADB_PORT", "3306"),
            "OPTIONS": {"charset": "utf8mb4"},
        },
    }[DATABASE]
}

if USER_MODEL.startswith("people."):  # an app without migrations, whose models refer to apps that have some
    DATABASES["default"].setdefault("TEST", {})["MIGRATE"] = False

SECRET_KEY = "the-secret-key-of-the-tests-and-of-nothing-else"
DEBUG = False
USE_TZ = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "drf_tessera",
    "rest_framework_simplejwt.token_blacklist",
    "tests.accounts",
    *(["tests.people"] if USER_MODEL.startswith("people.") else []),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
STATIC_URL = "static/"
AUTH_USER_MODEL = USER_MODEL
AUTHENTICATION_BACKENDS = ["drf_tessera.backends.EmailBackend"]
# The cheapest hasher: what a login costs is counted in statements here, not in time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["drf_tessera.JWTAuthentication"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

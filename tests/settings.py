"""The settings of the tests.

``TESSERA_TEST_DB`` chooses the database, ``TESSERA_TEST_USER`` the user model. ``TESSERA_TEST_NAME`` begins
the names of the databases, so that two checkouts can run their tests on the same servers at the same time.
Each worker of pytest-xdist has a database of its own: pytest-django adds the name of the worker.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

DATABASE = os.environ.get("TESSERA_TEST_DB", "sqlite")
USER_MODEL = os.environ.get("TESSERA_TEST_USER", "auth.User")

if DATABASE == "mariadb":
    import pymysql

    pymysql.install_as_MySQLdb()

PREFIX = os.environ.get("TESSERA_TEST_NAME", "tessera")
_NAME = f"{PREFIX}_{USER_MODEL.lower().removeprefix('auth.').removeprefix('accounts.').replace('.', '_')}"
# Use a file and not memory, because several threads and processes need the same database.
_SQLITE = Path(os.environ.get("TESSERA_TEST_SQLITE", Path(__file__).parent / f".{_NAME}.sqlite3"))

DATABASES: dict[str, Any] = {
    "default": {
        "sqlite": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _SQLITE,
            "TEST": {"NAME": _SQLITE},
            # Twenty threads write at once here: the last of them may wait long on a busy machine.
            # No test survives a loss of power: so nothing waits for the disk, and no journal is a file.
            "OPTIONS": {
                "timeout": 120,
                "init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY",
            },
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
# Use the cheapest hasher, because these tests count the statements of a login and not its time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["drf_tessera.JWTAuthentication"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

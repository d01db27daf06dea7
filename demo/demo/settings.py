"""The settings of the demo: as a small project would have them, with shorter times to watch."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("DEMO_DATA", BASE_DIR / "data"))  # tests have a folder of their own


def _load_secret_key(path: Path) -> str:
    """Read the secret key, or make one: each copy of the demo has its own, and keeps it.

    A restart with another key would make all tokens invalid.
    """
    path.parent.mkdir(exist_ok=True)
    if path.exists() and (found := path.read_text().strip()):
        return found
    made = get_random_secret_key()
    # Readable by its owner alone from the first byte on: whoever has this key can forge tokens.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(made)
    return made


SECRET_KEY = _load_secret_key(DATA_DIR / "secret_key")
DEBUG = False  # errors look as they do in production
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "demo.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_tessera",
    "notes",
    "timeline",
]
# Sessions and messages are for /admin/ alone. The API's cookies have checks of their own.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "demo.middleware.ContentSecurityPolicyMiddleware",
    "demo.middleware.QueryCountMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "page"],
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
STATICFILES_DIRS = [BASE_DIR / "page" / "static"]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "db.sqlite3",
        # The server has threads: they wait for each other's writes and do not fail.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}

# Log in by user name or e-mail address.
AUTHENTICATION_BACKENDS = ["drf_tessera.backends.EmailBackend"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["drf_tessera.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    # The project's own errors have a code beside their text, too.
    "EXCEPTION_HANDLER": "drf_tessera.exception_handler",
    # No proxy stands in front: X-Forwarded-For is what any client can write, and is not believed.
    "NUM_PROXIES": 0,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}

TESSERA = {
    # Five minutes is the default, and too long to watch a token expire.
    "ACCESS_LIFETIME": timedelta(seconds=60),
    # 30 seconds is the default; 10 are enough on one machine, and nobody has to wait long.
    "REFRESH_GRACE": timedelta(seconds=10),
    # By header for curl and whoever does not say; the page asks for the one that is chosen there.
    "PROFILE": ["api", "browser"],
    # This is plain HTTP on a loopback address with DEBUG off. Leave it out on a real server.
    "COOKIE_SECURE": False,
}

# Failures reach the terminal; the lines on requests are written by serve.py.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        # A stranger's Host header is no failure of ours: 400, and its line, are enough.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

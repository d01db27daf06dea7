"""The settings of the demo. They are like those of a small project, but with shorter lifetimes."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("DEMO_DATA", BASE_DIR / "data"))  # tests use another folder


def _load_secret_key(path: Path) -> str:
    """Return the secret key. At the first start, create the key.

    Each copy of the demo has its own key. The key is kept, because a restart with another key would make
    all tokens invalid.
    """
    path.parent.mkdir(exist_ok=True)
    if path.exists() and (found := path.read_text().strip()):
        return found
    made = get_random_secret_key()
    # Only the owner can read the file, from the first byte on, because this key can forge tokens.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(made)
    return made


SECRET_KEY = _load_secret_key(DATA_DIR / "secret_key")
DEBUG = False  # errors look the same as in production
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "demo.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"  # if the browser asks for none of the languages below
LANGUAGES = [
    ("ar", "Arabic"),
    ("de", "German"),
    ("en", "English"),
    ("es", "Spanish"),
    ("fr", "French"),
    ("hi", "Hindi"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("pt-br", "Brazilian Portuguese"),
    ("ru", "Russian"),
    ("zh-hans", "Simplified Chinese"),
]
LOCALE_PATHS = [BASE_DIR / "locale"]  # "python -m tools.messages" collects the messages of the demo
# Scripts cannot read these cookies. They are for the menu of languages.
LANGUAGE_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
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
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_tessera",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.headless",
    "keyring",
    "notes",
    "postbox",
    "timeline",
]
# Only /admin/ uses sessions and messages. The API's cookies have their own checks.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "demo.middleware.ContentSecurityPolicyMiddleware",
    "demo.middleware.QueryCountMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",  # the language of the menu, or that of the browser
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
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
        # The server has threads. With these options a thread waits for the write of another thread.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}

# The rooms of the chat. A project with several processes needs the layer with Redis.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Log in by user name or e-mail address.
AUTHENTICATION_BACKENDS = [
    "drf_tessera.backends.EmailBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]

# The sign-up: a code goes to the mailbox, which the page shows (docs/howto/sign-up.md).
HEADLESS_ONLY = True
HEADLESS_CLIENTS = ["app"]
HEADLESS_TOKEN_STRATEGY = "drf_tessera.contrib.allauth.TokenStrategy"
# allauth writes these addresses into its messages, for example to a person who signs up twice.
HEADLESS_FRONTEND_URLS = {"account_signup": "/", "account_reset_password": "/"}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
MFA_TOTP_TOLERANCE = 1  # a code is accepted for half a minute before its time and after it
EMAIL_BACKEND = "postbox.backend.PostboxBackend"
DEFAULT_FROM_EMAIL = "demo@example.com"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["drf_tessera.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    # The project's own errors also have a code.
    "EXCEPTION_HANDLER": "drf_tessera.exception_handler",
    # There is no proxy, so X-Forwarded-For is ignored, because any client can write this header.
    "NUM_PROXIES": 0,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}

# drf-tessera describes its endpoints and its authentication by itself.
SPECTACULAR_SETTINGS = {
    "TITLE": "The demo of drf-tessera",
    "DESCRIPTION": "Log in with `POST /api/token/`. This page then sends the access token with each request. "
    "After a minute the access token expires. Then use `POST /api/token/refresh/`.",
    "VERSION": None,
    "SERVE_INCLUDE_SCHEMA": False,
    # The files of Swagger UI come from this server.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": """{
        tryItOutEnabled: true,
        // Send the new access token with the next requests.
        responseInterceptor: (answer) => {
            const token = answer.ok && answer.url.includes("/api/token/") && answer.body?.access;
            if (token) ui.preauthorizeApiKey("tesseraAuth", token);
            return answer;
        },
    }""",
    # The refusals of a token belong to the project's own views, too.
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "drf_tessera.contrib.spectacular.add_refusals",
    ],
}

TESSERA = {
    # The default is 5 minutes. It is too long to watch a token expire.
    "ACCESS_LIFETIME": timedelta(seconds=60),
    # The default is 30 seconds. On one machine 10 seconds are enough, and shorter to wait for.
    "REFRESH_GRACE": timedelta(seconds=10),
    # Other services can verify the tokens with the public key at /.well-known/jwks.json. The private key is
    # encrypted in the database, and "migrate" has made it. Try "manage.py tessera_keys list".
    "KEYS": [{"alg": "Ed25519", "database": True}],
    # A login with "remember" lasts a year, or 60 days without a visit. The others end with the browser.
    "REMEMBER_ME": (timedelta(days=60), timedelta(days=365)),
    # The permissions that a personal access token may have. notes/views.py accepts such tokens.
    "PERSONAL_TOKEN_SCOPES": ["notes:read"],
    # "api" is for curl and other clients that do not choose. The page asks for the chosen transport.
    "PROFILE": ["api", "browser"],
    # The demo uses plain HTTP on a loopback address, with DEBUG off. Remove this key on a real server.
    "COOKIE_SECURE": False,
    # After the right password, ask for the code of the app of a person who has one.
    "CHALLENGE": "drf_tessera.contrib.allauth.ask_for_code",
}

# Tokens of another issuer, beside our own: DEMO_ISSUER=https://login.example.com make demo
if os.environ.get("DEMO_ISSUER"):
    TESSERA["ISSUERS"] = [
        {
            "issuer": os.environ["DEMO_ISSUER"],
            "audience": os.environ.get("DEMO_AUDIENCE", "api"),
            # Many providers write JWT into the header of their tokens, and not at+jwt.
            "types": ["at+jwt", "JWT"],
            # Each user of the issuer is a user here, from the first token on.
            "user_field": "username",
            "create": True,
        }
    ]

# Failures are printed in the terminal. asgi.py prints the lines for requests.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        "uvicorn": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        # A wrong Host header is a mistake of the client. The answer 400 and its line are enough.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

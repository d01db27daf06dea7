"""The settings of the projects in this folder. The environment chooses the kind and its data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

KIND = os.environ["TESSERA_TENANTS"]
FOLDER = Path(os.environ["TESSERA_TENANTS_FOLDER"])

SECRET_KEY = "one secret key of all tenants, which is long enough"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "tests.tenants.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["drf_tessera.JWTAuthentication"]}
_OURS = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "drf_tessera"]
TESSERA: dict[str, Any] = {
    "PROFILE": ["api", "browser"],
    "ACCESS_COOKIE": True,
    "REVOCATION_POLL": 60,  # the rules move the clock of the feed
    "REVOCATION_MAX_STALENESS": 3600,
    "LOGIN_RATE_PER_ACCOUNT": "3/day",
}


def _sqlite(name: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / f"{name}.sqlite3",
        "OPTIONS": {"timeout": 120},
    }


if KIND == "schemas":
    SHARED_APPS = ["django_tenants", "tests.tenants.customers", *_OURS]
    TENANT_APPS = _OURS
    INSTALLED_APPS = SHARED_APPS
    TENANT_MODEL, TENANT_DOMAIN_MODEL = "customers.Customer", "customers.Domain"
    DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
    MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware"]
    DATABASES = {
        "default": {
            "ENGINE": "django_tenants.postgresql_backend",
            "NAME": "postgres",
            "USER": "postgres",
            "HOST": "127.0.0.1",
            "PORT": os.environ["TESSERA_TENANTS_PORT"],
        }
    }
else:
    INSTALLED_APPS = _OURS
    MIDDLEWARE = ["tests.tenants.routing.choose_tenant"]
    TESSERA["TENANT"] = "tests.tenants.routing.find_tenant"
    DATABASES = {"default": _sqlite("default")}
    if KIND == "databases":
        DATABASE_ROUTERS = ["tests.tenants.routing.Router"]
        DATABASES |= {"one": _sqlite("one"), "two": _sqlite("two")}

"""The headless API of the real allauth, with each way to log in, for the tests of ``contrib/allauth.py``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core import mail
from django.db import connection
from django.test import Client, override_settings
from django.urls import clear_url_caches

from drf_tessera import sessions
from drf_tessera.models import Session
from drf_tessera.tokens import verify_access_token

APPS = ["allauth", "allauth.account", "allauth.headless", "allauth.mfa", "allauth.socialaccount"]
APPS += ["allauth.socialaccount.providers.openid_connect"]
MIDDLEWARE = "allauth.account.middleware.AccountMiddleware"
ANNA = "anna@example.com"
WORD = "correct horse battery staple"


def _list_settings() -> dict[str, Any]:
    from django.conf import settings

    return {
        "INSTALLED_APPS": [*settings.INSTALLED_APPS, *APPS],
        "AUTHENTICATION_BACKENDS": ["allauth.account.auth_backends.AuthenticationBackend"],
        "ROOT_URLCONF": "tests.contrib.allauth_urls",
        "HEADLESS_ONLY": True,
        "HEADLESS_TOKEN_STRATEGY": "drf_tessera.contrib.allauth.TokenStrategy",
        "HEADLESS_CLIENTS": ("app",),
        "ACCOUNT_LOGIN_METHODS": {"email"},
        "ACCOUNT_SIGNUP_FIELDS": ["email*", "password1*"],
        "ACCOUNT_EMAIL_VERIFICATION": "mandatory",
        "ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED": True,
        "ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED": True,
        "ACCOUNT_LOGIN_BY_CODE_ENABLED": True,
        "ACCOUNT_RATE_LIMITS": False,
        "MFA_SUPPORTED_TYPES": ["recovery_codes", "totp", "webauthn"],
        "MFA_PASSKEY_LOGIN_ENABLED": True,
        "MFA_PASSKEY_SIGNUP_ENABLED": True,
        "MFA_RATE_LIMITS": False,
        "MFA_TOTP_TOLERANCE": 10,  # the machine may be busy
        "EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend",
    }


@contextmanager
def install_allauth() -> Iterator[None]:
    """Install allauth, and make its tables. The other tests have neither."""
    from django.conf import settings

    first = override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, MIDDLEWARE])  # allauth looks for it at once
    with first, override_settings(**_list_settings()):
        clear_url_caches()
        labels = ("account", "mfa", "socialaccount")
        models = [model for label in labels for model in apps.get_app_config(label).get_models()]
        with connection.schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        try:
            yield
        finally:
            for model in models:
                if admin.site.is_registered(model):  # by a module that is loaded once
                    admin.site.unregister(model)
            with connection.schema_editor() as editor:
                for model in reversed(models):
                    editor.delete_model(model)
    clear_url_caches()


class App:
    """A client of the headless API: it keeps allauth's session token, as allauth's pages say."""

    def __init__(self) -> None:
        self.client, self.headers = Client(), {}

    def call(self, path: str, body: Any = None, status: int = 200, method: str = "post") -> Any:
        answer = getattr(self.client, method)(
            f"/_allauth/app/v1/{path}", body or "", content_type="application/json", headers=self.headers
        )
        assert answer.status_code == status, (answer.status_code, answer.content)
        found = answer.json()
        token = found.get("meta", {}).get("session_token")
        if token:
            self.headers["X-Session-Token"] = token
        return found


def read_code() -> str:
    found = re.search(r"^([A-Z0-9]{3,}-?[A-Z0-9]{3,})$", mail.outbox[-1].body, re.MULTILINE)
    assert found, mail.outbox[-1].body
    return found[1]


def sign_up(app: App) -> dict[str, Any]:
    app.call("auth/signup", {"email": ANNA, "password": WORD}, 401)
    return app.call("auth/email/verify", {"key": read_code()})["meta"]


def log_in(app: App) -> dict[str, Any]:
    return app.call("auth/login", {"email": ANNA, "password": WORD})["meta"]


def read_amr(meta: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """Check that the tokens are those of the newest session, and return how they say it was started."""
    token = verify_access_token(meta["access_token"])
    assert token.session_id == Session.objects.latest("created_at").pk
    assert sessions.refresh(meta["refresh_token"]).session_id == token.session_id
    return token.amr, token["acr"]

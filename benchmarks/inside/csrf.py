"""Answer the requests of ``tests.rest.csrf_cases`` as one peer does, and print a dict of outcomes."""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.management.utils import get_random_secret_key
from django.test import Client, override_settings

from tests.rest.csrf_cases import CASES

ACCEPTED, REFUSED = "accepted", "refused"
PASSWORD = get_random_secret_key()


def configure(scheme: str) -> None:
    """Set Django up with an empty database in memory."""
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "rest_framework"]
    classes = ["rest_framework.authentication.SessionAuthentication"]
    if scheme.startswith("dj-rest-auth"):
        apps.append("dj_rest_auth")
        classes = ["dj_rest_auth.jwt_auth.JWTCookieAuthentication"]
    settings.configure(
        SECRET_KEY=get_random_secret_key(),
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=apps,
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": classes,
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        },
        REST_AUTH={
            "USE_JWT": True,
            "TOKEN_MODEL": None,
            "SESSION_LOGIN": False,
            "JWT_AUTH_COOKIE": "access",
            "JWT_AUTH_REFRESH_COOKIE": "refresh",
            "JWT_AUTH_SECURE": True,
            "JWT_AUTH_COOKIE_USE_CSRF": scheme.endswith("-csrf"),
        },
        LOGGING={"version": 1, "disable_existing_loggers": False, "root": {"level": "CRITICAL"}},
    )
    django.setup()
    call_command("migrate", verbosity=0)


def make_urls(scheme: str) -> list[Any]:
    """Return the URLconf: a view that changes data, and the views of the peer."""
    from django.urls import URLPattern, URLResolver, include, path
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class View(APIView):
        def post(self, request: Any) -> Response:
            return Response({})

    urls: list[URLPattern | URLResolver] = [path("view/", View.as_view())]
    if scheme.startswith("dj-rest-auth"):
        from dj_rest_auth.jwt_auth import (  # type: ignore[import-not-found]  # in its environment alone
            get_refresh_view,
        )

        refresh = path("auth/token/refresh/", get_refresh_view().as_view())
        urls += [refresh, path("auth/", include("dj_rest_auth.urls"))]
    return urls


def send(client: Client, target: str, headers: dict[str, str]) -> Any:
    """Send one request of the table."""
    sent = {"host": "api.example.com", **headers}
    secure = sent.pop("plain", None) is None
    if sent.pop("toss", None):
        planted = "; ".join(f"{name}=planted" for name in client.cookies)
        sent["cookie"] = f"{planted}; {client.cookies.output(attrs=[], header='', sep=';')}"
    if sent.get("x-csrftoken") == "TOKEN":
        sent["x-csrftoken"] = client.cookies["csrftoken"].value
        sent["referer"] = "https://api.example.com/page/"
    path = {"view": "/view/", "refresh": "/auth/token/refresh/", "login": "/auth/login/"}[target]
    body = {"username": "anna", "password": PASSWORD} if target == "login" else {}
    return client.post(path, body, headers=sent, secure=secure, content_type="application/json")


def main(scheme: str, target: str) -> None:
    """Print the outcome of each case."""
    configure(scheme)
    globals()["urlpatterns"] = make_urls(scheme)
    from django.contrib.auth import get_user_model
    from django.middleware.csrf import _get_new_csrf_string

    user = get_user_model().objects.create_user("anna", password=PASSWORD)
    outcomes = {}
    for case, (headers, changed, _) in CASES.items():
        client = Client(enforce_csrf_checks=True)
        client.cookies["csrftoken"] = _get_new_csrf_string()
        if scheme == "session":
            client.force_login(user)
        else:
            own = {"origin": "https://api.example.com", "x-csrftoken": "TOKEN"}
            answer = send(client, "login", own)
            if answer.status_code != 200:
                sys.exit(f"The login failed: {answer.content}")
        with override_settings(**changed):
            answer = send(client, target, headers)
        outcomes[case] = ACCEPTED if answer.status_code == 200 else REFUSED
    print(json.dumps(outcomes))


if __name__ == "__main__":
    sys.modules["benchmarks.inside.csrf"] = sys.modules["__main__"]
    globals()["__name__"] = "benchmarks.inside.csrf"
    main(sys.argv[1], sys.argv[2])

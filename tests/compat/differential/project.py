"""A small project on one of the packages. It runs pieces of code and prints what each comes to, as JSON.

The interpreter of the original runs this file, too, so it imports nothing of this repository. It reads
``{"package", "settings", "apps", "pieces": {name: code}}`` from standard input. A piece leaves its result in
``answer``.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import time
import warnings
from datetime import datetime, timedelta
from typing import Any

OURS = importlib.util.find_spec("drf_tessera") is not None
CLASSES = {
    "rest_framework_simplejwt": "rest_framework_simplejwt.authentication.JWTAuthentication",
    "rest_framework_jwt": "rest_framework_jwt.authentication.JSONWebTokenAuthentication",
}


def configure(task: dict[str, Any]) -> None:
    """Start Django with the settings of the task."""
    import django
    from django.conf import settings

    own = eval(task["settings"], {"timedelta": timedelta})  # noqa: S307 - our own source
    settings.configure(
        SECRET_KEY="x" * 50,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        LOGGING_CONFIG=None,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "rest_framework",
            *(["drf_tessera"] if OURS else []),
            *task["apps"],
        ],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [CLASSES[task["package"]]],
            "TEST_REQUEST_DEFAULT_FORMAT": "json",
        },
        TESSERA={"LOGIN_RATE_PER_ACCOUNT": None, "LOGIN_RATE_PER_ADDRESS": None},
        **own,
    )
    django.setup()
    logging.disable(logging.CRITICAL)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def list_urls(package: str) -> list[Any]:
    """Return the urls of the project."""
    from django.urls import path
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Me(APIView):
        permission_classes = (IsAuthenticated,)

        def get(self, request: Any) -> Any:
            return Response({"pk": str(request.user.pk), "kind": type(request.user).__name__})

    views = importlib.import_module(f"{package}.views")
    names = {
        "rest_framework_simplejwt": ("token_obtain_pair", "token_refresh", "token_verify", "token_blacklist"),
        "rest_framework_jwt": ("obtain_jwt_token", "refresh_jwt_token", "verify_jwt_token"),
    }[package]
    routes = zip(("login/", "refresh/", "verify/", "blacklist/"), names, strict=False)
    return [path(route, getattr(views, name)) for route, name in routes] + [path("me/", Me.as_view())]


class Helpers:
    """The names that a piece of code can use."""

    def __init__(self, package: str) -> None:
        from django.contrib.auth import get_user_model
        from rest_framework.test import APIClient

        self.scheme = "Bearer" if package == "rest_framework_simplejwt" else "JWT"
        self.client = APIClient()
        self.client.raise_request_exception = False
        users = get_user_model().objects
        self.anna = users.create_user("anna", "anna@example.com", "pw", first_name="Anna")
        self.bob = users.create_user("bob", "bob@example.com", "pw")

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(f"/{path}/", body)

    def login(self, **more: Any) -> dict[str, Any]:
        return dict(self.post("login", username="anna", password="pw", **more).json())

    def code(self, path: str, **body: Any) -> int:
        return int(self.post(path, **body).status_code)

    def text(self, path: str, **body: Any) -> Any:
        """Return the status, and the text and the code of an error."""
        answer = self.post(path, **body)
        found = answer.json() if answer.content else {}
        return [answer.status_code, {key: found[key] for key in ("detail", "code") if key in found}]

    def me(self, token: Any) -> int:
        return int(self.client.get("/me/", HTTP_AUTHORIZATION=f"{self.scheme} {token}").status_code)

    def wait(self) -> None:
        """Move the last rotation into the past, where that matters."""
        if OURS:
            from drf_tessera.models import Session

            Session.objects.filter(rotated_at__isnull=False).update(rotated_at=datetime(2020, 1, 1))  # noqa: DTZ001

    def refused(self, call: Any) -> str:
        """Return the name of the error that a call raises, or the text "accepted"."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - each error is a result
            return type(error).__name__
        return "accepted"


def empty() -> None:
    """Delete the rows that a piece of code has left."""
    from django.apps import apps
    from django.core.cache import cache

    for model in apps.get_models():
        if model._meta.app_label in {"token_blacklist", "tessera", "auth"}:
            model._default_manager.all().delete()
    cache.clear()


def run(source: str, package: str) -> str:
    """Run one piece of code, and return its answer or its error as text."""
    empty()
    names: dict[str, Any] = {"time": time, "timedelta": timedelta, "datetime": datetime, "answer": None}
    helpers = Helpers(package)
    names.update({name: getattr(helpers, name) for name in dir(helpers) if not name.startswith("_")})
    try:
        exec(source, names)  # noqa: S102 - our own source
    except Exception as error:  # noqa: BLE001 - each error is a result
        return f"{type(error).__name__}: {error}"
    return repr(names["answer"])


def main() -> None:
    """Run the task of standard input."""
    warnings.simplefilter("ignore")
    task = json.load(sys.stdin)
    configure(task)
    globals()["urlpatterns"] = list_urls(task["package"])
    found = {name: run(source, task["package"]) for name, source in task["pieces"].items()}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

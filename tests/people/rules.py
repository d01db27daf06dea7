"""The rules that hold for every user model. Each takes nothing, and raises ``AssertionError``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import authenticate, get_user_model
from django.test import override_settings
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.rest.serializers import UserSerializer
from drf_tessera.users import find_email_field, fold_name
from tests.conftest import PASSWORD, bearer

Rule = Callable[[], None]
RULES: list[Rule] = []
BACKENDS = ("django.contrib.auth.backends.ModelBackend", "drf_tessera.backends.EmailBackend")
UNREADABLE = (
    "anna?",
    "\U0001f4f1",
    "\u0664\u0667",
    "9" * 80,
    "-1",
    "1e400",
    "NaN",
    "{}",
    "+4144",
    "a\u0301",
    "x" * 320,
)
"""Texts that are nobody's name, and that some columns cannot read."""


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


def make_user(*, other: bool = False, **fields: Any) -> Any:
    model: Any = get_user_model()
    if hasattr(model, "make_name"):
        name = model.make_name(other)
    else:
        name = getattr(model, "OTHER", "bob") if other else getattr(model, "NAME", "anna")
    user = model(**{model.USERNAME_FIELD: name}, **fields)
    user.set_password(PASSWORD)
    user.save()
    return model._default_manager.get(pk=user.pk)


def typed() -> str:
    return str(getattr(get_user_model(), "TYPED", "anna"))


def post(path: str, body: dict[str, Any], **headers: Any) -> Any:
    return APIClient().post(f"/api/token/{path}", body, **headers)


def log_in(name: str | None = None, *, key: str = "username", password: str = PASSWORD) -> Any:
    return post("", {key: typed() if name is None else name, "password": password})


@rule
def the_main_job() -> None:
    user = make_user()
    answer = log_in()
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["user"]["id"] in (user.pk, str(user.pk)), body["user"]
    assert body["user"]["username"] == typed(), body["user"]
    assert {type(value) for name, value in body["user"].items() if name != "id"} == {str}, body["user"]
    api = APIClient()
    assert api.get("/me/", **bearer(body["access"])).json() == {"id": str(user.pk)}
    answer = post("refresh/", {"refresh": body["refresh"], "with_user": True})
    assert answer.json()["user"] == body["user"], answer.content
    assert len(api.get("/api/token/sessions/", **bearer(body["access"])).json()) == 1
    assert post("revoke/", {"refresh": answer.json()["refresh"]}).json() == {"revoked": True}
    assert api.get("/me/", **bearer(body["access"])).status_code == 401


@rule
def every_backend_reads_every_spelling() -> None:
    make_user()
    for backend in BACKENDS:
        with override_settings(AUTHENTICATION_BACKENDS=[backend]):
            for name in (typed(), f" {typed()}\u00a0", *getattr(get_user_model(), "SPELLINGS", ())):
                answer = log_in(name)
                assert answer.status_code == 200, (backend, name, answer.content)
                assert log_in(name, password="wrong").status_code == 401, (backend, name)
                assert fold_name(name) == fold_name(typed()), name


@rule
def a_name_that_the_column_cannot_read_is_a_failed_login() -> None:
    make_user()
    for backend in BACKENDS:
        with override_settings(AUTHENTICATION_BACKENDS=[backend]):
            for name in UNREADABLE:
                answer = log_in(name)
                assert (answer.status_code, answer.json()["code"]) == (401, "login_failed"), (backend, name)
            for name in UNREADABLE:
                answer = log_in(f"{name[:300]}@example.com", key="email")
                assert answer.status_code in (400, 401), (backend, name, answer.content)


@rule
def an_address_logs_in_where_there_is_a_column_for_it() -> None:
    column = find_email_field()
    if column is None:
        assert log_in("anna@example.com", key="email").json()["code"] in (
            "email_login_unavailable",
            "login_failed",
        )
        return
    make_user(other=True)  # without an address
    user = make_user(**{column: "anna@example.com"})
    for key in ("email", "username"):
        answer = log_in(" ANNA@Example.com", key=key)
        assert answer.status_code == 200, (key, answer.content)
        assert answer.json()["user"] == UserSerializer(user).data
        assert answer.json()["user"]["email"] == "anna@example.com"


@rule
def users_without_a_name_or_an_address_disturb_nobody() -> None:
    model: Any = get_user_model()
    for name in filter(None, (model.USERNAME_FIELD, find_email_field())):
        field = model._meta.get_field(name)
        if field.null:
            nobody = make_user(**({} if name == model.USERNAME_FIELD else {name: None}))
            model._default_manager.filter(pk=nobody.pk).update(**{name: None})
            nobody.refresh_from_db()
            shown = UserSerializer(nobody).data
            assert shown["username" if name == model.USERNAME_FIELD else "email"] == ""
            for text in ("", "None", "none@example.com"):
                assert authenticate(username=text, password=PASSWORD) is None
                assert authenticate(email=text, password=PASSWORD) is None
            assert sessions.start(nobody).access
            break

"""The main functions with the user model of this run: integer, UUID and text keys, login by e-mail.

``TESSERA_TEST_USER`` chooses the model; ``tests/matrix.py`` runs the tests marked ``users`` for each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.exceptions import UserGone
from drf_tessera.models import Session, active_users
from drf_tessera.tokens import verify_access_token
from drf_tessera.users import load_user, parse_sub
from tests.conftest import PASSWORD, bearer, log_in

pytestmark = [pytest.mark.django_db, pytest.mark.users]


def test_the_main_job(api: APIClient, anna: AbstractBaseUser, django_assert_num_queries: Any) -> None:
    body = log_in(api, anna)
    assert body["user"]["username"] == anna.get_username()
    assert str(body["user"]["id"]) == str(anna.pk)
    with django_assert_num_queries(1):
        assert api.get("/me/", **bearer(body["access"])).json() == {"id": str(anna.pk)}
    with django_assert_num_queries(1):
        body = api.post("/api/token/refresh/", {"refresh": body["refresh"]}).json()
    assert verify_access_token(body["access"]).sub == str(anna.pk)
    assert len(api.get("/api/token/sessions/", **bearer(body["access"])).json()) == 1
    assert api.post("/api/token/revoke/", {"refresh": body["refresh"]}).json() == {"revoked": True}
    assert api.get("/me/", **bearer(body["access"])).status_code == 401


def test_the_name_field_of_the_model_names_the_account(api: APIClient, anna: AbstractBaseUser) -> None:
    name = {get_user_model().USERNAME_FIELD: anna.get_username()}
    assert api.post("/api/token/", {**name, "password": PASSWORD}).status_code == 200


def test_an_address_in_any_case(api: APIClient, anna: AbstractBaseUser) -> None:
    try:
        get_user_model()._meta.get_field("email")
    except FieldDoesNotExist:
        answer = api.post("/api/token/", {"email": "anna@example.com", "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (400, "email_login_unavailable")
        assert api.post("/api/token/", {"username": "anna@x", "password": PASSWORD}).status_code == 401
        return
    for name in ("email", "username"):
        answer = api.post("/api/token/", {name: "ANNA@Example.com", "password": PASSWORD})
        assert answer.status_code == 200


def test_only_the_text_of_a_key_itself_is_taken(anna: AbstractBaseUser) -> None:
    assert parse_sub(str(anna.pk)) == anna.pk
    for sub in ("\u0661", "01", "{" + str(anna.pk) + "}", f" {anna.pk}", str(anna.pk).upper() + " "):
        grant = sessions.start(anna)
        token = verify_access_token(grant.access)
        changed = replace(token, sub=sub)
        with pytest.raises(UserGone):
            load_user(changed)


def test_the_case_of_a_key_counts_under_every_collation(anna: AbstractBaseUser) -> None:
    token = verify_access_token(sessions.start(anna).access)
    sub = token.sub.swapcase()  # MariaDB finds the row with this key too
    if sub == token.sub:
        pytest.skip("this key has no letters")
    with pytest.raises(UserGone):
        load_user(replace(token, sub=sub))


def test_a_password_change_and_a_deletion_end_the_sessions(anna: AbstractBaseUser) -> None:
    sessions.start(anna)
    anna.set_password("another one")
    anna.save()
    assert Session.objects.get().revoked_for == "password_changed"
    anna.delete()
    assert not Session.objects.exists()


def test_a_model_without_the_column_has_no_inactive_users(anna: AbstractBaseUser) -> None:
    names = {field.name for field in get_user_model()._meta.concrete_fields}
    if "is_active" not in names:
        assert active_users().count() == 1
        assert anna.is_active
        return
    anna.is_active = False
    anna.save()
    assert active_users().count() == 0

"""Tests of the project of docs/howto/user-models.md, run by its own ``manage.py test``."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from accounts.closing import close_accounts
from accounts.models import User
from accounts.views import WhoAmI
from django.core.cache import cache
from django.test import TestCase, override_settings
from django.urls import include, path

from drf_tessera import sessions
from drf_tessera.exceptions import UserGone
from drf_tessera.tokens import verify_access_token
from drf_tessera.users import load_user

urlpatterns = [path("api/token/", include("drf_tessera.rest.urls")), path("me/", WhoAmI.as_view())]


@override_settings(
    ROOT_URLCONF=__name__,
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # the cheapest
)
class UserModel(TestCase):
    def setUp(self) -> None:
        cache.clear()  # the limits on logins
        self.anna = User.objects.create_user("anna@example.com", "a long password", name="Anna")

    def log_in(self, **body: str) -> tuple[int, dict[str, object]]:
        body["password"] = "a long password"
        answer = self.client.post("/api/token/", body, content_type="application/json")
        return answer.status_code, answer.json()

    def test_a_login_by_the_address_in_any_case(self) -> None:
        for name in ("email", "username"):
            status, body = self.log_in(**{name: "ANNA@example.com"})
            assert status == 200
            assert body["user"] == {
                "id": str(self.anna.pk),
                "username": "anna@example.com",
                "name": "Anna",
                "email": "anna@example.com",
            }

    @override_settings(AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"])
    def test_django_itself_asks_for_the_same_letters(self) -> None:
        assert self.log_in(email="ANNA@example.com")[0] == 401
        assert self.log_in(email="anna@example.com")[0] == 200

    def test_a_view_costs_a_query_unless_the_token_has_the_column(self) -> None:
        for setting, queries in (({}, 1), ({"USER": "database"}, 1), ({"USER_FIELDS": ["name"]}, 0)):
            with override_settings(TESSERA=setting):
                token = self.log_in(email="anna@example.com")[1]["access"]
                headers = {"authorization": f"Bearer {token}"}
                self.client.get("/me/", headers=headers)  # this one pulls the ended sessions
                with self.assertNumQueries(queries):
                    answer = self.client.get("/me/", headers=headers).json()
                assert answer == {"id": str(self.anna.pk), "name": "Anna"}

    def test_a_key_has_one_text(self) -> None:
        token = verify_access_token(sessions.start(self.anna).access)
        assert token.sub == str(self.anna.pk)
        assert load_user(token) == self.anna
        with pytest.raises(UserGone):
            load_user(dataclasses.replace(token, sub=uuid.UUID(token.sub).hex))

    def test_an_inactive_user_has_no_sessions(self) -> None:
        sessions.start(self.anna)
        self.anna.is_active = False
        self.anna.save()
        assert not sessions.live_sessions(self.anna.pk).exists()
        assert self.log_in(email="anna@example.com")[1]["code"] == "login_failed"

    def test_closing_accounts_ends_their_sessions(self) -> None:
        sessions.start(self.anna)
        close_accounts([self.anna.pk])
        assert not sessions.live_sessions(self.anna.pk).exists()

    def test_there_are_superusers(self) -> None:
        assert User.objects.create_superuser("root@example.com", "x").is_superuser

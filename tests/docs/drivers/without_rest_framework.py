"""Tests of the project of docs/howto/without-rest-framework.md, run by its own ``manage.py test``."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client, TestCase, override_settings
from plain.quick import find_user
from plain.sockets import authenticate

from drf_tessera.exceptions import SessionEnded


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])  # the cheapest
class PlainViews(TestCase):
    def setUp(self) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.anna = User.objects.create_user("anna", "anna@example.com", "a long password")

    def ask(self, path: str, token: str = "", **body: str) -> tuple[int, dict[str, object]]:
        """Send a form, or nothing with a GET."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        method = self.client.post if body else self.client.get
        answer = method(path, body, headers=headers)
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status_code, answer.json()

    def log_in(self) -> tuple[str, str]:
        """Return an access token and a refresh token."""
        status, body = self.ask("/login/", username="anna", password="a long password")
        assert (status, body["user"]) == (200, "anna")
        return str(body["access"]), str(body["refresh"])

    def test_the_project_does_not_use_rest_framework(self) -> None:
        assert "rest_framework" not in settings.INSTALLED_APPS

    def test_a_protected_view_knows_the_user_and_the_sessions(self) -> None:
        access, _ = self.log_in()
        status, body = self.ask("/me/", access)
        assert (status, body["user"], len(body["sessions"])) == (200, "anna", 1)

    def test_nothing_but_an_access_token_opens_it(self) -> None:
        _, refresh = self.log_in()
        for wrong in ("", "nonsense", refresh):
            assert self.ask("/me/", wrong)[0] == 401

    def test_bad_input_is_refused(self) -> None:
        assert self.ask("/login/", username="anna", password="wrong")[1]["code"] == "login_failed"
        assert self.ask("/login/", username="anna")[0] == 400
        assert self.ask("/login/", username="a\0b", password="x")[0] == 400
        assert self.ask("/refresh/", refresh="nonsense")[1]["code"] == "refresh_invalid"
        assert self.ask("/logout/", refresh="nonsense")[1]["code"] == "refresh_invalid"

    def test_a_refresh_rotates_and_the_grace_window_does_not(self) -> None:
        _, first = self.log_in()
        for rotates in (True, False):
            status, body = self.ask("/refresh/", refresh=first)
            assert (status, "access" in body, "refresh" in body) == (200, True, rotates)

    def test_a_logout_ends_the_session_everywhere(self) -> None:
        access, refresh = self.log_in()
        assert async_to_sync(authenticate)(access) == self.anna
        assert self.ask("/logout/", refresh=refresh) == (200, {"revoked": True})
        assert self.ask("/me/", access)[1]["code"] == "session_ended"
        assert self.ask("/refresh/", refresh=refresh)[1]["code"] == "session_revoked"
        assert async_to_sync(authenticate)(access) is None
        with pytest.raises(SessionEnded):
            find_user(access)

    def test_a_new_password_keeps_this_session_alone(self) -> None:
        access, _ = self.log_in()
        other, _ = self.log_in()
        assert self.ask("/password/", access, new="another long password")[0] == 200
        assert self.ask("/me/", access)[0] == 200
        assert self.ask("/me/", other)[1]["code"] == "session_ended"

    def test_a_logout_everywhere(self) -> None:
        access, refresh = self.log_in()
        assert self.ask("/logout/everywhere/", access, sure="yes") == (200, {"revoked": 1})
        assert self.ask("/refresh/", refresh=refresh)[1]["code"] == "session_revoked"

    def test_a_lazy_user_needs_no_query_and_is_refused_when_gone(self) -> None:
        access, _ = self.log_in()
        find_user(access)  # this one pulls the ended sessions
        with self.assertNumQueries(0):
            user = find_user(access)
            assert user.pk == self.anna.pk
        User.objects.update(is_active=False)
        with pytest.raises(PermissionDenied):
            user.get_username()

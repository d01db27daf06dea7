"""The tests of the page about djoser. They run as the tests of its project, with the real package."""

import re

from django.contrib.auth.models import User
from django.core import mail
from django.test import TestCase, override_settings

WORD = "correct horse battery staple"
LOGIN = {"username": "anna", "password": WORD}
BODY = {**LOGIN, "email": "anna@example.com"}


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class Djoser(TestCase):
    def call(self, where, body, status, token=None, method="post"):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        send = getattr(self.client, method)
        answer = send(f"/api/{where}/", body, content_type="application/json", headers=headers)
        assert answer.status_code == status, (answer.status_code, answer.content)
        return answer.json() if answer.content else None

    def read_letter(self):
        found = re.search(r"#([^/\s]+)/([^/\s]+)", mail.outbox[-1].body)
        return {"uid": found[1], "token": found[2]}

    def sign_up(self):
        self.call("auth/users", BODY, 201)
        assert self.call("token", LOGIN, 401)["code"] == "login_failed"
        self.call("auth/users/activation", self.read_letter(), 204)
        return self.call("token", LOGIN, 200)

    def is_live(self, grant):
        headers = {"authorization": f"Bearer {grant['access']}"}
        return self.client.get("/api/auth/users/me/", headers=headers).status_code == 200

    def test_a_person_signs_up_logs_in_and_out(self):
        grant = self.sign_up()
        assert self.is_live(grant)
        again = self.call("token/refresh", {"refresh": grant["refresh"]}, 200)
        self.call("token/revoke", {"refresh": again["refresh"]}, 200)
        assert not self.is_live(again)
        self.call("token/refresh", {"refresh": again["refresh"]}, 401)

    def test_a_reset_ends_all_sessions(self):
        grants = [self.sign_up(), self.call("token", LOGIN, 200)]
        self.call("auth/users/reset_password", {"email": BODY["email"]}, 204)
        body = {**self.read_letter(), "new_password": f"another {WORD}"}
        self.call("auth/users/reset_password_confirm", body, 204)
        assert not any(map(self.is_live, grants))
        self.call("token/refresh", {"refresh": grants[0]["refresh"]}, 401)
        self.call("token", {**LOGIN, "password": f"another {WORD}"}, 200)

    def test_a_changed_password_ends_all_sessions(self):
        grants = [self.sign_up(), self.call("token", LOGIN, 200)]
        body = {"new_password": f"another {WORD}", "current_password": WORD}
        self.call("auth/users/set_password", body, 204, grants[0]["access"])
        assert not any(map(self.is_live, grants))

    def test_another_address_and_a_deleted_account_end_all_sessions(self):
        grant = self.sign_up()
        self.call("auth/users/me", {"email": "other@example.com"}, 200, grant["access"], "patch")
        assert not self.is_live(grant)
        self.call("auth/users/activation", self.read_letter(), 204)
        grant = self.call("token", LOGIN, 200)
        self.call("auth/users/me", {"current_password": WORD}, 204, grant["access"], "delete")
        assert not self.is_live(grant)
        assert not User.objects.exists()

    def test_a_sign_up_without_a_letter_is_a_login(self):
        from django.conf import settings

        with override_settings(DJOSER={**settings.DJOSER, "SEND_ACTIVATION_EMAIL": False}):
            found = self.call("auth/users", BODY, 201)
            assert found["user"]["username"] == "anna"
            assert self.is_live(found)
            self.call("auth/users", BODY, 400)

    def test_a_social_login_has_a_session(self):
        from djoser.conf import settings

        strategy = settings.SOCIAL_AUTH_TOKEN_STRATEGY
        assert self.is_live(strategy.obtain(User.objects.create_user("bob")))

    def test_somebody_who_acts_as_the_user_sets_no_password(self):
        from drf_tessera import sessions

        boss, anna = User.objects.create_user("boss"), User.objects.create_user("anna", password=WORD)
        token = sessions.impersonate(boss, anna, minutes=5).access
        body = {"new_password": f"another {WORD}", "current_password": WORD}
        assert self.call("auth/users/set_password", body, 403, token)["code"] == "impersonated"

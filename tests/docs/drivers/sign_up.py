"""The tests of the page about allauth. They run as the tests of its project."""

import re

from django.core import mail
from django.core.cache import cache
from django.test import TestCase, override_settings

WORD = "correct horse battery staple"


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class SignUp(TestCase):
    def setUp(self):
        cache.clear()  # allauth sends few letters to an address in a short time

    def call(self, where, body, status, **headers):
        answer = self.client.post(where, body, content_type="application/json", headers=headers)
        assert answer.status_code == status, answer.content
        return answer.json()

    def sign_up(self):
        body = {"email": "anna@example.com", "password": WORD}
        first = self.call("/_allauth/app/v1/auth/signup", body, 401)["meta"]["session_token"]
        code = re.search(r"^[A-Z0-9]{3,}-?[A-Z0-9]{3,}$", mail.outbox[-1].body, re.MULTILINE)[0]
        verified = self.call("/_allauth/app/v1/auth/email/verify", {"key": code}, 200, x_session_token=first)
        return verified["meta"]

    def test_a_sign_up_ends_in_a_session(self):
        tokens = self.sign_up()
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        assert len(self.client.get("/api/token/sessions/", headers=headers).json()) == 1
        self.call("/api/token/refresh/", {"refresh": tokens["refresh_token"]}, 200)

    def test_a_logout_ends_both(self):
        tokens = self.sign_up()
        self.call("/api/token/revoke/", {"refresh": tokens["refresh_token"]}, 200)
        headers = {"x-session-token": tokens["session_token"]}
        assert self.client.get("/_allauth/app/v1/auth/session", headers=headers).status_code == 410

    def test_nobody_learns_who_has_an_account(self):
        self.sign_up()
        for where in ("password/request", "signup"):
            found = []
            for name in ("anna", "bob"):
                cache.clear()
                body = {"email": f"{name}@example.com", "password": WORD}
                found.append(self.call(f"/_allauth/app/v1/auth/{where}", body, 401))
                found[-1]["meta"].pop("session_token")
            assert found[0] == found[1]

    def test_a_forgotten_password_is_replaced(self):
        tokens = self.sign_up()
        cache.clear()
        first = self.call("/_allauth/app/v1/auth/password/request", {"email": "anna@example.com"}, 401)
        code = re.search(r"^[A-Z0-9]{3,}-?[A-Z0-9]{3,}$", mail.outbox[-1].body, re.MULTILINE)[0]
        body = {"key": code, "password": f"another {WORD}"}
        headers = {"x_session_token": first["meta"]["session_token"]}
        self.call("/_allauth/app/v1/auth/password/reset", body, 401, **headers)
        self.call("/api/token/refresh/", {"refresh": tokens["refresh_token"]}, 401)

    def test_our_own_login_knows_whether_the_address_was_confirmed(self):
        body = {"email": "bob@example.com", "password": WORD}
        self.call("/_allauth/app/v1/auth/signup", body, 401)
        assert self.call("/api/token/", body, 401)["code"] == "email_unconfirmed"

    def test_a_second_sign_up_looks_like_the_first_and_only_the_mailbox_tells_the_difference(self):
        self.sign_up()
        cache.clear()
        mail.outbox.clear()
        self.call("/_allauth/app/v1/auth/signup", {"email": "anna@example.com", "password": WORD}, 401)
        assert "https://shop.example/reset" in mail.outbox[-1].body

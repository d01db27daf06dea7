"""The tests of the page about dj-rest-auth. They run as the tests of its project, with the real packages."""

import re

import pyotp
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session as DjangoSession
from django.core import mail
from django.core.cache import cache
from django.test import TestCase, override_settings

from drf_tessera import sessions
from drf_tessera.tokens import verify_access_token

WORD = "correct horse battery staple"
NEW = f"another {WORD}"
LOGIN = {"email": "anna@example.com", "password": WORD}
BODY = {"email": LOGIN["email"], "password1": WORD, "password2": WORD}


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class DjRestAuth(TestCase):
    def setUp(self):
        cache.clear()  # allauth sends few letters to an address in a short time

    def call(self, where, body, status, token=None, method="post"):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        send = getattr(self.client, method)
        answer = send(f"/api/{where}/", body, content_type="application/json", headers=headers)
        assert answer.status_code == status, (answer.status_code, answer.content)
        return answer.json() if answer.content else None

    def sign_up(self):
        self.call("auth/registration", BODY, 201)
        assert self.call("token", LOGIN, 401)["code"] == "email_unconfirmed"
        key = re.search(r"/confirm/([^/\s]+)/", mail.outbox[-1].body)[1]
        self.call("auth/registration/verify-email", {"key": key}, 200)
        return self.call("token", LOGIN, 200)

    def is_live(self, grant):
        headers = {"authorization": f"Bearer {grant['access']}"}
        return self.client.get("/api/auth/user/", headers=headers).status_code == 200

    def test_a_person_signs_up_logs_in_and_out(self):
        grant = self.sign_up()
        assert self.is_live(grant)
        assert not DjangoSession.objects.exists()
        again = self.call("token/refresh", {"refresh": grant["refresh"]}, 200)
        self.call("token/revoke", {"refresh": again["refresh"]}, 200)
        assert not self.is_live(again)
        self.call("token/refresh", {"refresh": again["refresh"]}, 401)

    def test_a_reset_ends_all_sessions(self):
        grants = [self.sign_up(), self.call("token", LOGIN, 200)]
        self.call("auth/password/reset", {"email": LOGIN["email"]}, 200)
        link = re.search(r"/reset/([^/\s]+)/([^/\s]+)/", mail.outbox[-1].body)
        body = {"uid": link[1], "token": link[2], "new_password1": NEW, "new_password2": NEW}
        self.call("auth/password/reset/confirm", body, 200)
        assert not any(map(self.is_live, grants))
        self.call("token/refresh", {"refresh": grants[0]["refresh"]}, 401)
        self.call("token", {**LOGIN, "password": NEW}, 200)

    def test_a_changed_password_ends_all_sessions(self):
        grants = [self.sign_up(), self.call("token", LOGIN, 200)]
        body = {"old_password": WORD, "new_password1": NEW, "new_password2": NEW}
        self.call("auth/password/change", {**body, "old_password": "wrong"}, 400, grants[0]["access"])
        self.call("auth/password/change", body, 200, grants[0]["access"])
        assert not any(map(self.is_live, grants))
        assert not DjangoSession.objects.exists()

    @override_settings(ACCOUNT_EMAIL_VERIFICATION="optional")
    def test_a_sign_up_without_a_confirmed_address_is_a_login(self):
        assert self.is_live(self.call("auth/registration", BODY, 201))
        assert not DjangoSession.objects.exists()

    def test_our_login_asks_for_the_code_of_dj_rest_auth(self):
        token = self.sign_up()["access"]
        begun = self.call("auth/mfa/totp/activate", {}, 200, token, "get")
        body = {"activation_token": begun["activation_token"], "code": pyotp.TOTP(begun["secret"]).now()}
        codes = self.call("auth/mfa/totp/activate", body, 200, token)["recovery_codes"]
        asked = self.call("token", LOGIN, 401)
        assert (asked["code"], asked["challenge"]) == ("challenge_required", {"kind": "totp"})
        for answer, status in (({"code": "1"}, 401), ("000000", 401), (codes[0], 200)):
            body = {"ticket": asked["ticket"], "answer": answer}
            found = self.call("token", body, status)
        assert verify_access_token(found["access"]).amr == ("pwd", "otp")

    def test_a_social_login_has_a_session(self):
        from accounts.views import SocialLogin
        from rest_framework.serializers import Serializer
        from rest_framework.test import APIRequestFactory

        class Accepted(Serializer):
            def validate(self, found):
                return {"user": User.objects.create_user("bob")}

        class Login(SocialLogin):
            serializer_class = Accepted

        answer = Login.as_view()(APIRequestFactory().post("/"))
        assert verify_access_token(answer.data["access"]).amr == ("fed",)

    def test_somebody_who_acts_as_the_user_sets_no_password(self):
        boss, anna = User.objects.create_user("boss"), User.objects.create_user("anna", password=WORD)
        EmailAddress.objects.create(user=anna, email=LOGIN["email"], verified=True)
        token = sessions.impersonate(boss, anna, minutes=5).access
        for where in ("password/change", "mfa/totp/deactivate"):
            assert self.call(f"auth/{where}", {}, 403, token)["code"] == "impersonated"

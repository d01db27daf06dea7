"""The tests of the page about logins of one's own. They run as the tests of its project."""

import json
import re

from accounts import links, social, views
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import TestCase, override_settings
from django.urls import include, path
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

urlpatterns = [
    path("api/token/", include("drf_tessera.rest.urls")),
    path("register/", views.register),
    path("link/", links.send_link),
    path("enter/", links.enter),
    path("exchange/", social.exchange),
]

WORD = "correct horse battery staple"


@override_settings(ROOT_URLCONF="accounts.tests")
class Logins(TestCase):
    def post(self, where, body, status):
        answer = self.client.post(where, body, content_type="application/json")
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None

    def refresh(self, grant):
        return self.post("/api/token/refresh/", {"refresh": grant["refresh"]}, 200)

    def make(self):
        return get_user_model().objects.create_user("anna", "anna@example.com", WORD)

    def test_a_registration_logs_in(self):
        self.post("/register/", {"username": "bob", "password": "1"}, 400)
        body = {"username": "bob", "email": "bob@example.com", "password": WORD}
        self.refresh(self.post("/register/", body, 201))

    def test_a_link_logs_in_once(self):
        self.make()
        self.post("/link/", {"email": "nobody@example.com"}, 204)
        assert mail.outbox == []
        self.post("/link/", {"email": "ANNA@example.com"}, 204)
        user, token = re.search(r"#(\d+)/(\S+)", mail.outbox[0].body).groups()
        self.refresh(self.post("/enter/", {"user": user, "token": token}, 200))
        self.post("/enter/", {"user": user, "token": token}, 403)
        self.post("/enter/", {"user": user, "token": "x"}, 403)

    def test_no_body_is_a_500(self):
        self.make()
        bodies = [[], [1], "x", 5, None, {}, {"user": "x", "token": "y"}, {"user": 1, "token": ["y"]}]
        bodies += [{"user": {"a": 1}, "token": "y"}, {"user": 10**30, "token": "y"}, {"user": 1, "token": 5}]
        bodies += [{"email": ["a"]}, {"email": "a\0b@example.com"}, {"username": ["x"], "password": {}}]
        for where in ("/register/", "/link/", "/enter/"):
            for body in bodies:
                answer = self.client.post(where, json.dumps(body), content_type="application/json")
                assert answer.status_code in {400, 403}, (where, body, answer.content)

    def test_a_login_of_django_is_exchanged_once(self):
        self.post("/exchange/", {}, 403)
        self.client.force_login(self.make())
        self.refresh(self.post("/exchange/", {}, 200))
        self.post("/exchange/", {}, 403)

    def test_the_code_of_the_app_is_needed(self):
        user = self.make()
        body = {"username": "anna", "password": WORD}
        self.refresh(self.post("/api/token/", body, 200))
        device = TOTPDevice.objects.create(user=user)
        asked = self.post("/api/token/", body, 401)
        assert (asked["code"], asked["challenge"]) == ("challenge_required", {"kind": "totp"})
        code = f"{TOTP(device.bin_key).token():06}"
        wrong = "000000" if code != "000000" else "000001"
        self.post("/api/token/", {"ticket": asked["ticket"], "answer": wrong}, 401)
        TOTPDevice.objects.update(throttling_failure_count=0)
        self.refresh(self.post("/api/token/", {"ticket": asked["ticket"], "answer": code}, 200))

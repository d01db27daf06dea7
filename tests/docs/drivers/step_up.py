"""The tests of the page about step-up. They run as the tests of its project."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.test import TestCase, override_settings
from django.utils import timezone

from drf_tessera import sessions
from drf_tessera.tokens import verify_access_token

WORD = "correct horse battery staple"


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class StepUp(TestCase):
    def test_a_payment_needs_a_recent_proof(self):
        anna = User.objects.create_user("anna", password=WORD)
        old = sessions.start(anna, now=timezone.now() - timedelta(hours=1))
        grant = sessions.refresh(old.refresh)
        assert self.pay(grant.access).json()["code"] == "insufficient_user_authentication"
        body = {"refresh": grant.refresh, "password": WORD}
        answer = self.client.post("/api/token/prove/", body, content_type="application/json")
        assert answer.status_code == 200, answer.content
        assert self.pay(answer.json()["access"]).json() == {"paid": True}

    def pay(self, token):
        return self.client.post("/api/payments/", headers={"authorization": f"Bearer {token}"})

    def test_an_export_needs_a_second_factor(self):
        anna = User.objects.create_user("anna", password=WORD)
        for amr, status in ((("pwd",), 401), (("pwd", "otp"), 200)):
            token = sessions.start(anna, amr=amr).access
            assert verify_access_token(token)["acr"] == ("aal2" if status == 200 else "aal1")
            answer = self.client.get("/api/export/", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status

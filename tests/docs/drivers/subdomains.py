"""The tests of the page about subdomains. They run as the tests of its project."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

from django.contrib.auth.models import User
from django.test import TestCase

from drf_tessera import sessions


class Subdomains(TestCase):
    def post(self, host, path, body, access=""):
        headers = {"host": host, **({"authorization": f"Bearer {access}"} if access else {})}
        return self.client.post(path, json.dumps(body), content_type="application/json", headers=headers)

    def test_both_hosts_have_one_session(self):
        grant = sessions.start(User.objects.create_user("anna"))
        verifier = "a" * 43
        digest = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {"audience": "shop.example.com", "challenge": digest}
        ticket = self.post("app.example.com", "/api/token/handover/", asked, grant.access).json()["ticket"]
        body = {"ticket": ticket, "verifier": verifier}
        assert self.post("app.example.com", "/api/token/accept/", body).status_code == 401
        there = self.post("shop.example.com", "/api/token/accept/", body).json()
        assert there["session"] == str(grant.session_id)
        listed = self.client.get(
            "/api/token/sessions/",
            headers={"host": "shop.example.com", "authorization": f"Bearer {there['access']}"},
        )
        assert [row["current"] for row in listed.json()] == [True]

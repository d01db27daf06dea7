"""The tests of the page about health checks and metrics. They run as the tests of its project."""

import re

from django.contrib.auth.models import User
from django.test import TransactionTestCase


class Health(TransactionTestCase):
    def read(self):
        text = self.client.get("/metrics/").content.decode()
        return dict(re.findall(r"^(tessera_\S+) (\S+)$", text, re.MULTILINE))

    def test_the_process_is_healthy_and_counts(self):
        User.objects.create_user("anna", password="a long password")
        sent = {"username": "anna", "password": "a long password"}
        before = float(self.read()["tessera_logins_total"])
        grant = self.client.post("/api/token/", sent, content_type="application/json").json()
        self.client.get("/api/token/sessions/", headers={"Authorization": "Bearer nonsense"})
        ended = self.client.post(
            "/api/token/revoke/", {"refresh": grant["refresh"]}, content_type="application/json"
        )
        assert ended.json() == {"revoked": True}
        found = self.read()
        assert float(found["tessera_logins_total"]) == before + 1
        assert found['tessera_refusals_total{code="token_malformed"}'] == "1.0"
        assert found['tessera_sessions_ended_total{reason="logout"}'] == "1.0"
        assert float(found["tessera_revocations_age_seconds"]) < 60
        answer = self.client.get("/health/")
        assert (answer.status_code, answer.json()["failing"]) == (200, False)

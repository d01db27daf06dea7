"""Tests of the project of docs/howto/personal-tokens.md, run by its own ``manage.py test``."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import TestCase
from rest_framework.test import APIClient

from drf_tessera import sessions


class PersonalTokens(TestCase):
    def setUp(self) -> None:
        self.anna = User.objects.create_user("anna")
        self.api = APIClient()

    def bearer(self, token: str) -> dict[str, str]:
        return {"HTTP_AUTHORIZATION": f"Bearer {token}"}

    def test_a_script_reads_notes_and_nothing_else(self) -> None:
        person = self.bearer(sessions.start(self.anna).access)
        body = {"name": "CI", "scope": "notes:read"}
        made = self.api.post("/api/personal-tokens/", body, format="json", **person)
        assert made.status_code == 201
        script = self.bearer(made.json()["token"])
        assert self.api.get("/api/notes/", **script).json() == {"user": self.anna.pk}
        assert self.api.get("/api/account/", **script).status_code == 401
        assert self.api.get("/api/account/", **person).status_code == 200
        assert len(self.api.get("/api/personal-tokens/", **person).json()) == 1
        gone = self.api.delete(f"/api/personal-tokens/{made.json()['session']['id']}/", **person)
        assert gone.status_code == 204
        assert self.api.get("/api/notes/", **script).status_code == 401

    def test_code_of_the_project_makes_a_token(self) -> None:
        made = sessions.issue_personal_token(self.anna, name="CI", scope="notes:read")
        assert self.api.get("/api/notes/", **self.bearer(made.text)).status_code == 200

"""Tests of the project of docs/howto/ninja.md, run by its own ``manage.py test``."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import TestCase

from drf_tessera import sessions


class Ninja(TestCase):
    def test_the_operations(self) -> None:
        anna = User.objects.create_user("anna")
        headers = {"authorization": f"Bearer {sessions.start(anna).access}"}
        assert self.client.get("/api/me", headers=headers).json()["id"] == anna.pk
        assert self.client.get("/api/name", headers=headers).json() == {"name": "anna"}
        assert self.client.get("/api/notes", headers=headers).json()["code"] == "insufficient_scope"
        assert self.client.get("/api/me").json()["code"] == "not_authenticated"
        schema = self.client.get("/api/openapi.json").json()
        assert schema["components"]["securitySchemes"]["JWTAuth"]["bearerFormat"] == "JWT"

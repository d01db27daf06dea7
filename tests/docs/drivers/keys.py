"""Tests of the project of docs/howto/keys.md, run by its own ``manage.py test``."""

from __future__ import annotations

import json
from io import StringIO

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import TestCase, override_settings

from drf_tessera.tokens import verify_access_token


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("tessera_keys", *arguments, stdout=out)
    return out.getvalue()


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])  # the cheapest
class Keys(TestCase):
    def log_in(self) -> str:
        User.objects.get_or_create(username="anna")[0].set_password("a long password")
        user = User.objects.get(username="anna")
        user.set_password("a long password")
        user.save()
        body = {"username": "anna", "password": "a long password"}
        return str(self.client.post("/api/token/", body).json()["access"])

    def list_published(self) -> list[str]:
        return [jwk["kid"] for jwk in self.client.get("/.well-known/jwks.json").json()["keys"]]

    def test_the_derived_key_signs_until_the_key_of_the_database_may(self) -> None:
        assert self.list_published() == []
        run("rotate")
        derived, stored = json.loads(run("list", "--json"))
        assert (derived["stage"], stored["stage"]) == ("signing", "published")
        assert verify_access_token(self.log_in()).kid == derived["kid"]

    def test_a_stolen_key_is_withdrawn_by_the_beginning_of_its_kid(self) -> None:
        run("rotate", "--if-due")
        kid = json.loads(run("list", "--json"))[-1]["kid"]
        assert "No server accepts" in run("retire", kid[:8], "--now")
        assert json.loads(run("list", "--json"))[-1]["stage"] == "revoked"

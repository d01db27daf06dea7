"""The tests of the page about impersonation. They run as the tests of its project."""

from django.contrib.auth.models import Permission, User
from django.test import TestCase

from drf_tessera import sessions


class Impersonation(TestCase):
    def call(self, method, where, token):
        return getattr(self.client, method)(where, headers={"authorization": f"Bearer {token}"})

    def test_support_acts_as_a_customer(self):
        anna, bob = User.objects.create_user("anna"), User.objects.create_user("bob")
        own, where = sessions.start(anna).access, f"/api/impersonate/{bob.pk}/"
        assert self.call("post", where, own).status_code == 403
        anna.user_permissions.add(Permission.objects.get(codename="impersonate"))
        acting = self.call("post", where, own).json()["access"]
        answer = self.call("post", "/api/password/", acting)
        assert (answer.status_code, answer.json()["code"]) == (403, "impersonated")
        assert self.call("post", where, acting).json()["code"] == "impersonated"
        assert self.call("post", "/api/password/", sessions.start(bob).access).status_code == 200
        assert [row["actor"] for row in self.call("get", "/api/token/sessions/", own).json()] == [
            "",
            str(anna.pk),
        ]

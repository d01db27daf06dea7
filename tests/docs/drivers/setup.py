"""The tests of the page about the setup. They run as the tests of its project."""

from django.contrib.auth.models import User
from django.test import TestCase


class Setup(TestCase):
    def test_a_login_works(self):
        User.objects.create_user("anna", password="a long password")
        body = {"username": "anna", "password": "a long password"}
        assert self.client.post("/api/token/", body, content_type="application/json").status_code == 200

"""The tests of the page about the browsable API. They run as the tests of its project."""

from django.contrib.auth.models import User
from django.test import Client, TestCase

PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


class BrowsableApi(TestCase):
    def test_a_person_logs_in_and_calls(self):
        User.objects.create_user("anna", password="a long password")
        browser = Client(headers=PAGE)
        assert browser.get("/api/notes/").status_code == 401
        form = browser.get("/api/token/").content.decode()
        for name in ("username", "password", "transport"):
            assert f'name="{name}"' in form
        sent = {"username": "anna", "password": "a long password", "email": "", "transport": "cookie"}
        self.assertContains(browser.post("/api/token/", sent), "HTTP 200")
        self.assertContains(browser.get("/api/notes/"), "anna")
        self.assertContains(browser.post("/api/token/refresh/", {"refresh": ""}), "HTTP 200")
        self.assertContains(browser.post("/api/token/revoke/", {"refresh": "", "session": ""}), "HTTP 200")
        assert browser.get("/api/notes/").status_code == 401

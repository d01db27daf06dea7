"""The tests of the page about django-axes. They run as the tests of its project."""

from axes.utils import reset
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, TestCase, override_settings

WORD = "correct horse battery staple"


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class Locks(TestCase):
    def setUp(self):
        self.anna = User.objects.create_user("anna", "anna@example.com", WORD, is_staff=True)

    def log_in(self, password, **where):
        body = {"username": "anna", "password": password}
        return self.client.post("/api/token/", body, content_type="application/json", **where)

    def lock(self):
        for status in (401, 401, 429):
            answer = self.log_in("wrong")
            assert answer.status_code == status, answer.content
        return answer

    def test_a_locked_account_is_answered_with_our_code(self):
        answer = self.lock()
        assert answer.json()["code"] == "throttled"
        assert answer.headers["Retry-After"] == "900"
        right = self.log_in(WORD)
        assert (right.status_code, right.json()["code"]) == (429, "throttled")

    @override_settings(AXES_COOLOFF_TIME=None)
    def test_a_lock_for_ever_has_another_code(self):
        answer = self.lock()
        assert answer.json()["code"] == "account_locked"
        assert "Retry-After" not in answer.headers

    def test_django_axes_unlocks_as_it_documents(self):
        self.lock()
        reset(username="anna")
        assert self.log_in(WORD).status_code == 200
        self.lock()
        call_command("axes_reset_username", "anna", verbosity=0)
        assert self.log_in(WORD).status_code == 200

    def test_another_address_and_another_account_are_not_locked(self):
        User.objects.create_user("bob", password=WORD)
        self.lock()
        body = {"username": "bob", "password": WORD}
        assert self.client.post("/api/token/", body, content_type="application/json").status_code == 200
        assert self.log_in(WORD, REMOTE_ADDR="192.0.2.7").status_code == 200

    def test_a_login_by_address_is_counted_for_the_address(self):
        body = {"email": "anna@example.com", "password": "wrong"}
        for status in (401, 401, 429):
            answer = self.client.post("/api/token/", body, content_type="application/json")
            assert answer.status_code == status

    def test_a_session_of_a_locked_account_stays(self):
        grant = self.log_in(WORD).json()
        self.lock()
        body = {"refresh": grant["refresh"]}
        answer = self.client.post("/api/token/refresh/", body, content_type="application/json")
        assert answer.status_code == 200

    def test_the_admin_answers_as_django_axes_does(self):
        browser = Client()
        for _ in range(3):
            answer = browser.post("/admin/login/", {"username": "anna", "password": "wrong"})
        assert answer.status_code == 429
        assert b"locked" in answer.content
        assert answer.headers["Content-Type"].startswith("text/html")

"""Tests of the project of docs/howto/plain-django.md, run by its own ``manage.py test``."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, Client, TestCase, override_settings

from drf_tessera import sessions

PAGES = {
    "page.html": "<p>{{ user.get_username }}</p>",
    "name.html": "{{ user.first_name }}",
    "login.html": "<form></form>",
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [("django.template.loaders.locmem.Loader", PAGES)],
            "context_processors": ["django.contrib.auth.context_processors.auth"],
        },
    }
]
ORIGIN = {"origin": "https://testserver"}


@override_settings(TEMPLATES=TEMPLATES, PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class PlainDjango(TestCase):
    def setUp(self) -> None:
        self.anna = User.objects.create_user("anna", "anna@example.com", "a long password")
        self.access = sessions.start(self.anna, scope="cart:write").access

    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access}"}

    def test_views_for_programs(self) -> None:
        client = Client(enforce_csrf_checks=True)
        assert client.get("/whoami/", headers=self.bearer()).json()["id"] == self.anna.pk
        assert client.get("/whoami/").json()["code"] == "not_authenticated"
        assert client.get("/profile/", headers=self.bearer()).json() == {"name": "anna"}
        assert client.get("/orders/", headers=self.bearer()).json()["code"] == "insufficient_scope"
        assert client.post("/cart/", headers=self.bearer()).json() == {"owner": self.anna.pk}

    def test_coroutines_under_asgi(self) -> None:
        client = AsyncClient()
        answer = async_to_sync(client.get)("/profile/", headers=self.bearer())
        assert answer.json() == {"name": "anna"}
        assert async_to_sync(client.post)("/cart/", headers=self.bearer()).json() == {"owner": self.anna.pk}

    def test_pages_with_the_cookie(self) -> None:
        client = Client(enforce_csrf_checks=True)
        assert client.get("/page/", secure=True).headers["Location"] == "/login/?next=/page/"
        assert client.get("/login/", secure=True).status_code == 200
        body = {"username": "anna", "password": "a long password", "transport": "cookie"}
        assert client.post("/api/token/", body, headers=ORIGIN, secure=True).status_code == 200
        assert client.get("/page/", secure=True).content == b"<p>anna</p>"
        named = client.post("/rename/", {"name": "Anna"}, headers=ORIGIN, secure=True)
        assert named.content == b"Anna"
        evil = {"origin": "https://evil.example"}
        refused = client.post("/rename/", {"name": "Eve"}, headers=evil, secure=True)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_origin")

    def test_the_admin_can_be_left_out(self) -> None:
        from django.conf import settings

        ours = "plain.middleware.OutsideTheAdmin"
        names = [ours if "TokenMiddleware" in name else name for name in settings.MIDDLEWARE]
        with self.settings(MIDDLEWARE=names):
            assert Client().get("/whoami/", headers=self.bearer()).status_code == 200

"""Authentication backends of projects get the name under the argument that they have, and the request."""

from __future__ import annotations

from typing import Any

import pytest
import rest_framework_simplejwt.serializers  # noqa: F401 - it reads USERNAME_FIELD when it is imported
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from rest_framework.test import APIClient

from tests.conftest import PASSWORD
from tests.settings import USER_MODEL

pytestmark = pytest.mark.django_db

if USER_MODEL != "auth.User":
    pytest.skip("its project names people by another column of auth.User", allow_module_level=True)


def find(name: Any, password: Any) -> Any:
    user = get_user_model().objects.filter(first_name=name).first()
    return user if user is not None and user.check_password(password) else None


class ByField(BaseBackend):
    """Accepts the name under the user model's ``USERNAME_FIELD`` only."""

    def authenticate(self, request: Any, first_name: Any = None, password: Any = None) -> Any:
        return find(first_name, password)


class ByFieldAndMore(BaseBackend):
    def authenticate(self, request: Any, first_name: Any = None, password: Any = None, **kwargs: Any) -> Any:
        return find(first_name, password)


class ByUsername(BaseBackend):
    """Accepts ``username`` only, as Django's login form passes it."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None) -> Any:
        return find(username, password)


class ByUsernameAndMore(BaseBackend):
    def authenticate(self, request: Any, username: Any = None, password: Any = None, **kwargs: Any) -> Any:
        return find(username, password)


class ByAnything(BaseBackend):
    """As django-allauth's and python-social-auth's backends are written."""

    def authenticate(self, request: Any, **credentials: Any) -> Any:
        return find(credentials.get("username"), credentials.get("password"))


class ByToken(BaseBackend):
    """Accepts other credentials. Django skips it."""

    def authenticate(self, request: Any, token: Any = None) -> Any:
        raise AssertionError


class ByData(ModelBackend):
    """Wants a one-time code beside the password, in the body of REST framework's request."""

    def authenticate(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().authenticate(request, *args, **kwargs) if request.data.get("otp") == "123456" else None


class ByPost(ModelBackend):
    """Reads Django's own request."""

    def authenticate(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        assert isinstance(request, HttpRequest)
        return super().authenticate(request, *args, **kwargs)


BACKENDS = [
    [ModelBackend],
    [ByField],
    [ByFieldAndMore],
    [ByUsername],
    [ByUsernameAndMore],
    [ByAnything],
    [ByPost],
]
PAIRS = [
    [ByToken, ModelBackend],
    [ByToken, ByField],
    [ByField, ModelBackend],
    [ModelBackend, ByField],
    [ByUsername, ModelBackend],
    [ByField, ByUsername],
    [ByUsername, ByField],
    [ByField, ByAnything],
]


def use(settings: Any, backends: list[type[Any]]) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{kind.__module__}.{kind.__qualname__}" for kind in backends]


@pytest.fixture
def _phones(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project whose people log in by another column; "Anna" is in it."""
    monkeypatch.setattr(get_user_model(), "USERNAME_FIELD", "first_name")


@pytest.mark.slow
@pytest.mark.usefixtures("_phones")
@pytest.mark.parametrize("field", ["username", "first_name"])
@pytest.mark.parametrize(
    "backends", [*BACKENDS, *PAIRS], ids=lambda kinds: "+".join(kind.__name__ for kind in kinds)
)
def test_a_name_reaches_every_kind_of_backend(
    api: APIClient, settings: Any, backends: list[type[Any]], field: str
) -> None:
    use(settings, backends)
    failures: list[dict[str, Any]] = []

    def note(credentials: dict[str, Any], **kwargs: Any) -> None:
        failures.append(credentials)

    user_login_failed.connect(note, dispatch_uid="test")
    try:
        assert api.post("/api/token/", {field: "Anna", "password": PASSWORD}).status_code == 200
        succeeded = len(failures)
        assert api.post("/api/token/", {field: "Anna", "password": "no"}).status_code == 401
        assert api.post("/api/token/", {field: "Nobody", "password": PASSWORD}).status_code == 401
    finally:
        user_login_failed.disconnect(dispatch_uid="test")
    mixed = {ByField, ByUsername} <= set(backends)
    assert succeeded == 0
    assert len(failures) == (4 if mixed else 2)
    assert PASSWORD not in str(failures)


@pytest.mark.parametrize(
    "backends", [*BACKENDS, *PAIRS], ids=lambda kinds: "+".join(kind.__name__ for kind in kinds)
)
def test_with_djangos_own_name_field_nothing_is_special(
    api: APIClient, anna: AbstractBaseUser, settings: Any, backends: list[type[Any]]
) -> None:
    use(settings, backends)
    type(anna).objects.update(first_name="anna")
    expected = 401 if set(backends) <= {ByField, ByFieldAndMore, ByToken} else 200
    assert api.post("/api/token/", {"username": "anna", "password": PASSWORD}).status_code == expected


@pytest.mark.parametrize("kind", ["json", "multipart"])
def test_the_body_is_on_the_request(api: APIClient, anna: AbstractBaseUser, settings: Any, kind: Any) -> None:
    use(settings, [ByData])
    body = {"username": "anna", "password": PASSWORD}
    assert api.post("/api/token/", body, format=kind).status_code == 401
    assert api.post("/api/token/", {**body, "otp": "123456"}, format=kind).status_code == 200


@pytest.mark.parametrize(
    ("package", "path"), [("simplejwt", "/api/token/"), ("jwt", "/auth/")], ids=["simplejwt", "jwt"]
)
def test_under_the_names_of_other_packages_too(
    api: APIClient, anna: AbstractBaseUser, settings: Any, package: str, path: str
) -> None:
    settings.ROOT_URLCONF = f"tests.compat.{package}_urls"
    use(settings, [ByData])
    body = {"username": "anna", "password": PASSWORD}
    assert api.post(path, body).status_code in {400, 401}
    assert api.post(path, {**body, "otp": "123456"}).status_code == 200


@pytest.mark.usefixtures("_phones")
@pytest.mark.parametrize(
    "backends", [[ByField], [ByFieldAndMore], [ModelBackend]], ids=["field", "more", "Django's"]
)
def test_the_name_field_under_the_names_of_other_packages(
    api: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch, backends: list[type[Any]]
) -> None:
    from rest_framework_simplejwt.serializers import TokenObtainSerializer

    monkeypatch.setattr(TokenObtainSerializer, "username_field", "first_name")
    use(settings, backends)
    for package, path in (("simplejwt", "/api/token/"), ("jwt", "/auth/")):
        settings.ROOT_URLCONF = f"tests.compat.{package}_urls"
        assert api.post(path, {"first_name": "Anna", "password": PASSWORD}).status_code == 200

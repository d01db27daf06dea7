"""Projects subclass the endpoints: another serializer with more fields, and the context that it expects."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser
from django.urls import path
from rest_framework import serializers
from rest_framework.schemas.generators import BaseSchemaGenerator
from rest_framework.schemas.openapi import AutoSchema
from rest_framework.test import APIClient, APIRequestFactory

from drf_tessera import sessions
from drf_tessera.http import find_view_class
from drf_tessera.rest import views
from drf_tessera.rest.serializers import (
    LoginSerializer,
    RefreshSerializer,
    RevokeSerializer,
    UserSerializer,
    VerifySerializer,
)
from drf_tessera.rest.urls import urlpatterns as native
from tests.conftest import PASSWORD, bearer

pytestmark = pytest.mark.django_db

BODIES: list[tuple[type[views.BodyView], type[serializers.Serializer[Any]]]] = [
    (views.LoginView, LoginSerializer),
    (views.RefreshView, RefreshSerializer),
    (views.VerifyView, VerifySerializer),
    (views.RevokeView, RevokeSerializer),
]


class CaptchaBackend(ModelBackend):
    """A backend that reads a further field, and accepts no further argument."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None) -> Any:  # type: ignore[override]
        assert request.data["captcha"] == "right"
        return super().authenticate(request, username, password)


def make_body(view: type[Any], user: AbstractBaseUser) -> dict[str, Any]:
    begun = sessions.start(user)
    return {
        views.LoginView: {"username": user.get_username(), "password": PASSWORD},
        views.VerifyView: {"token": begun.access},
    }.get(view, {"refresh": begun.refresh})


@pytest.mark.parametrize(("view", "shape"), BODIES, ids=lambda item: item.__name__)
def test_a_serializer_with_another_field(
    anna: AbstractBaseUser, settings: Any, view: type[views.BodyView], shape: type[Any]
) -> None:
    class Guarded(shape):  # type: ignore[misc]
        captcha = serializers.CharField()

        def validate_captcha(self, value: str) -> str:
            assert self.context["request"].META["REQUEST_METHOD"] == "POST"
            assert isinstance(self.context["view"], view)
            if value != "right":
                raise serializers.ValidationError("No.", code="captcha_wrong")
            return value

    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.CaptchaBackend"]
    own = view.as_view(serializer_class=Guarded)
    for captcha, status in (("wrong", 400), ("right", 200)):
        body = {**make_body(view, anna), "captcha": captcha}
        answer = own(APIRequestFactory().post("/", body, format="json"))
        assert answer.status_code == status, answer.data
    assert answer.data.get("access" if view in {views.LoginView, views.RefreshView} else "detail") != "No."


def test_every_endpoint_with_a_body_is_in_the_table() -> None:
    found = {find_view_class(pattern.callback) for pattern in native}
    assert {kind for kind in found if issubclass(kind, views.BodyView)} == {view for view, _ in BODIES}  # type: ignore[arg-type]
    with_body = {kind for kind in found if hasattr(kind, "post")}
    assert with_body == {view for view, _ in BODIES}


def test_the_names_for_generators_of_schemas_are_our_own() -> None:
    """drf-yasg refuses two serializers with one name, and many projects have a ``LoginSerializer``."""
    for _, shape in BODIES:
        assert shape.Meta.ref_name == f"Tessera{shape.__name__.removesuffix('Serializer')}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("view", "shape"), BODIES, ids=lambda item: item.__name__)
def test_a_generator_of_schemas_finds_the_fields(view: type[views.BodyView], shape: type[Any]) -> None:
    own = BaseSchemaGenerator().create_view(view.as_view(), "POST")
    own.schema = AutoSchema()
    own.schema.view = own
    assert type(own.schema.get_serializer("/", "POST")) is shape
    assert own.schema.get_request_body("/", "POST")


class Seen(UserSerializer):
    def to_representation(self, instance: AbstractBaseUser) -> dict[str, Any]:
        return {"path": self.context["request"].path, "view": type(self.context["view"]).__name__}


class OwnLogin(views.LoginView):
    user_serializer_class = Seen


urlpatterns = [path("login/", OwnLogin.as_view()), path("sessions/", views.SessionListView.as_view())]


def test_the_other_serializers_have_the_request_too(
    api: APIClient, anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_URLCONF = __name__
    begun = api.post("/login/", {"username": anna.get_username(), "password": PASSWORD}).json()
    assert begun["user"] == {"path": "/login/", "view": "OwnLogin"}
    monkeypatch.setattr(
        views.SessionSerializer, "get_device", lambda self, session: self.context["request"].path
    )
    (row,) = api.get("/sessions/", **bearer(begun["access"])).json()
    assert row["device"] == "/sessions/"

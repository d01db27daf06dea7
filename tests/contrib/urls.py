"""The urls of a project: the endpoints, and views with each authentication class."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer
from rest_framework.views import APIView

from drf_tessera import JWTAuthentication, OptionalJWTAuthentication, StrictJWTAuthentication


class Shape(Serializer[Any]):
    name = CharField()


class Own(APIView):
    """A view of the project."""

    authentication_classes = (JWTAuthentication,)
    permission_classes = (IsAuthenticated,)
    serializer_class = Shape

    def get(self, request: Any) -> Response:
        return Response({"name": request.user.get_username()})

    def post(self, request: Any) -> Response:
        return Response({"name": request.user.get_username()})


class Strict(Own):
    authentication_classes = (StrictJWTAuthentication,)


class Public(Own):
    authentication_classes = (OptionalJWTAuthentication,)
    permission_classes = ()


urlpatterns = [
    path("api/token/", include("drf_tessera.rest.urls")),
    path("api/personal-tokens/", include("drf_tessera.rest.personal_urls")),
    path("api/own/", Own.as_view()),
    path("api/strict/", Strict.as_view()),
    path("api/public/", Public.as_view()),
]

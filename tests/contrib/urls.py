"""The urls of a project: the endpoints, and views with each authentication class."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer
from rest_framework.views import APIView

from drf_tessera import JWTAuthentication, OptionalJWTAuthentication, StrictJWTAuthentication
from drf_tessera.rest.handover import AcceptHandoverView, HandoverView
from drf_tessera.rest.permissions import HasClaim, HasScope
from drf_tessera.rest.views import IntrospectView


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


class Scoped(Own):
    permission_classes = (IsAuthenticated, HasScope("notes:read") & HasScope("notes:all") | HasScope("admin"))


class Claimed(Own):
    permission_classes = (~HasClaim("guest", True) & HasScope("notes:read") | IsAdminUser,)


urlpatterns = [
    path("api/token/introspect/", IntrospectView.as_view()),
    path("api/token/handover/", HandoverView.as_view()),
    path("api/token/accept/", AcceptHandoverView.as_view()),
    path("api/token/", include("drf_tessera.rest.urls")),
    path("api/personal-tokens/", include("drf_tessera.rest.personal_urls")),
    path("api/own/", Own.as_view()),
    path("api/strict/", Strict.as_view()),
    path("api/scoped/", Scoped.as_view()),
    path("api/claimed/", Claimed.as_view()),
    path("api/public/", Public.as_view()),
]

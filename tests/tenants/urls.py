from __future__ import annotations

from django.urls import include, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.tenants import rules


class Me(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"name": request.user.get_username()})


class Key(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"key": request.user.pk})


class Elsewhere(APIView):
    """A view that changes the tenant before it looks at the user."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        with rules.inside("two"):
            return Response({"name": request.user.get_username()})


class Broken(APIView):
    """A view that looks at the user inside a transaction that the database has aborted."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        with rules.broken_transaction():
            return Response({"name": request.user.get_username()})


urlpatterns = [
    path("api/token/", include("drf_tessera.rest.urls")),
    path("me/", Me.as_view()),
    path("key/", Key.as_view()),
    path("elsewhere/", Elsewhere.as_view()),
    path("broken/", Broken.as_view()),
]

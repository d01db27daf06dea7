from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import include, path, re_path
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera.plain import token_required
from drf_tessera.rest.permissions import HasScope
from drf_tessera.rest.views import IntrospectView


class Notes(APIView):
    permission_classes = (IsAuthenticated, HasScope("notes:read") | IsAdminUser)

    def get(self, request: Any, **kwargs: Any) -> Response:
        return Response({"sub": str(request.auth.sub)})


class Secret(Notes):
    permission_classes = (HasScope("notes:read", "notes:secret"), ~HasScope("guest"))


class Elsewhere(Notes):
    permission_classes = (HasScope("elsewhere"),)


urlpatterns = [
    path("", include("drf_tessera.rest.metadata")),
    path("api/token/introspect/", IntrospectView.as_view(), name="token_introspect"),
    path("api/token/", include("drf_tessera.rest.urls")),
    path("t/<str:tenant>/introspect/", IntrospectView.as_view(), name="token_introspect"),
    path("t/<str:tenant>/notes/", Notes.as_view()),
    re_path(r"^r/(?P<tenant>[a-z]+)/notes/$", Notes.as_view()),
    path("shop-<slug:tenant>/", include([path("secret/", Secret.as_view())])),
    path("api/plain/", token_required(lambda request: HttpResponse())),
    path("api/notes/", Notes.as_view()),
    path("api/secret/", Secret.as_view()),
    path(".well-known/jwks.json", Notes.as_view(), name="token_key_set"),  # only its address counts here
    path("apis/", Elsewhere.as_view()),
]

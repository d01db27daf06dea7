from __future__ import annotations

from django.urls import include, path
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from tests import views


class WhoAmI(APIView):
    """A protected view for the tokens of other issuers."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        auth = request.auth
        return Response({"user": str(request.user), "issuer": auth.issuer, "scopes": sorted(auth.scopes)})


class Once(WhoAmI):
    """A view that each caller may call once."""

    class Throttle(UserRateThrottle):
        rate = "1/min"

    throttle_classes = (Throttle,)


class Staff(WhoAmI):
    permission_classes = (IsAdminUser,)


urlpatterns = [
    path("api/token/", include("drf_tessera.rest.urls")),
    path("whoami/", WhoAmI.as_view()),
    path("once/", Once.as_view()),
    path("staff/", Staff.as_view()),
    path("me/", views.Me.as_view()),
    path("name/", views.Name.as_view()),
    path("strict/", views.StrictMe.as_view()),
    path("public/", views.Public.as_view()),
]

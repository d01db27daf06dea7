from importlib.metadata import PackageNotFoundError, version

from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView


def _name_server() -> str:
    try:
        return f"simplejwt {version('djangorestframework-simplejwt')}"
    except PackageNotFoundError:
        return "drf-tessera"


class Me(APIView):
    def get(self, request):
        return Response({"name": request.user.get_username(), "server": _name_server()})


urlpatterns = [
    path("token/", TokenObtainPairView.as_view()),
    path("token/refresh/", TokenRefreshView.as_view()),
    path("me/", Me.as_view()),
]

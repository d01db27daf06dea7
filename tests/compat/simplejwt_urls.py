from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import authentication, views


class WhoAmI(APIView):
    authentication_classes = (authentication.JWTAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"pk": request.user.pk, "claims": dict(request.auth.payload)})


class WhoAmIStateless(WhoAmI):
    authentication_classes = (authentication.JWTStatelessUserAuthentication,)

    def get(self, request):
        return Response({"pk": request.user.pk, "kind": type(request.user).__name__})


class Active(WhoAmI):
    def get(self, request):
        return Response({"active": request.user.is_active})


urlpatterns = [
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    path("me/", WhoAmI.as_view()),
    path("active/", Active.as_view()),
    path("stateless/", WhoAmIStateless.as_view()),
]

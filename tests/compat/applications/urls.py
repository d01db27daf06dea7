from django.urls import include, path
from djoser.views import UserViewSet
from drf_spectacular.views import SpectacularAPIView
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.views import (
    TokenBlacklistView,
    TokenObtainPairView,
    TokenRefreshView,
    TokenVerifyView,
)

urlpatterns = [
    path("dj/", include("dj_rest_auth.urls")),
    path("djoser/", include("djoser.urls.jwt")),
    path(
        "djoser/me/",
        UserViewSet.as_view({"get": "me"}, authentication_classes=[JWTAuthentication]),
    ),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("token/", TokenObtainPairView.as_view()),
    path("token/refresh/", TokenRefreshView.as_view()),
    path("token/verify/", TokenVerifyView.as_view()),
    path("token/blacklist/", TokenBlacklistView.as_view()),
]

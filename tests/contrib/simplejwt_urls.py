"""The urls of a project on drf-tessera-simplejwt: each of its views, and each authentication class."""

from __future__ import annotations

from django.urls import path
from rest_framework_simplejwt import authentication, views

from tests.contrib.urls import Own


class Protected(Own):
    authentication_classes = (authentication.JWTAuthentication,)


class Stateless(Own):
    authentication_classes = (authentication.JWTStatelessUserAuthentication,)


urlpatterns = [
    path("api/token/", views.token_obtain_pair),
    path("api/token/refresh/", views.token_refresh),
    path("api/token/verify/", views.token_verify),
    path("api/token/blacklist/", views.token_blacklist),
    path("api/own/", Protected.as_view()),
    path("api/stateless/", Stateless.as_view()),
]

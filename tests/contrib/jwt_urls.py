"""The urls of a project on drf-tessera-jwt: each of its views, and its authentication class."""

from __future__ import annotations

from django.urls import path
from rest_framework_jwt import authentication, views

from tests.contrib.urls import Own


class Protected(Own):
    authentication_classes = (authentication.JSONWebTokenAuthentication,)


urlpatterns = [
    path("api/auth/", views.obtain_jwt_token),
    path("api/refresh/", views.refresh_jwt_token),
    path("api/verify/", views.verify_jwt_token),
    path("api/own/", Protected.as_view()),
]

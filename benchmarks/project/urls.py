"""The URLconf: the measured views, and the views of the peer's own login and refresh."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from benchmarks.project import views
from benchmarks.project.scheme import read_scheme

SCHEME = read_scheme()

urlpatterns: list[URLPattern | URLResolver] = [
    path("ping/", views.PingView.as_view()),
    path("open/", views.OpenView.as_view()),
    path("touched/", views.TouchedView.as_view()),
    path("floor/", views.FloorView.as_view()),
    path("floor/bare/", views.BareFloorView.as_view()),
]

if SCHEME == "tessera":
    urlpatterns += [path("api/token/", include("drf_tessera.rest.urls"))]
elif SCHEME.startswith("simplejwt"):
    from rest_framework_simplejwt.views import TokenBlacklistView, TokenObtainPairView, TokenRefreshView

    urlpatterns += [
        path("api/token/", TokenObtainPairView.as_view()),
        path("api/token/refresh/", TokenRefreshView.as_view()),
        path("api/token/blacklist/", TokenBlacklistView.as_view()),
    ]
elif SCHEME == "drf-token":
    from rest_framework.authtoken.views import obtain_auth_token

    urlpatterns += [path("api/token/", obtain_auth_token)]
elif SCHEME == "knox":
    from knox.views import LoginView  # type: ignore[import-not-found]  # in its environment alone
    from rest_framework.authentication import BasicAuthentication

    urlpatterns += [
        path("knox/login/", LoginView.as_view(authentication_classes=[BasicAuthentication])),
        path("knox/", include("knox.urls")),
    ]
elif SCHEME == "dj-rest-auth":
    urlpatterns += [path("auth/", include("dj_rest_auth.urls"))]
elif SCHEME == "allauth":
    urlpatterns += [path("_allauth/", include("allauth.headless.urls"))]
elif SCHEME == "oauth-toolkit":
    from oauth2_provider import (  # type: ignore[import-not-found]  # in its environment alone
        urls as oauth2_urls,
    )

    urlpatterns += [path("o/", include(oauth2_urls))]

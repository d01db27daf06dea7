"""The URLconf: the measured views, and the views of the peer's own login and refresh."""

from __future__ import annotations

from django.conf import settings
from django.urls import include, path

from benchmarks.project import views

urlpatterns = [
    path("ping/", views.PingView.as_view()),
    path("open/", views.OpenView.as_view()),
    path("touched/", views.TouchedView.as_view()),
    path("floor/", views.FloorView.as_view()),
    path("floor/bare/", views.BareFloorView.as_view()),
]

if settings.SCHEME == "tessera":
    urlpatterns += [path("api/token/", include("drf_tessera.rest.urls"))]
elif settings.SCHEME.startswith("simplejwt"):
    from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

    urlpatterns += [
        path("api/token/", TokenObtainPairView.as_view()),
        path("api/token/refresh/", TokenRefreshView.as_view()),
    ]
elif settings.SCHEME == "allauth":
    urlpatterns += [path("_allauth/", include("allauth.headless.urls"))]
elif settings.SCHEME == "oauth-toolkit":
    from oauth2_provider import urls as oauth2_urls

    urlpatterns += [path("o/", include(oauth2_urls))]

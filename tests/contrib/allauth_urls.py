"""The headless API of allauth, and ours. It is imported while allauth is installed."""

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("api/token/", include("drf_tessera.rest.urls")),
]

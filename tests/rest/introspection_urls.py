from __future__ import annotations

from django.urls import include, path

from drf_tessera.rest.views import IntrospectView

urlpatterns = [
    path("api/token/introspect/", IntrospectView.as_view(), name="token_introspect"),
    path("api/token/", include("drf_tessera.rest.urls")),
]

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("drf_tessera.rest.keysets")),
    path("", include("drf_tessera.rest.metadata")),
    path("t/<slug:tenant>/", include("drf_tessera.rest.keysets")),
]

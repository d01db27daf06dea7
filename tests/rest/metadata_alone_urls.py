from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("", include("drf_tessera.rest.metadata"))]

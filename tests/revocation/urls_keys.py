"""The urls of the tests' project, with the JWK Set."""

from django.urls import include, path

urlpatterns = [path("", include("tests.urls")), path("", include("drf_tessera.rest.keysets"))]

"""Tests of the project of docs/howto/openapi.md, run by its own ``manage.py test``."""

from __future__ import annotations

from django.test import TestCase


class Schema(TestCase):
    def test_the_schema_and_its_page(self) -> None:
        schema = self.client.get("/api/schema/?format=json").json()
        assert "login_failed" in str(schema["paths"]["/api/token/"]["post"]["responses"]["401"])
        page = self.client.get("/api/docs/").content.decode()
        assert "The shop" in page
        assert "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" in page

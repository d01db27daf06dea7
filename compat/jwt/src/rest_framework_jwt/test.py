"""A test client that logs in, as in djangorestframework-jwt."""

from __future__ import annotations

from typing import Any

from rest_framework import status
from rest_framework.test import APIClient, APITestCase

from rest_framework_jwt.settings import api_settings


class APIJWTClient(APIClient):
    """A client whose ``login`` gets a token from ``/api-token-auth/``."""

    def login(self, **credentials: Any) -> bool:
        """Log in, and send the token with each request. Return whether the login succeeded."""
        response = self.post("/api-token-auth/", credentials, format="json")
        if response.status_code != status.HTTP_200_OK:
            return False
        token, prefix = response.json()["token"], api_settings.JWT_AUTH_HEADER_PREFIX
        self.credentials(HTTP_AUTHORIZATION=f"{prefix} {token}")
        return True


class APIJWTTestCase(APITestCase):
    """A test case whose client is :class:`APIJWTClient`."""

    client_class = APIJWTClient

"""The programs that may ask about tokens: HTTP Basic, with a name and a secret of the settings."""

from __future__ import annotations

from typing import Any, Final, Literal

from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import ClientInvalid

CHALLENGE: Final = 'Basic realm="api", charset="UTF-8"'
"""The challenge of a 401 (RFC 7617)."""


class Client:
    """A program that may ask about tokens: the value of ``request.user`` at that endpoint."""

    is_authenticated: Literal[True] = True
    is_active: Literal[True] = True

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.pk: str = name

    def __str__(self) -> str:
        return self.name


class ClientAuthentication(BasicAuthentication):
    """Authenticate a program by ``INTROSPECTION_CLIENTS`` (RFC 6749, section 2.3.1). No user is involved."""

    @sensitive_variables()
    def authenticate(self, request: Request) -> Any:
        """Return the client and ``None``, or ``None`` if the request has no Basic header.

        Raises:
            ClientInvalid: the header is malformed, or the name or the secret is wrong.
        """
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            raise ClientInvalid from None

    @sensitive_variables()
    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[Any, None]:
        """Return the client with this name and secret.

        Raises:
            ClientInvalid: there is no such client. The answer takes as long as for a wrong secret.
        """
        credentials = get_settings().introspection_clients.get(userid)
        if not constant_time_compare(password, credentials or "") or not credentials:
            raise ClientInvalid
        return Client(userid), None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return CHALLENGE

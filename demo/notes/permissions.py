"""The permission of logins and of personal access tokens."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from drf_tessera.issuers import ForeignToken
from drf_tessera.rest.permissions import TokenPermission
from drf_tessera.tokens import AccessToken, PersonalToken


class IsLoginOrReads(TokenPermission):
    """A person who has logged in, or a script that reads with the scope ``notes:read``."""

    is_reading = False

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the token of the request is enough."""
        self.is_reading = request.method in SAFE_METHODS
        return super().has_permission(request, view)

    def allows(self, token: AccessToken | ForeignToken) -> bool:
        """Return whether a token is enough."""
        return not isinstance(token, PersonalToken) or (self.is_reading and "notes:read" in token.scopes)

"""The permissions of logins and of personal access tokens."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from drf_tessera.tokens import PersonalToken


class IsLogin(BasePermission):
    """A person who has logged in, and not a script with a personal access token."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the token is not a personal one. Without a token the answer is a 401 anyway."""
        return not isinstance(request.auth, PersonalToken)


class IsReading(BasePermission):
    """A request that changes nothing."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the method is safe."""
        return request.method in SAFE_METHODS

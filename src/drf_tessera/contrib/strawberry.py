"""A permission for Strawberry, behind ``drf_tessera.plain.TokenMiddleware``.

The middleware lets a request with a bad token pass as an anonymous one. So a query that needs nobody is
answered, and a field that needs a token has an error with our code in ``extensions``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from strawberry.exceptions import StrawberryGraphQLError
from strawberry.permission import BasePermission
from strawberry.types import Info

from drf_tessera.plain import find_refusal


class NeedsToken(BasePermission):
    """Allow requests with an access token. A subclass may name ``scopes`` that the token must have."""

    message: str = "This field needs an access token."
    scopes: ClassVar[tuple[str, ...]] = ()

    def has_permission(self, source: Any, info: Info, **kwargs: Any) -> bool:
        """Return ``True`` if the token is enough.

        Raises:
            StrawberryGraphQLError: it is not. ``extensions`` has the ``code`` of the reason.
        """
        error = find_refusal(info.context["request"], self.scopes)
        if error is not None:
            raise StrawberryGraphQLError(error.detail, extensions={"code": error.code})
        return True

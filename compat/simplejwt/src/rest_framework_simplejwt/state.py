"""simplejwt's ``token_backend``, as far as it reads."""

from __future__ import annotations

from typing import Any, NoReturn

from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import UntypedToken


class TokenBackend:
    """Reads any token; signs none."""

    def decode(self, token: str | bytes, verify: bool = True) -> dict[str, Any]:
        """Verify a token and give its claims.

        Raises:
            TokenBackendError: it is not valid, or should not be verified.
        """
        try:
            return UntypedToken(token, verify=verify).payload
        except TokenError as error:
            raise TokenBackendError(str(error)) from error

    def encode(self, payload: dict[str, Any]) -> NoReturn:
        """Refuse: a token without a session could not be ended.

        Raises:
            TokenBackendError: always.
        """
        raise TokenBackendError("Make tokens by RefreshToken.for_user(user).")


token_backend = TokenBackend()

"""The ``TokenBackend`` of simplejwt, without its function to sign tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.core.exceptions import ImproperlyConfigured

from drf_tessera.legacy import refuse_names
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import UntypedToken


class TokenBackend:
    """Reads every token with the keys of the settings. It signs no tokens.

    Raises:
        ImproperlyConfigured: an argument differs from the settings, so it would have no effect.
    """

    def __init__(
        self,
        algorithm: str | None = None,
        signing_key: Any = None,
        verifying_key: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        keys = ("SIGNING_KEY", "VERIFYING_KEY")
        for name, value, settings in (
            ("algorithm", algorithm, ("ALGORITHM",)),
            ("signing_key", signing_key, keys),
            ("verifying_key", verifying_key, keys),
        ):
            if value and value not in [getattr(api_settings, setting) for setting in settings]:
                raise ImproperlyConfigured(f"TokenBackend uses the settings. Remove the argument {name}.")

    def decode(self, token: str | bytes, verify: bool = True) -> dict[str, Any]:
        """Return the claims of a token, after verification. ``verify`` has no effect.

        Raises:
            TokenBackendExpiredToken: the token has expired, but is valid otherwise.
            TokenBackendError: the token is not valid.
        """
        try:
            return UntypedToken(token).payload
        except ExpiredTokenError as error:
            raise TokenBackendExpiredToken(str(error)) from error
        except TokenError as error:
            raise TokenBackendError(str(error)) from error

    def encode(self, payload: dict[str, Any]) -> NoReturn:
        """Refuse, because a logout could not end a token without a session.

        Raises:
            TokenBackendError: always.
        """
        raise TokenBackendError("Create tokens with RefreshToken.for_user(user).")


if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)

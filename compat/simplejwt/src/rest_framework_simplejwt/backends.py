"""simplejwt's ``TokenBackend``, as far as it reads."""

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
    """Reads any token by the project's own keys; signs none.

    Raises:
        ImproperlyConfigured: another algorithm or key than the settings say, which would not be asked.
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
                raise ImproperlyConfigured(f"TokenBackend reads by the settings; leave {name} out.")

    def decode(self, token: str | bytes, verify: bool = True) -> dict[str, Any]:
        """Verify a token, whatever ``verify`` says, and give its claims.

        Raises:
            TokenBackendError: it is not valid; ``TokenBackendExpiredToken`` if that is for its time alone.
        """
        try:
            return UntypedToken(token).payload
        except ExpiredTokenError as error:
            raise TokenBackendExpiredToken(str(error)) from error
        except TokenError as error:
            raise TokenBackendError(str(error)) from error

    def encode(self, payload: dict[str, Any]) -> NoReturn:
        """Refuse: a token without a session could not be ended.

        Raises:
            TokenBackendError: always.
        """
        raise TokenBackendError("Make tokens by RefreshToken.for_user(user).")


if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)

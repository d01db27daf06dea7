"""simplejwt's ``TokenBackend``, as far as it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.core.exceptions import ImproperlyConfigured

from drf_tessera.verdicts import refuse_names
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
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
        given = {"algorithm": algorithm, "signing_key": signing_key, "verifying_key": verifying_key}
        for name, value in given.items():
            if value and value != getattr(api_settings, name.upper()):
                raise ImproperlyConfigured(f"TokenBackend reads by the settings; leave {name} out.")

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


if not TYPE_CHECKING:
    __getattr__ = refuse_names(__name__)

"""The ``TokenBackend`` of simplejwt, without its function to sign tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from jwt import algorithms

from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.reading import read_any, to_text
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import format_lazy

ALLOWED_ALGORITHMS = {
    f"{family}{bits}" for family in ("HS", "RS", "ES") for bits in (256, 384, 512)
} | algorithms.requires_cryptography


class TokenBackend:
    """Reads every token with the keys of the settings. It signs no tokens.

    Raises:
        TokenBackendError: there is no such algorithm.
        ImproperlyConfigured: an argument differs from the settings, so it would have no effect.
    """

    __module__ = "rest_framework_simplejwt.backends"  # the place that projects know

    def __init__(
        self,
        algorithm: str | None = None,
        signing_key: Any = None,
        verifying_key: Any = None,
        audience: str | Iterable[str] | None = None,
        issuer: str | None = None,
        jwk_url: str | None = None,
        leeway: float | timedelta | None = None,
        json_encoder: type[json.JSONEncoder] | None = None,
    ) -> None:
        if algorithm is not None and algorithm not in ALLOWED_ALGORITHMS:
            raise TokenBackendError(format_lazy(_("Unrecognized algorithm type '{}'"), algorithm))
        keys = ("SIGNING_KEY", "VERIFYING_KEY")
        for name, value, settings in (
            ("algorithm", algorithm, ("ALGORITHM",)),
            ("signing_key", signing_key, keys),
            ("verifying_key", verifying_key, keys),
            ("audience", audience, ("AUDIENCE",)),
            ("issuer", issuer, ("ISSUER",)),
            ("jwk_url", jwk_url, ("JWK_URL",)),
            ("leeway", leeway, ("LEEWAY",)),
            ("json_encoder", json_encoder, ("JSON_ENCODER",)),
        ):
            if value and value not in [getattr(api_settings, setting) for setting in settings]:
                raise ImproperlyConfigured(f"TokenBackend uses the settings. Remove the argument {name}.")

    def __getattr__(self, name: str) -> Any:
        known = {"algorithm", "signing_key", "verifying_key", "audience", "issuer", "leeway", "json_encoder"}
        if name in known:
            return getattr(api_settings, name.upper())
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_leeway(self) -> timedelta:
        """Return ``LEEWAY``.

        Raises:
            TokenBackendError: the setting is neither a number nor a ``timedelta``.
        """
        leeway = api_settings.LEEWAY
        if leeway is None or isinstance(leeway, int | float):
            return timedelta(seconds=leeway or 0)
        if isinstance(leeway, timedelta):
            return leeway
        raise TokenBackendError(
            format_lazy(
                _("Unrecognized type '{}', 'leeway' must be of type int, float or timedelta."), type(leeway)
            )
        )

    @sensitive_variables()
    def decode(self, token: str | bytes, verify: bool = True) -> dict[str, Any]:
        """Return the claims of a token, after verification. ``verify`` has no effect.

        Raises:
            TokenBackendExpiredToken: the token has expired, but is valid otherwise.
            TokenBackendError: the token is not valid.
        """
        try:
            return read_any(to_text(token)).claims
        except ExpiredTokenError as error:
            raise TokenBackendExpiredToken(*error.args) from error
        except TokenError as error:
            raise TokenBackendError(*error.args) from error

    def encode(self, payload: dict[str, Any]) -> NoReturn:
        """Refuse, because a logout could not end a token without a session.

        Raises:
            TokenBackendError: always.
        """
        raise TokenBackendError("Create tokens with RefreshToken.for_user(user).")

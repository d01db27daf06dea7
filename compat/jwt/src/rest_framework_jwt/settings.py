"""``JWT_AUTH``, read live, and its translation into settings of drf-tessera."""

from __future__ import annotations

import datetime as datetime
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from django.conf import settings

from drf_tessera import legacy
from drf_tessera.conf import READERS, Reader, Settings, get_settings
from drf_tessera.legacy import refuse_names
from drf_tessera.legacy.pyjwt import describe_key, describe_secret

_HERE: Final = "rest_framework_jwt.utils"

DEFAULTS: Final[Mapping[str, Any]] = {
    "JWT_ENCODE_HANDLER": f"{_HERE}.jwt_encode_handler",
    "JWT_DECODE_HANDLER": f"{_HERE}.jwt_decode_handler",
    "JWT_PAYLOAD_HANDLER": f"{_HERE}.jwt_payload_handler",
    "JWT_PAYLOAD_GET_USER_ID_HANDLER": f"{_HERE}.jwt_get_user_id_from_payload_handler",
    "JWT_PAYLOAD_GET_USERNAME_HANDLER": f"{_HERE}.jwt_get_username_from_payload_handler",
    "JWT_RESPONSE_PAYLOAD_HANDLER": f"{_HERE}.jwt_response_payload_handler",
    "JWT_PRIVATE_KEY": None,
    "JWT_PUBLIC_KEY": None,
    "JWT_SECRET_KEY": None,
    "JWT_GET_USER_SECRET_KEY": None,
    "JWT_ALGORITHM": "HS256",
    "JWT_VERIFY": True,
    "JWT_VERIFY_EXPIRATION": True,
    "JWT_LEEWAY": 0,
    "JWT_EXPIRATION_DELTA": timedelta(minutes=5),
    "JWT_AUDIENCE": None,
    "JWT_ISSUER": None,
    "JWT_ALLOW_REFRESH": False,
    "JWT_REFRESH_EXPIRATION_DELTA": timedelta(days=7),
    "JWT_AUTH_HEADER_PREFIX": "JWT",
    "JWT_AUTH_COOKIE": None,
}
"""Every key of ``JWT_AUTH``."""

IMPORT_STRINGS: Final = frozenset(name for name in DEFAULTS if name.endswith("_HANDLER")) | {
    "JWT_GET_USER_SECRET_KEY"
}

SHAPES: Final[Mapping[str, Reader]] = {
    **legacy.list_switches(DEFAULTS),
    "JWT_EXPIRATION_DELTA": READERS["ACCESS_LIFETIME"],
    "JWT_REFRESH_EXPIRATION_DELTA": READERS["SESSION_LIFETIME"],
    "JWT_LEEWAY": READERS["CLOCK_SKEW"],
    "JWT_ALGORITHM": legacy.read_algorithm,
    "JWT_AUDIENCE": legacy.read_optional(READERS["AUDIENCE"]),
    "JWT_ISSUER": legacy.read_optional(READERS["ISSUER"]),
    "JWT_AUTH_HEADER_PREFIX": READERS["HEADER_PREFIX"],
    "JWT_AUTH_COOKIE": legacy.read_optional(legacy.read_cookie_name),
}
"""The readers of the keys whose values must have a certain type."""


class APISettings(legacy.LegacySettings):
    """The ``api_settings`` of djangorestframework-jwt."""

    name = "JWT_AUTH"
    defaults = DEFAULTS
    paths = IMPORT_STRINGS

    def look_up(self, name: str) -> Any:
        """Return a key's value. Verification is always on, and the lifetime is the lifetime in force."""
        if name in {"JWT_VERIFY", "JWT_VERIFY_EXPIRATION"}:
            return True  # a system check reports any other value
        if name == "JWT_EXPIRATION_DELTA":
            return get_settings().access_lifetime
        value = super().look_up(name)
        return value or settings.SECRET_KEY if name == "JWT_SECRET_KEY" else value

    def uses_default(self, name: str) -> bool:
        """Return whether the project uses the default handler."""
        return bool(self.user_settings.get(name, DEFAULTS[name]) == DEFAULTS[name])


api_settings = APISettings()


def translate(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys of ``TESSERA`` for the values of ``JWT_AUTH``, which :data:`SHAPES` has read."""
    names = {
        "JWT_EXPIRATION_DELTA": "ACCESS_LIFETIME",
        "JWT_LEEWAY": "CLOCK_SKEW",
        "JWT_AUDIENCE": "AUDIENCE",
        "JWT_ISSUER": "ISSUER",
        "JWT_AUTH_HEADER_PREFIX": "HEADER_PREFIX",
    }
    found = legacy.rename_keys(raw, names)
    ours = Settings()
    access = found.get("ACCESS_LIFETIME", ours.access_lifetime)
    if raw.get("JWT_ALLOW_REFRESH"):
        # The limit of all refreshes counts from the login, so the limit is the session's lifetime.
        delta = raw.get("JWT_REFRESH_EXPIRATION_DELTA", DEFAULTS["JWT_REFRESH_EXPIRATION_DELTA"])
        longest = max(delta, access, ours.refresh_grace + timedelta(seconds=1))
        found["SESSION_LIFETIME"] = found["SESSION_IDLE_LIFETIME"] = longest
    elif access > ours.session_idle_lifetime:
        found["SESSION_IDLE_LIFETIME"] = access
        found["SESSION_LIFETIME"] = max(access, ours.session_lifetime)
    key = _translate_key(raw)
    return {**found, "KEYS": [key]} if key else found


def _translate_key(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the project's own signing key for ``TESSERA["KEYS"]``. ``SECRET_KEY`` is never such a key."""
    algorithm = raw.get("JWT_ALGORITHM", "HS256")
    if raw.get("JWT_PRIVATE_KEY"):
        return describe_key(algorithm, raw["JWT_PRIVATE_KEY"])
    return describe_secret(algorithm, raw.get("JWT_SECRET_KEY"))


def find_live(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module: it reads names of the module from settings at each access.

    The names were fixed when djangorestframework-jwt was imported. An importer still gets the value of that
    moment. All other names are refused, names of drf-jwt with the reason.
    """
    refuse = refuse_names(module)

    def find(name: str) -> Any:
        return getattr(api_settings, names[name]) if name in names else refuse(name)

    return find


def __getattr__(name: str) -> Any:
    if name == "USER_SETTINGS":
        return getattr(settings, "JWT_AUTH", None)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

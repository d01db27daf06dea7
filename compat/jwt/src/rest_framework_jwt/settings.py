"""``JWT_AUTH``, read live, and what of it becomes a setting of drf-tessera."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from drf_tessera.conf import Settings, get_settings

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


def read_raw() -> Mapping[str, Any]:
    """Give ``JWT_AUTH`` as the project wrote it."""
    return getattr(django_settings, "JWT_AUTH", None) or {}


class APISettings:
    """djangorestframework-jwt's ``api_settings``: each attribute is read when it is asked for."""

    defaults = DEFAULTS

    @property
    def user_settings(self) -> Mapping[str, Any]:
        """What the project wrote."""
        return read_raw()

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"Invalid API setting: '{name}'")
        if name in {"JWT_VERIFY", "JWT_VERIFY_EXPIRATION"}:
            return True  # whatever is written: a check refuses everything else
        if name == "JWT_EXPIRATION_DELTA":
            return get_settings().access_lifetime
        value = read_raw().get(name, DEFAULTS[name])
        if name == "JWT_SECRET_KEY":
            return value or django_settings.SECRET_KEY
        return import_string(value) if name in IMPORT_STRINGS and isinstance(value, str) else value

    def uses_default(self, name: str) -> bool:
        """Tell whether the project has not put something of its own in the place of a handler."""
        return bool(read_raw().get(name, DEFAULTS[name]) == DEFAULTS[name])


api_settings = APISettings()


def translate(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Say in the words of ``TESSERA`` what ``JWT_AUTH`` says; only what is written there."""
    pairs = (
        ("JWT_EXPIRATION_DELTA", "ACCESS_LIFETIME"),
        ("JWT_LEEWAY", "CLOCK_SKEW"),
        ("JWT_AUDIENCE", "AUDIENCE"),
        ("JWT_ISSUER", "ISSUER"),
        ("JWT_AUTH_HEADER_PREFIX", "HEADER_PREFIX"),
    )
    found = {new: raw[old] for old, new in pairs if raw.get(old)}
    access = found.get("ACCESS_LIFETIME")
    longest = access if isinstance(access, timedelta) else timedelta(0)
    if raw.get("JWT_ALLOW_REFRESH"):
        # The session is what is refreshed, from the login on, and for no longer than that.
        delta = raw.get("JWT_REFRESH_EXPIRATION_DELTA", DEFAULTS["JWT_REFRESH_EXPIRATION_DELTA"])
        if not isinstance(delta, timedelta):
            delta = timedelta(seconds=delta)
        found["SESSION_LIFETIME"] = found["SESSION_IDLE_LIFETIME"] = max(delta, longest)
    elif longest > Settings().session_idle_lifetime:
        found["SESSION_IDLE_LIFETIME"] = longest
        found["SESSION_LIFETIME"] = max(longest, Settings().session_lifetime)
    key = _translate_key(raw)
    return {**found, "KEYS": [key]} if key else found


def _translate_key(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """Sign on with the project's own key, if it has one; ``SECRET_KEY`` is never a signing key itself."""
    algorithm = raw.get("JWT_ALGORITHM", "HS256")
    if raw.get("JWT_PRIVATE_KEY"):
        return {"alg": algorithm, "pem": raw["JWT_PRIVATE_KEY"]}
    key = raw.get("JWT_SECRET_KEY")
    return None if not key or key == django_settings.SECRET_KEY else {"alg": algorithm, "secret": key}

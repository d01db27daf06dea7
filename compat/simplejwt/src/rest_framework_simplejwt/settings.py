"""``SIMPLE_JWT``, read live, and what of it becomes a setting of drf-tessera."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from drf_tessera.conf import Settings, get_settings

_HERE: Final = "rest_framework_simplejwt"
_IDLE: Final = "SESSION_IDLE_LIFETIME"
_UNSET: Final = timedelta(0)

DEFAULTS: Final[Mapping[str, Any]] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": False,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": None,
    "VERIFYING_KEY": "",
    "AUDIENCE": None,
    "ISSUER": None,
    "JSON_ENCODER": None,
    "JWK_URL": None,
    "LEEWAY": 0,
    "AUTH_HEADER_TYPES": ("Bearer",),
    "AUTH_HEADER_NAME": "HTTP_AUTHORIZATION",
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "user_id",
    "USER_AUTHENTICATION_RULE": f"{_HERE}.authentication.default_user_authentication_rule",
    "AUTH_TOKEN_CLASSES": (f"{_HERE}.tokens.AccessToken",),
    "TOKEN_TYPE_CLAIM": "token_type",
    "JTI_CLAIM": "jti",
    "TOKEN_USER_CLASS": f"{_HERE}.models.TokenUser",
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM": "refresh_exp",
    "SLIDING_TOKEN_LIFETIME": timedelta(minutes=5),
    "SLIDING_TOKEN_REFRESH_LIFETIME": timedelta(days=1),
    "TOKEN_OBTAIN_SERIALIZER": f"{_HERE}.serializers.TokenObtainPairSerializer",
    "TOKEN_REFRESH_SERIALIZER": f"{_HERE}.serializers.TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": f"{_HERE}.serializers.TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": f"{_HERE}.serializers.TokenBlacklistSerializer",
    "SLIDING_TOKEN_OBTAIN_SERIALIZER": f"{_HERE}.serializers.TokenObtainSlidingSerializer",
    "SLIDING_TOKEN_REFRESH_SERIALIZER": f"{_HERE}.serializers.TokenRefreshSlidingSerializer",
    "CHECK_REVOKE_TOKEN": False,
    "REVOKE_TOKEN_CLAIM": "hash_password",
    "CHECK_USER_IS_ACTIVE": True,
}
"""Every key of ``SIMPLE_JWT``; where a default is another than simplejwt's, a check says so."""

IMPORT_STRINGS: Final = ("AUTH_TOKEN_CLASSES", "JSON_ENCODER", "TOKEN_USER_CLASS", "USER_AUTHENTICATION_RULE")


def read_raw() -> Mapping[str, Any]:
    """Give ``SIMPLE_JWT`` as the project wrote it."""
    return getattr(django_settings, "SIMPLE_JWT", None) or {}


class APISettings:
    """simplejwt's ``api_settings``: each attribute is read when it is asked for."""

    defaults = DEFAULTS

    @property
    def user_settings(self) -> Mapping[str, Any]:
        """What the project wrote."""
        return read_raw()

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"Invalid API setting: '{name}'")
        if name == "ACCESS_TOKEN_LIFETIME":
            return get_settings().access_lifetime
        if name == "REFRESH_TOKEN_LIFETIME":
            return get_settings().session_idle_lifetime
        value = read_raw().get(name, DEFAULTS[name])
        if name == "SIGNING_KEY":
            return value or django_settings.SECRET_KEY
        return _load(value) if name in IMPORT_STRINGS else value


def _load(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_load(item) for item in value]
    return import_string(value) if isinstance(value, str) else value


api_settings = APISettings()


def list_header_types() -> tuple[str, ...]:
    """Give the schemes of ``AUTH_HEADER_TYPES``; a single one may stand there without a tuple."""
    value = api_settings.AUTH_HEADER_TYPES
    return (value,) if isinstance(value, str) else tuple(value)


def translate(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Say in the words of ``TESSERA`` what ``SIMPLE_JWT`` says; only what is written there."""
    found: dict[str, Any] = {
        new: raw[old]
        for old, new in (("ACCESS_TOKEN_LIFETIME", "ACCESS_LIFETIME"), ("REFRESH_TOKEN_LIFETIME", _IDLE))
        if old in raw
    }
    # simplejwt lets an access token outlive its refresh token, and a refresh token live for years.
    longest = max((value for value in found.values() if isinstance(value, timedelta)), default=_UNSET)
    if longest > found.get(_IDLE, Settings().session_idle_lifetime):
        found[_IDLE] = longest
    if longest > Settings().session_lifetime:
        found["SESSION_LIFETIME"] = longest
    if raw.get("ISSUER"):
        found["ISSUER"] = raw["ISSUER"]
    if raw.get("AUDIENCE"):
        found["AUDIENCE"] = raw["AUDIENCE"]
    if raw.get("LEEWAY"):
        found["CLOCK_SKEW"] = raw["LEEWAY"]
    if raw.get("AUTH_HEADER_TYPES"):
        types = raw["AUTH_HEADER_TYPES"]
        found["HEADER_PREFIX"] = types if isinstance(types, str) else types[0]
    key = _translate_key(raw)
    return {**found, "KEYS": [key]} if key else found


def _translate_key(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """Sign on with the project's own key, if it has one; ``SECRET_KEY`` is never a signing key itself."""
    algorithm, key = raw.get("ALGORITHM", "HS256"), raw.get("SIGNING_KEY")
    if not key or (key == django_settings.SECRET_KEY and algorithm.startswith("HS")):
        return None
    return {"alg": algorithm, "secret" if algorithm.startswith("HS") else "pem": key}

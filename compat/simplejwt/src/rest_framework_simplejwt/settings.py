"""``SIMPLE_JWT``, read live, and its translation into settings of drf-tessera."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.test.signals import setting_changed as setting_changed

from drf_tessera import legacy
from drf_tessera.conf import READERS, Reader, Settings, get_settings
from drf_tessera.legacy.pyjwt import describe_key, describe_secret
from rest_framework_simplejwt.utils import format_lazy as format_lazy

_HERE: Final = "rest_framework_simplejwt"
_IDLE: Final = "SESSION_IDLE_LIFETIME"
MOST_RECOVERIES: Final = 32_767
"""The maximum of the database column. With one recovery per five minutes, no session lasts that long."""

DEFAULTS: Final[Mapping[str, Any]] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": False,
    "BLACKLIST_AFTER_ROTATION": False,
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
"""Every key of ``SIMPLE_JWT``. See :func:`rotates` for the default of ``ROTATE_REFRESH_TOKENS``."""

REMOVED_SETTINGS = ("AUTH_HEADER_TYPE", "AUTH_TOKEN_CLASS", "SECRET_KEY", "TOKEN_BACKEND_CLASS")
"""Keys that simplejwt removed. ``check`` reports them as unknown keys (E002)."""

SERIALIZERS: Final = frozenset(
    f"TOKEN_{flow}_SERIALIZER" for flow in ("OBTAIN", "REFRESH", "VERIFY", "BLACKLIST")
)
IMPORT_STRINGS: Final = frozenset(
    {"AUTH_TOKEN_CLASSES", "JSON_ENCODER", "TOKEN_USER_CLASS", "USER_AUTHENTICATION_RULE"}
)

SHAPES: Final[Mapping[str, Reader]] = {
    **legacy.list_switches(DEFAULTS),
    "ACCESS_TOKEN_LIFETIME": READERS["ACCESS_LIFETIME"],
    "REFRESH_TOKEN_LIFETIME": READERS["SESSION_IDLE_LIFETIME"],
    "ALGORITHM": legacy.read_algorithm,
    "AUDIENCE": legacy.read_optional(READERS["AUDIENCE"]),
    "ISSUER": legacy.read_optional(READERS["ISSUER"]),
    "LEEWAY": legacy.read_optional(READERS["CLOCK_SKEW"]),
    "AUTH_HEADER_TYPES": legacy.read_prefixes,
    "AUTH_HEADER_NAME": legacy.read_meta_key,
    "USER_ID_FIELD": legacy.read_text,
    "USER_ID_CLAIM": legacy.read_text,
    "REVOKE_TOKEN_CLAIM": legacy.read_text,
    "TOKEN_TYPE_CLAIM": legacy.read_optional(legacy.read_text),
    "JTI_CLAIM": legacy.read_optional(legacy.read_text),
    "AUTH_TOKEN_CLASSES": legacy.read_paths,
}
"""The readers of the keys whose values must have a certain type."""


class APISettings(legacy.LegacySettings):
    """The ``api_settings`` of simplejwt."""

    name = "SIMPLE_JWT"
    defaults = DEFAULTS
    paths = IMPORT_STRINGS

    def __init__(
        self,
        user_settings: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        import_strings: Iterable[str] | None = None,
    ) -> None:
        if user_settings is not None:
            self.given = dict(user_settings) if not isinstance(user_settings, dict) else user_settings
        if defaults is not None:
            vars(self)["defaults"] = defaults
        if import_strings is not None:
            vars(self)["paths"] = frozenset(import_strings)

    def look_up(self, name: str) -> Any:
        """Return a key's value. The lifetimes are the lifetimes in force."""
        if name == "ACCESS_TOKEN_LIFETIME":
            return get_settings().access_lifetime
        if name == "REFRESH_TOKEN_LIFETIME":
            return get_settings().session_idle_lifetime
        value = super().look_up(name)
        return value or settings.SECRET_KEY if name == "SIGNING_KEY" else value


api_settings = APISettings()


def reload_api_settings(*args: Any, **kwargs: Any) -> None:
    """Do nothing, because the settings are read live."""


def list_header_types() -> tuple[str, ...]:
    """Return the schemes of ``AUTH_HEADER_TYPES``, which may be a tuple or a single string."""
    value = api_settings.AUTH_HEADER_TYPES
    return (value,) if isinstance(value, str) else tuple(value)


def rotates() -> bool:
    """Return whether a refresh issues a new refresh token. The default is yes, unlike in simplejwt."""
    return bool(api_settings.user_settings.get("ROTATE_REFRESH_TOKENS", True))


def count_recoveries() -> int | None:
    """Return how often a client may ignore the new token; ``None`` means the setting of ``TESSERA``.

    Without ``ROTATE_REFRESH_TOKENS`` simplejwt issues no new refresh token, so clients may not know that
    they should keep the new token. No such client is logged out until the project sets the key.
    """
    ours = getattr(settings, "TESSERA", {})
    said = "ROTATE_REFRESH_TOKENS" in api_settings.user_settings or "REFRESH_RECOVERIES" in ours
    return None if said else MOST_RECOVERIES


def translate(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys of ``TESSERA`` for the values of ``SIMPLE_JWT``, which :data:`SHAPES` has read."""
    found = legacy.rename_keys(
        raw, {"ACCESS_TOKEN_LIFETIME": "ACCESS_LIFETIME", "REFRESH_TOKEN_LIFETIME": _IDLE}
    )
    # In simplejwt an access token may live longer than its refresh token, and a refresh token for years.
    ours, longest = Settings(), max(found.values(), default=timedelta(0))
    if longest > found.get(_IDLE, ours.session_idle_lifetime):
        found[_IDLE] = longest
    # Without rotation, a user of simplejwt had to log in again when the first refresh token expired.
    hard = _IDLE in found and not raw.get("ROTATE_REFRESH_TOKENS", False)
    if hard or longest > ours.session_lifetime:
        found["SESSION_LIFETIME"] = longest
    found |= legacy.rename_keys(raw, {"ISSUER": "ISSUER", "AUDIENCE": "AUDIENCE", "LEEWAY": "CLOCK_SKEW"})
    if raw.get("AUTH_HEADER_NAME", "").startswith("HTTP_"):
        found["HEADER_NAME"] = raw["AUTH_HEADER_NAME"].removeprefix("HTTP_").replace("_", "-").title()
    if raw.get("AUTH_HEADER_TYPES"):
        found["HEADER_PREFIX"] = raw["AUTH_HEADER_TYPES"][0]
    key = _translate_key(raw)
    return {**found, "KEYS": [key]} if key else found


def _translate_key(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the project's own signing key for ``TESSERA["KEYS"]``. ``SECRET_KEY`` is never such a key."""
    algorithm, key = raw.get("ALGORITHM", "HS256"), raw.get("SIGNING_KEY")
    is_secret = algorithm.startswith("HS")
    return (describe_secret if is_secret else describe_key)(algorithm, key) if key else None


def __getattr__(name: str) -> Any:
    if name == "USER_SETTINGS":
        return getattr(settings, "SIMPLE_JWT", None)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

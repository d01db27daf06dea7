"""The ``TESSERA`` setting as one frozen, typed object, read live.

Call :func:`get_settings` inside functions, never while a module is being imported: the object is
cached, and thrown away whenever Django's ``setting_changed`` says so, which is what makes
``override_settings`` work.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeGuard

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.encoding import force_bytes
from django.utils.module_loading import import_string

from drf_tessera.exceptions import KeyMaterialError, SettingsError
from drf_tessera.jose.keys import Key, KeyRing

DEFAULT_USER_SERIALIZER: Final = "drf_tessera.rest.serializers.UserSerializer"

_WATCHED: Final = frozenset({"TESSERA", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "CACHES", "AUTH_USER_MODEL"})
_RATE: Final = re.compile(r"[1-9][0-9]*/(s|sec|second|m|min|minute|h|hour|d|day)")
_PREFIX: Final = re.compile(r"[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with the settings: the id of its check, what, and what to do."""

    id: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the project chose. ``docs/reference/settings.md`` explains each name.

    The field names are the keys of ``TESSERA`` in lower case. Nothing secret is in the ``repr``.
    """

    access_lifetime: timedelta = timedelta(minutes=5)
    access_lifetime_jitter: timedelta = timedelta(0)
    session_idle_lifetime: timedelta = timedelta(days=14)
    session_lifetime: timedelta = timedelta(days=90)
    refresh_grace: timedelta = timedelta(seconds=30)
    refresh_recoveries: int = 5
    clock_skew: timedelta = timedelta(seconds=5)
    max_sessions_per_user: int | None = None
    issuer: str = "drf-tessera"
    audience: tuple[str, ...] = ("drf-tessera",)
    header_prefix: str = "Bearer"
    keys: tuple[Key, ...] = ()
    claims: Callable[..., Mapping[str, Any]] | None = None
    user: str = "lazy"
    user_fields: tuple[str, ...] = ()
    user_serializer: str = DEFAULT_USER_SERIALIZER
    revocation_poll: timedelta = timedelta(seconds=1)
    revocation_max_staleness: timedelta = timedelta(seconds=30)
    revocation_cache: str | None = None
    token_cache_size: int = 4096
    login_rate_per_account: str | None = "10/min"
    login_rate_per_address: str | None = "60/min"
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """``SECRET_KEY`` and then ``SECRET_KEY_FALLBACKS``; not a key of ``TESSERA``."""

    @property
    def reads_user(self) -> bool:
        """Whether minting an access token needs the user's row, and not only its key."""
        return self.claims is not None or bool(self.user_fields)


KEYS: Final = tuple(item.name.upper() for item in fields(Settings) if item.name != "secrets")
"""Every key that ``TESSERA`` may have."""

_cached: Settings | None = None


def get_settings() -> Settings:
    """Give the settings in force now.

    Raises:
        SettingsError: something in them cannot work; the message lists it all.
    """
    global _cached  # noqa: PLW0603 - one slot, cleared by the signal below
    if _cached is None:
        settings, problems = read_settings()
        if problems:
            listed = "; ".join(f"{problem.id}: {problem.message}" for problem in problems)
            raise SettingsError(f"The TESSERA settings are not valid. {listed}")
        _cached = settings
    return _cached


def forget_settings(*, setting: str, **kwargs: object) -> None:
    """Drop the cached settings when one that they are made of changes (``setting_changed``)."""
    global _cached  # noqa: PLW0603 - see get_settings
    if setting in _WATCHED:
        _cached = None


setting_changed.connect(forget_settings, dispatch_uid="drf_tessera.conf")


def read_settings() -> tuple[Settings, list[Problem]]:
    """Read the settings afresh, with all that is wrong with them, for the system checks.

    A value with a problem is left at its default in the returned object.
    """
    raw = getattr(django_settings, "TESSERA", {})
    if not isinstance(raw, Mapping):
        return Settings(), [
            Problem(
                id="tessera.E001",
                message=f"TESSERA must be a dict, not {type(raw).__name__}.",
                hint='Write TESSERA = {"ACCESS_LIFETIME": timedelta(minutes=5)}, or leave it out.',
            )
        ]
    problems = [_name_unknown(key) for key in raw if key not in KEYS]
    values: dict[str, Any] = {}
    for key in KEYS:
        if key not in raw:
            continue
        try:
            values[key.lower()] = _READERS[key](raw[key])
        except _WrongError as wrong:
            problems.append(Problem(id=wrong.id, message=f"TESSERA[{key!r}] {wrong}", hint=wrong.hint))
    secrets, wrong_secrets = _read_secrets()
    settings = Settings(**values, secrets=secrets)
    return settings, problems + wrong_secrets + _compare_lifetimes(settings)


def _read_secrets() -> tuple[tuple[bytes, ...], list[Problem]]:
    """Read ``SECRET_KEY`` and its fallbacks; a fallback that anybody could guess verifies nothing."""
    fallbacks: Any = django_settings.SECRET_KEY_FALLBACKS
    listed = fallbacks if isinstance(fallbacks, list | tuple) else ()
    good = [secret for secret in listed if isinstance(secret, str | bytes) and secret]
    secrets = tuple(force_bytes(secret) for secret in (django_settings.SECRET_KEY, *good))
    if isinstance(fallbacks, list | tuple) and len(good) == len(listed):
        return secrets, []
    return secrets, [
        Problem(
            id="tessera.E015",
            message="SECRET_KEY_FALLBACKS must be a list of texts that are not empty.",
            hint="An entry of None or '' would be a key that everybody knows. Leave out what is not set.",
        )
    ]


_FORMER: Final = {
    "ACCESS_TOKEN_LIFETIME": "ACCESS_LIFETIME",
    "EXPIRATION_DELTA": "ACCESS_LIFETIME",
    "REFRESH_TOKEN_LIFETIME": "SESSION_IDLE_LIFETIME",
    "REFRESH_LIFETIME": "SESSION_IDLE_LIFETIME",
    "REFRESH_EXPIRATION_DELTA": "SESSION_LIFETIME",
    "AUTH_HEADER_TYPES": "HEADER_PREFIX",
    "AUTH_HEADER_PREFIX": "HEADER_PREFIX",
    "SIGNING_KEY": "KEYS",
    "VERIFYING_KEY": "KEYS",
    "SECRET_KEY": "KEYS",
    "PRIVATE_KEY": "KEYS",
    "PUBLIC_KEY": "KEYS",
    "ALGORITHM": "KEYS",
    "LEEWAY": "CLOCK_SKEW",
    "PAYLOAD_HANDLER": "CLAIMS",
    "RESPONSE_PAYLOAD_HANDLER": "USER_SERIALIZER",
}
"""What people know from other packages, and what it is called here."""


def _name_unknown(key: object) -> Problem:
    former = _FORMER.get(str(key).upper().removeprefix("JWT_"))
    near = [former] if former else difflib.get_close_matches(str(key).upper(), KEYS, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"The keys are: {', '.join(KEYS)}."
    return Problem(id="tessera.E002", message=f"TESSERA has no key {key!r}.", hint=hint)


_ORDERED: Final = (
    ("REFRESH_GRACE", "SESSION_IDLE_LIFETIME"),
    ("ACCESS_LIFETIME", "SESSION_IDLE_LIFETIME"),
    ("SESSION_IDLE_LIFETIME", "SESSION_LIFETIME"),
    ("REVOCATION_POLL", "REVOCATION_MAX_STALENESS"),
)


def _compare_lifetimes(settings: Settings) -> list[Problem]:
    pairs = [
        (short, getattr(settings, short.lower()), long, getattr(settings, long.lower()))
        for short, long in _ORDERED
    ]
    half = settings.access_lifetime / 2
    pairs.append(("ACCESS_LIFETIME_JITTER", settings.access_lifetime_jitter, "ACCESS_LIFETIME / 2", half))
    return [
        Problem(
            id="tessera.E004",
            message=f"TESSERA[{short!r}] ({low}) is longer than {long} ({high}).",
            hint=f"Shorten {short} or lengthen {long.partition(' ')[0]}.",
        )
        for short, low, long, high in pairs
        if low > high
    ]


class _WrongError(Exception):
    """A value that cannot work; the text goes on after the key's name."""

    def __init__(self, check_id: str, message: str, hint: str) -> None:
        self.id = check_id
        self.hint = hint
        super().__init__(message)


def _read_duration(value: object, *, zero: bool = False) -> timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError):
            value = None
    if not isinstance(value, timedelta) or value < timedelta(0) or (not value and not zero):
        raise _WrongError(
            "tessera.E003",
            f"must be a {'non-negative' if zero else 'positive'} timedelta or number of seconds.",
            "For example timedelta(minutes=5), or 300.",
        )
    if value > timedelta(days=36_500):
        raise _WrongError("tessera.E003", "is longer than a century.", "Choose a shorter time.")
    return value


def _read_duration_or_zero(value: object) -> timedelta:
    return _read_duration(value, zero=True)


def _read_access_lifetime(value: object) -> timedelta:
    lifetime = _read_duration(value)
    if lifetime < timedelta(seconds=1):
        raise _WrongError(
            "tessera.E003", "is less than a second, and JWT counts in seconds.", "Use 1 or more."
        )
    return lifetime


def _read_count(value: object, *, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 32_767:
        raise _WrongError(
            "tessera.E005", f"must be a whole number from {least} to 32767.", "Or leave the key out."
        )
    return value


def _read_limit(value: object) -> int | None:
    return None if value is None else _read_count(value, least=1)


def _read_user(value: object) -> str:
    if value not in ("lazy", "database"):
        raise _WrongError(
            "tessera.E013",
            f"must be 'lazy' or 'database', not {value!r}.",
            "'lazy' loads a user's row when it is looked at, 'database' on every request.",
        )
    return str(value)


def _read_user_fields(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(map(_is_name, value)):
        raise _WrongError(
            "tessera.E013", "must be a list of names of the user model's fields.", 'Like ["username"].'
        )
    return tuple(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier()


def _read_cache(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in django_settings.CACHES:
        raise _WrongError(
            "tessera.E014",
            f"is {value!r}, and CACHES has no such alias.",
            f"CACHES has: {', '.join(django_settings.CACHES)}. None keeps the news in the database.",
        )
    return value


def _read_size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise _WrongError(
            "tessera.E005", "must be a whole number from 0 to 1000000.", "0 remembers no token."
        )
    return value


def _is_claim(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()


def _read_issuer(value: object) -> str:
    if not _is_claim(value):
        raise _WrongError(
            "tessera.E006", "must be a text of 1 to 255 characters.", 'Like "https://api.example.com".'
        )
    return value


def _read_audience(value: object) -> tuple[str, ...]:
    named = (value,) if isinstance(value, str) else value
    if (
        not isinstance(named, list | tuple)
        or not 0 < len(named) <= 20
        or not all(_is_claim(item) for item in named)
    ):
        raise _WrongError(
            "tessera.E006",
            "must be a text of 1 to 255 characters, or a list of up to 20.",
            'Like "notes-api".',
        )
    return tuple(named)


def _read_prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise _WrongError(
            "tessera.E010", "must be one word, as in 'Authorization: Bearer ...'.", 'Like "Bearer" or "JWT".'
        )
    return value


def _read_rate(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise _WrongError(
            "tessera.E009",
            "is not a rate.",
            'Write a number, a slash and s, min, hour or day, like "10/min"; or None for no limit.',
        )
    return value


def _read_hook(value: object) -> Callable[..., Any] | None:
    if value is None:
        return None
    found = _import(value) if isinstance(value, str) else value
    if not callable(found):
        raise _WrongError(
            "tessera.E008", "is not callable.", "Give a function (user, session) -> dict, or its path."
        )
    return found


def _read_path(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongError("tessera.E008", "must be a dotted path.", f'Like "{DEFAULT_USER_SERIALIZER}".')
    # Imported by whoever uses it: a serializer may need the models that are still being loaded.
    return value


def _import(path: str) -> object:
    try:
        return import_string(path)
    except ImportError as error:
        raise _WrongError(
            "tessera.E008", f"cannot be imported: {error}", "Check the path and its spelling."
        ) from None


def _read_keys(value: object) -> tuple[Key, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        raise _WrongError(
            "tessera.E007",
            "must be a list of dicts, oldest key first.",
            'Like [{"alg": "EdDSA", "file": "/run/secrets/tessera.pem"}].',
        )
    hint = "docs/reference/settings.md shows each form of a key."
    keys = []
    for index, entry in enumerate(value):
        try:
            keys.append(_read_key(entry))
        except KeyMaterialError as error:
            raise _WrongError("tessera.E007", f"entry {index}: {error.detail}", hint) from None
    try:
        return KeyRing(keys).keys
    except KeyMaterialError as error:
        raise _WrongError("tessera.E007", f"cannot be a key ring: {error.detail}", hint) from None


_KEY_FORMS: Final = ("secret", "pem", "file", "jwk")


def _read_key(entry: object) -> Key:
    if not isinstance(entry, Mapping):
        raise KeyMaterialError("it is no dict.")
    unknown = [name for name in entry if name not in {"alg", "kid", "password", *_KEY_FORMS}]
    if unknown:
        raise KeyMaterialError(
            f"it has no key {unknown[0]!r}; known: alg, kid, password, secret, pem, file, jwk."
        )
    forms = [form for form in _KEY_FORMS if form in entry]
    if len(forms) != 1:
        raise KeyMaterialError("give exactly one of secret, pem, file or jwk.")
    alg, kid = entry.get("alg"), entry.get("kid")
    if forms == ["jwk"]:
        if not isinstance(entry["jwk"], Mapping):
            raise KeyMaterialError("jwk must be a dict.")
        return Key.from_jwk(entry["jwk"], alg, kid)
    if not isinstance(alg, str):
        raise KeyMaterialError("it has no alg, such as 'EdDSA' or 'HS256'.")
    material = _read_material(forms[0], entry[forms[0]])
    if forms == ["secret"]:
        return Key.from_secret(material, alg, kid)
    password = entry.get("password")
    return Key.from_pem(material, alg, kid, None if password is None else _read_bytes(password))


def _read_material(form: str, value: object) -> bytes:
    if form != "file":
        return _read_bytes(value)
    try:
        return Path(value).read_bytes()  # type: ignore[arg-type]  # a wrong type is the except branch
    except (OSError, TypeError, ValueError) as error:
        raise KeyMaterialError(f"its file cannot be read ({type(error).__name__}).") from None


def _read_bytes(value: object) -> bytes:
    if not isinstance(value, str | bytes):
        raise KeyMaterialError("key material must be text or bytes.")
    return force_bytes(value)


_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "ACCESS_LIFETIME": _read_access_lifetime,
    "ACCESS_LIFETIME_JITTER": _read_duration_or_zero,
    "SESSION_IDLE_LIFETIME": _read_duration,
    "SESSION_LIFETIME": _read_duration,
    "REFRESH_GRACE": _read_duration_or_zero,
    "REFRESH_RECOVERIES": _read_count,
    "CLOCK_SKEW": _read_duration_or_zero,
    "MAX_SESSIONS_PER_USER": _read_limit,
    "ISSUER": _read_issuer,
    "AUDIENCE": _read_audience,
    "HEADER_PREFIX": _read_prefix,
    "KEYS": _read_keys,
    "CLAIMS": _read_hook,
    "USER": _read_user,
    "USER_FIELDS": _read_user_fields,
    "USER_SERIALIZER": _read_path,
    "REVOCATION_POLL": _read_duration_or_zero,
    "REVOCATION_MAX_STALENESS": _read_duration,
    "REVOCATION_CACHE": _read_cache,
    "TOKEN_CACHE_SIZE": _read_size,
    "LOGIN_RATE_PER_ACCOUNT": _read_rate,
    "LOGIN_RATE_PER_ADDRESS": _read_rate,
}

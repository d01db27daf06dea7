"""Readers for the values of the ``TESSERA`` setting. A reader returns the value, or explains the problem."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeGuard

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from drf_tessera.conf.transports import PROFILES
from drf_tessera.texts import Text

DEFAULT_AUDIENCE: Final = ("drf-tessera",)
"""The value of ``AUDIENCE`` if the setting is not set."""

TENANT_MARK: Final = "{tenant}"
"""The place of the name of the tenant, in a name of this server."""

_USE_DEFAULT: Final = Text("To use the default, remove the key.")
_SAMESITE: Final = ("Lax", "Strict", "None")
_RATE: Final = re.compile(r"[1-9][0-9]*/(s|sec|second|m|min|minute|h|hour|d|day)")
_PATH: Final = re.compile(r"/([A-Za-z0-9._~!$&'()*+=:@%-]+/)*")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_OTHER_HEADERS: Final = frozenset({"content-type", "content-length", "cookie", "host"})
_PREFIX: Final = re.compile(r"[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem in the settings: the id of its check, a message, and a hint that says how to solve it."""

    id: str
    message: Text
    hint: Text


Reader = Callable[[Any], object]
"""A function that converts the written value of a setting into the value that the code uses.

Raises:
    WrongValueError: the written value is not valid.
"""


class WrongValueError(Exception):
    """A value of a setting is not valid. The message continues a sentence that begins with the key."""

    def __init__(self, check_id: str, message: Text, hint: Text) -> None:
        self.id = check_id
        self.message = message
        self.hint = hint
        super().__init__(message)


def give_example(code: str) -> Text:
    """Return a hint with an example of the value."""
    return Text("For example: %(example)s.", example=code)


def suggest_key(key: object, known: Iterable[str]) -> Text:
    """Return a hint for an unknown key: the most similar known key, or a list of all known keys."""
    named = list(known)
    near = difflib.get_close_matches(str(key).upper(), named, n=1)
    if near:
        return Text("Did you mean %(name)r?", name=near[0])
    return Text("The keys are: %(names)s.", names=", ".join(named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long one session lasts."""

    idle: timedelta
    """The session ends if it is not refreshed for this time."""
    absolute: timedelta
    """The session ends this long after the login, even if it is refreshed."""


def _read_duration(value: object, *, zero: bool = False) -> timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError):
            value = None
    if not isinstance(value, timedelta) or value < timedelta(0) or (not value and not zero):
        raise WrongValueError(
            "tessera.E003",
            Text("must be a non-negative timedelta or number of seconds.")
            if zero
            else Text("must be a positive timedelta or number of seconds."),
            Text("For example: timedelta(minutes=5), or 300."),
        )
    if value > timedelta(days=36_500):
        raise WrongValueError(
            "tessera.E003", Text("is longer than 100 years."), Text("Choose a shorter time.")
        )
    return value


def _read_duration_or_zero(value: object) -> timedelta:
    return _read_duration(value, zero=True)


def _read_duration_or_none(value: object) -> timedelta | None:
    return None if value is None else _read_duration(value)


def _read_lifetimes(value: object) -> Lifetimes | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise WrongValueError(
            "tessera.E003",
            Text("must be None or a pair: the idle lifetime and the absolute lifetime."),
            give_example("(timedelta(days=60), timedelta(days=365))"),
        )
    idle, absolute = (_read_duration(part) for part in value)
    if idle > absolute:
        raise WrongValueError(
            "tessera.E004",
            Text("is idle (%(idle)s) for longer than it lasts (%(absolute)s).", idle=idle, absolute=absolute),
            Text("Exchange the two."),
        )
    return Lifetimes(idle=idle, absolute=absolute)


def _read_access_lifetime(value: object) -> timedelta:
    lifetime = _read_duration(value)
    if lifetime < timedelta(seconds=1):
        raise WrongValueError(
            "tessera.E003",
            Text("is less than a second, but JWT counts in seconds."),
            Text("Use 1 second or more."),
        )
    return lifetime


def _read_count(value: object, *, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 32_767:
        raise WrongValueError(
            "tessera.E005",
            Text("must be a whole number from %(least)s to 32767.", least=least),
            _USE_DEFAULT,
        )
    return value


def _read_limit(value: object) -> int | None:
    return None if value is None else _read_count(value, least=1)


def _read_user(value: object) -> str:
    if value not in ("lazy", "database"):
        raise WrongValueError(
            "tessera.E013",
            Text("must be 'lazy' or 'database', not %(value)r.", value=value),
            Text("'lazy' loads the user's row at the first access to a field, 'database' on every request."),
        )
    return str(value)


def _read_user_fields(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(map(_is_name, value)):
        raise WrongValueError(
            "tessera.E013",
            Text("must be a list of field names of the user model."),
            give_example('["username"]'),
        )
    return tuple(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier()


def _read_cache(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in django_settings.CACHES:
        raise WrongValueError(
            "tessera.E014",
            Text("is %(value)r, but CACHES has no such alias.", value=value),
            Text(
                "CACHES has: %(names)s. None keeps the revocations in the database.",
                names=", ".join(django_settings.CACHES),
            ),
        )
    return value


def _read_profile(value: object) -> tuple[str, ...]:
    named = (value,) if isinstance(value, str) else value
    if (
        not isinstance(named, list | tuple)
        or not named
        or any(not isinstance(item, str) or item not in PROFILES for item in named)
        or len(set(named)) != len(named)
    ):
        raise WrongValueError(
            "tessera.E016",
            Text(
                "must be one of %(choices)s, or a list of several, not %(value)r.",
                choices=", ".join(map(repr, PROFILES)),
                value=value,
            ),
            Text(
                "'api' sends tokens in header and body, 'browser' sends the refresh token in a cookie. "
                "In a list, the first profile is for clients that do not choose a profile."
            ),
        )
    return tuple(named)


def _read_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError(
            "tessera.E017", Text("must be True or False, not %(value)r.", value=value), _USE_DEFAULT
        )
    return value


def _read_switch_or_none(value: object) -> bool | None:
    return None if value is None else _read_switch(value)


def _read_cookie_path(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        raise WrongValueError(
            "tessera.E017",
            Text("must be a path that begins and ends with a slash."),
            give_example('"/api/token/"'),
        )
    return value


def _read_samesite(value: object) -> str:
    if value not in _SAMESITE:
        raise WrongValueError(
            "tessera.E017",
            Text("must be 'Lax', 'Strict' or 'None', not %(value)r.", value=value),
            Text("The string 'None' is for pages on another site than the API."),
        )
    return str(value)


def is_claim(value: object) -> TypeGuard[str]:
    """Return whether ``value`` is a text for ``iss`` or ``aud``."""
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()


def _read_issuer(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not is_claim(value):
        raise WrongValueError(
            "tessera.E006",
            Text("must be a string of at most 255 printable characters, or None."),
            give_example('"https://api.example.com"'),
        )
    return value


def read_audience(value: object) -> tuple[str, ...]:
    """Return the value of ``AUDIENCE`` as a tuple.

    Raises:
        WrongValueError: the value is not valid.
    """
    named = (value,) if isinstance(value, str) else value
    if (
        not isinstance(named, list | tuple)
        or not 0 < len(named) <= 20
        or not all(is_claim(item) for item in named)
    ):
        raise WrongValueError(
            "tessera.E006",
            Text("must be a string of 1 to 255 printable characters, or a list of at most 20 such strings."),
            give_example('"notes-api"'),
        )
    return tuple(named)


def _read_prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise WrongValueError(
            "tessera.E010",
            Text("must be one word, as in 'Authorization: Bearer ...'."),
            Text('For example: "Bearer" or "JWT".'),
        )
    return value


def _read_header_name(value: object) -> str:
    if not isinstance(value, str) or not _HEADER.fullmatch(value) or value.lower() in _OTHER_HEADERS:
        raise WrongValueError(
            "tessera.E010",
            Text("must be the name of a request header for tokens, not %(value)r.", value=value),
            Text('For example: "Authorization" or "X-Authorization". Servers drop names with an underscore.'),
        )
    return value


def _read_rate(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise WrongValueError(
            "tessera.E009",
            Text("is not a valid rate."),
            Text(
                'Write a number, a slash and s, min, hour or day, for example "10/min". None means no limit.'
            ),
        )
    return value


def _read_challenge(value: object) -> Callable[..., Any] | None:
    return read_hook(value, "(request, user) -> Challenge or None")


def read_hook(value: object, signature: str = "(user, session) -> dict") -> Callable[..., Any] | None:
    """Return a function of the project, which the setting may name by its path.

    Raises:
        WrongValueError: the value is neither.
    """
    if value is None:
        return None
    found = import_path(value) if isinstance(value, str) else value
    if not callable(found):
        raise WrongValueError(
            "tessera.E008",
            Text("is not callable."),
            Text(
                "Write a function %(signature)s, or the dotted path of such a function.", signature=signature
            ),
        )
    return found


def import_path(path: str, number: str = "tessera.E008") -> object:
    """Return the object that a dotted path names.

    Raises:
        WrongValueError: there is no such object.
    """
    try:
        return import_string(path)
    except ImportError as error:
        raise WrongValueError(
            number,
            Text("cannot be imported: %(error)s", error=error),
            Text("Check the spelling of the path."),
        ) from None


def _read_tenant(value: object) -> Callable[..., Any] | None:
    if value is None or value == "":
        return None
    found = import_path(value, "tessera.E030") if isinstance(value, str) else value
    if not callable(found):
        raise WrongValueError(
            "tessera.E030",
            Text("is not callable."),
            Text("Write a function (request or None) -> str, or its dotted path. '' switches tenants off."),
        )
    return found


_CLIENT: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CLIENT_SECRET: Final = re.compile(r"[A-Za-z0-9._~-]{32,256}")
"""A secret is compared as it is, so it has to be random, and too long to be guessed."""


def _read_clients(value: object) -> Mapping[str, str]:
    """Return the names and the secrets. Clients write all their characters in one way."""
    hint = Text(
        "Make a secret by %(command)s.",
        command="python -c 'import secrets; print(secrets.token_urlsafe(32))'",
    )
    if not isinstance(value, Mapping):
        raise WrongValueError(
            "tessera.E060", Text("must be a dict from names of clients to their secrets."), hint
        )
    for name, secret in value.items():
        if not isinstance(name, str) or not _CLIENT.fullmatch(name):
            raise WrongValueError(
                "tessera.E060",
                Text(
                    "has the name %(name)r. A name has 1 to 128 letters, digits, dots, hyphens or "
                    "underscores.",
                    name=name,
                ),
                give_example('"orders-api"'),
            )
        if not isinstance(secret, str) or not _CLIENT_SECRET.fullmatch(secret):
            text = Text("has no good secret for %(name)r: it needs 32 to 256 URL-safe characters.", name=name)
            raise WrongValueError("tessera.E060", text, hint)
    return dict(value)


def _read_scopes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(map(_is_scope, value)):
        raise WrongValueError(
            "tessera.E071",
            Text("must be a list of scopes, each of them one word."),
            give_example('["notes:read"]'),
        )
    return tuple(value)


def _is_scope(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[!#-\[\]-~]+", value) is not None


def _read_moment(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise WrongValueError(
            "tessera.E021",
            Text("must be a datetime with a time zone, or None, not %(value)r.", value=value),
            give_example("datetime(2027, 1, 31, tzinfo=UTC)"),
        )
    return value


PLAIN_READERS: Final[Mapping[str, Reader]] = {
    "ACCESS_LIFETIME": _read_access_lifetime,
    "SESSION_IDLE_LIFETIME": _read_duration,
    "SESSION_LIFETIME": _read_duration,
    "REMEMBER_ME": _read_lifetimes,
    "REFRESH_GRACE": _read_duration_or_zero,
    "REFRESH_RECOVERIES": _read_count,
    "CLOCK_SKEW": _read_duration_or_zero,
    "MAX_SESSIONS_PER_USER": _read_limit,
    "ISSUER": _read_issuer,
    "AUDIENCE": read_audience,
    "TENANT": _read_tenant,
    "HEADER_NAME": _read_header_name,
    "HEADER_PREFIX": _read_prefix,
    "KEY_ROTATION": _read_duration_or_none,
    "JWKS_MAX_AGE": _read_duration,
    "INTROSPECTION_CLIENTS": _read_clients,
    "CLAIMS": read_hook,
    "CHALLENGE": _read_challenge,
    "USER": _read_user,
    "USER_FIELDS": _read_user_fields,
    "REVOCATION_POLL": _read_duration_or_zero,
    "REVOCATION_MAX_STALENESS": _read_duration,
    "REVOCATION_CACHE": _read_cache,
    "PROFILE": _read_profile,
    "ACCESS_COOKIE": _read_switch,
    "COOKIE_PATH": _read_cookie_path,
    "COOKIE_SAMESITE": _read_samesite,
    "COOKIE_SECURE": _read_switch_or_none,
    "LOGIN_RATE_PER_ACCOUNT": _read_rate,
    "LOGIN_RATE_PER_ACCOUNT_EVERYWHERE": _read_rate,
    "LOGIN_RATE_PER_ADDRESS": _read_rate,
    "LOGINS_AT_ONCE": _read_limit,
    "TOKEN_RATE_PER_SESSION": _read_rate,
    "TOKEN_RATE_PER_ADDRESS": _read_rate,
    "PERSONAL_TOKEN_SCOPES": _read_scopes,
    "PERSONAL_TOKEN_LIFETIME": _read_access_lifetime,
    "LEGACY_TOKENS_UNTIL": _read_moment,
}
"""The readers of all keys but those with a module of their own."""

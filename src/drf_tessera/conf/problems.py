"""The problems of single keys, as sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from drf_tessera.conf.values import Problem, WrongValueError, suggest_key
from drf_tessera.texts import Text

_NAMES_ELSEWHERE: Final = {
    "ACCESS_TOKEN_LIFETIME": "ACCESS_LIFETIME",
    "EXPIRATION_DELTA": "ACCESS_LIFETIME",
    "REFRESH_TOKEN_LIFETIME": "SESSION_IDLE_LIFETIME",
    "REFRESH_LIFETIME": "SESSION_IDLE_LIFETIME",
    "REFRESH_EXPIRATION_DELTA": "SESSION_LIFETIME",
    "AUTH_HEADER_NAME": "HEADER_NAME",
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
    "AUTH_COOKIE": "PROFILE",
    "AUTH_REFRESH_COOKIE": "PROFILE",
    "AUTH_COOKIE_SAMESITE": "COOKIE_SAMESITE",
    "AUTH_SAMESITE": "COOKIE_SAMESITE",
    "AUTH_SECURE": "COOKIE_SECURE",
    "AUTH_COOKIE_SECURE": "COOKIE_SECURE",
    "AUTH_COOKIE_PATH": "COOKIE_PATH",
    "AUTH_REFRESH_COOKIE_PATH": "COOKIE_PATH",
}
"""The names of settings in other packages, and their names here."""


def name_unknown(key: object, known_keys: Iterable[str]) -> Problem:
    """Return the problem of a key that does not exist, with a suggestion."""
    known = _NAMES_ELSEWHERE.get(str(key).upper().removeprefix("JWT_"))
    hint = Text("Did you mean %(name)r?", name=known) if known else suggest_key(key, known_keys)
    text = Text("%(setting)s has no key %(key)r.", setting="TESSERA", key=key)
    return Problem(id="tessera.E002", message=text, hint=hint)


def name_wrong(key: str, wrong: WrongValueError, source: str | None) -> Problem:
    """Return the problem of a value.

    Args:
        key: the key of ``TESSERA``.
        wrong: the fault of its value.
        source: the setting of another package that the value comes from.
    """
    values = {"key": key, "fault": wrong.message, "hint": wrong.hint, "source": source}
    if source is None:
        return Problem(id=wrong.id, message=Text("TESSERA[%(key)r] %(fault)s", **values), hint=wrong.hint)
    return Problem(
        id=wrong.id,
        message=Text("TESSERA[%(key)r] (from %(source)s) %(fault)s", **values),
        hint=Text("%(hint)s A value in TESSERA itself takes precedence over %(source)s.", **values),
    )

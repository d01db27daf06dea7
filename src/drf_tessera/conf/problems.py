"""The problems of single keys, as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from os import PathLike
from typing import Final

from drf_tessera.conf.issuers import Issuer
from drf_tessera.conf.values import TENANT_MARK, Problem, WrongValueError, suggest_key
from drf_tessera.jose.keys import Key
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


# -- Places for the tenant -------------------------------------------------------------------------

_Place = tuple[str, ...]
_FILLED: Final[frozenset[_Place]] = frozenset(
    {("ISSUER",), ("AUDIENCE",), ("RESOURCE",), ("ISSUERS", "audience")}
)
"""The keys whose texts get the name of the tenant."""

_ADDRESSES: Final[frozenset[_Place]] = frozenset({("ISSUERS", "issuer"), ("ISSUERS", "jwks_uri")})
_MARKS: Final = re.compile(r"\{+\w*\}+")


def name_marks(written: Mapping[str, object], *, has_tenants: bool) -> list[Problem]:
    """Return the problems of texts with a place for the tenant that nothing would fill.

    Another mark, such as ``{tenantid}`` of a provider's manual, is a problem where names and addresses stand.

    Args:
        written: the keys of ``TESSERA`` with their values, as the project wrote them.
        has_tenants: whether ``TENANT`` names the tenant of a request.
    """
    found: dict[tuple[_Place, str], Problem] = {}
    for place, text in _walk(written, ()):
        for mark in _MARKS.findall(text):
            if mark == TENANT_MARK and place in _FILLED:
                if not has_tenants:
                    found[place, mark] = _name_without_tenants(place[0])
            elif TENANT_MARK in mark or place in _FILLED | _ADDRESSES:
                found[place, mark] = _name_unfilled(place, mark)
    return list(found.values())


def _walk(value: object, place: _Place) -> Iterator[tuple[_Place, str]]:
    """Yield each text of a value, and the names that lead to the text. The items of a list have its name."""
    if isinstance(value, str | PathLike):
        yield place, str(value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _walk(name, place)
            yield from _walk(item, (*place, str(name)))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _walk(item, place)
    elif isinstance(value, Issuer | Key):  # an object of the project may fill its texts itself
        yield from _walk({item.name: getattr(value, item.name) for item in fields(value)}, place)


def _name_without_tenants(key: str) -> Problem:
    return Problem(
        id="tessera.E030",
        message=Text("TESSERA[%(key)r] has %(mark)s, but TENANT is not set.", key=key, mark=TENANT_MARK),
        hint=Text("Set TENANT to a function that returns the name of the tenant of a request."),
    )


def _name_unfilled(place: _Place, mark: str) -> Problem:
    hint = Text(
        "The name of the tenant replaces %(mark)s in ISSUER, AUDIENCE, RESOURCE and the 'audience' of an"
        " entry of ISSUERS. Nothing else is replaced.",
        mark=TENANT_MARK,
    )
    if place in _ADDRESSES:
        hint = Text(
            "Write an entry for each issuer. Let 'find_user' refuse the issuers of other tenants"
            " (docs/howto/tenants.md)."
        )
    where = "TESSERA" + "".join(f"[{name!r}]" for name in place)
    text = Text("%(place)s has %(mark)s, and nothing replaces it.", place=where, mark=mark)
    return Problem(id="tessera.E030", message=text, hint=hint)

"""Other issuers whose tokens are accepted: one entry of ``ISSUERS`` each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from drf_tessera.conf.keys import PUBLIC_ALGORITHMS, read_key, read_keys
from drf_tessera.conf.values import (
    PLAIN_READERS,
    Reader,
    WrongValueError,
    is_claim,
    read_audience,
    read_hook,
)
from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.keys import Key
from drf_tessera.texts import Text

_HINT: Final = Text("docs/howto/accept-other-issuers.md has an entry for each well-known provider.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One other issuer. An entry of ``ISSUERS`` is this object, or a dict with the same names.

    The values of an object, too, are checked when the settings are read.
    """

    issuer: str
    """The ``iss`` of the tokens, exactly as the provider writes it."""
    audience: str | Collection[str]
    """The audience claim must contain one of these. Required: a provider issues tokens for others, too."""
    audience_claim: str = "aud"
    """The claim that names the audience."""
    algorithms: Collection[str] = ("RS256",)
    """The accepted algorithms of the keys that the provider publishes."""
    jwks_uri: str | None = None
    """Where the keys are. ``None``: the discovery document of the issuer says so."""
    keys: Collection[Any] = field(default=(), repr=False)
    """The keys, as in ``KEYS``. With them nothing is fetched."""
    types: Collection[str | None] = ("at+jwt",)
    """The accepted ``typ`` of the header. ``None`` among them accepts a token without ``typ``."""
    claims: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Further claims that a token must have, with their values. A collection lists the accepted values."""
    scope_claim: str = "scope"
    """The claim with the scopes: a text with spaces, or a list of texts."""
    user_field: str | None = None
    """The field of the user model that holds ``user_claim``. ``None``: the token has no user of ours."""
    user_claim: str = "sub"
    """The claim that identifies the user."""
    create: bool = False
    """Whether a user is created when a token of an unknown user comes."""
    user_fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """From fields of the user model to claims. They are written once, when the user is created."""
    find_user: Callable[..., Any] | None = None
    """A function ``(token) -> user``, or its path, in place of the four names above."""

    @property
    def is_given(self) -> bool:
        """Return whether the settings have the keys, so that nothing is fetched."""
        return bool(self.keys)

    @property
    def has_user(self) -> bool:
        """Return whether tokens stand for users of this project."""
        return self.user_field is not None or self.find_user is not None


_NAMES: Final = tuple(item.name for item in fields(Issuer))
_REQUIRED: Final = tuple(
    item.name for item in fields(Issuer) if item.default is MISSING and item.default_factory is MISSING
)


def is_safe_address(address: object) -> bool:
    """Return whether keys may be fetched from an address: HTTPS, or a plain loopback host."""
    if not isinstance(address, str) or not address.isascii() or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        host = parts.hostname
        _ = parts.port  # raises for a port that is not a number
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "\\" in address or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(address))


def is_loopback(address: str) -> bool:
    """Return whether an address leads to this machine."""
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_issuers(value: object) -> tuple[Issuer, ...]:
    """Return the value of ``ISSUERS``.

    Raises:
        WrongValueError: an entry is not valid. The message names the entry.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, list | tuple):
        raise _refuse(Text("must be a list of dicts."))
    found = tuple(
        _read_entry(entry, Text("entry %(number)s", number=index)) for index, entry in enumerate(value)
    )
    names = [entry.issuer for entry in found]
    for name in names:
        if names.count(name) > 1:
            raise _refuse(Text("has two entries for %(name)r.", name=name))
    return found


def _refuse(message: Text, check_id: str = "tessera.E040", hint: Text = _HINT) -> WrongValueError:
    return WrongValueError(check_id, message, hint)


def _suggest(name: object) -> Text:
    near = get_close_matches(str(name), _NAMES, n=1)
    if near:
        return Text("Did you mean %(name)r?", name=near[0])
    return Text("The names are: %(names)s.", names=", ".join(_NAMES))


def _read_entry(entry: object, where: Text) -> Issuer:
    if isinstance(entry, Issuer):
        # Leave the defaults out, because a default that nobody wrote contradicts nothing.
        entry = {
            item.name: value
            for item in fields(Issuer)
            if (value := getattr(entry, item.name)) is not item.default
        }
    if not isinstance(entry, Mapping):
        raise _refuse(Text("%(where)s must be a dict or an Issuer.", where=where))
    for name in entry:
        if name not in _NAMES:
            raise _refuse(
                Text("%(where)s has no name %(name)r.", where=where, name=name), hint=_suggest(name)
            )
    for name in _REQUIRED:
        if not entry.get(name):
            raise _refuse(
                Text("%(where)s needs %(name)r.", where=where, name=name),
                "tessera.E042" if name == "audience" else "tessera.E040",
            )
    values = {"user_fields": {}, "claims": {}, **entry}
    _check_texts(values, where)
    _check_addresses(values, where)
    _check_user(values, where)
    values["keys"] = _read_keys(values.get("keys", ()), where)
    values["algorithms"] = _read_algorithms(values, where)
    values["types"] = _read_types(values.get("types", ("at+jwt",)), where)
    try:
        values["audience"] = read_audience(values["audience"])
        values["find_user"] = read_hook(values.get("find_user"), "(token) -> user")
    except WrongValueError as wrong:
        name = "audience" if wrong.id == "tessera.E006" else "find_user"
        check_id = "tessera.E042" if name == "audience" else "tessera.E043"
        raise _refuse(
            Text("%(where)s: %(name)r %(fault)s", where=where, name=name, fault=wrong.message),
            check_id,
            wrong.hint,
        ) from None
    for name in ("claims", "user_fields"):
        values[name] = MappingProxyType(dict(values[name]))
    return Issuer(**values)


def _check_texts(values: Mapping[str, Any], where: Text) -> None:
    for name in ("issuer", "audience_claim", "scope_claim", "user_claim"):
        if name in values and not is_claim(values[name]):
            raise _refuse(
                Text(
                    "%(where)s: %(name)r must be a text of 1 to 255 printable characters.",
                    where=where,
                    name=name,
                )
            )
    claims = values["claims"]
    if not isinstance(claims, Mapping) or not all(
        is_claim(name) and _can_match(accepted) for name, accepted in claims.items()
    ):
        raise _refuse(
            Text("%(where)s: 'claims' must be a dict from names of claims to their values.", where=where)
        )


def _can_match(accepted: object) -> bool:
    """Return whether a claim can have a value. ``None`` would let in a token without the claim."""
    listed = accepted if isinstance(accepted, list | tuple | set | frozenset) else [accepted]
    return bool(listed) and all(isinstance(one, str | int | float | Mapping) for one in listed)


def _check_addresses(values: Mapping[str, Any], where: Text) -> None:
    if values.get("keys"):
        if values.get("jwks_uri") is not None:
            raise _refuse(Text("%(where)s has both 'keys' and 'jwks_uri'.", where=where), "tessera.E041")
        return
    name = "issuer" if values.get("jwks_uri") is None else "jwks_uri"
    if not is_safe_address(values[name]) or (name == "issuer" and urlsplit(values[name]).query):
        raise _refuse(
            Text(
                "%(where)s: %(name)r must be an address that begins with https:// (or http:// on loopback).",
                where=where,
                name=name,
            ),
            "tessera.E041",
            Text(
                "The keys are read from there. If the provider has no such address, write its keys into "
                "'keys'."
            ),
        )


def _check_user(values: Mapping[str, Any], where: Text) -> None:
    chosen = values.get("user_field")
    if chosen is not None and (not isinstance(chosen, str) or not chosen.isidentifier()):
        raise _refuse(
            Text("%(where)s: 'user_field' must be the name of a field.", where=where), "tessera.E043"
        )
    if chosen is not None and values.get("find_user") is not None:
        raise _refuse(Text("%(where)s has both 'user_field' and 'find_user'.", where=where), "tessera.E043")
    mapped = values["user_fields"]
    if not isinstance(mapped, Mapping) or not all(
        isinstance(name, str) and name.isidentifier() and is_claim(claim) for name, claim in mapped.items()
    ):
        raise _refuse(
            Text("%(where)s: 'user_fields' must be a dict from fields to claims.", where=where),
            "tessera.E043",
        )
    create = values.get("create", False)
    if not isinstance(create, bool):
        raise _refuse(Text("%(where)s: 'create' must be True or False.", where=where), "tessera.E043")
    if chosen is None and (create or mapped):
        raise _refuse(
            Text("%(where)s: 'create' and 'user_fields' need a 'user_field'.", where=where), "tessera.E043"
        )
    if chosen in mapped:
        raise _refuse(
            Text("%(where)s: 'user_fields' must not contain the 'user_field'.", where=where), "tessera.E043"
        )


def _read_keys(value: object, where: Text) -> tuple[Key, ...]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, list | tuple):
        raise _refuse(Text("%(where)s: 'keys' must be a list of dicts.", where=where), "tessera.E041")
    found = []
    for entry in value:
        try:
            found.append(entry if isinstance(entry, Key) else read_key(entry))
        except KeyMaterialError as error:
            raise _refuse(
                Text("%(where)s: 'keys': %(reason)s", where=where, reason=error.message), "tessera.E041"
            ) from None
    return tuple(found)


def _read_algorithms(values: Mapping[str, Any], where: Text) -> tuple[str, ...]:
    """Return the accepted algorithms. Each given key has its own; published keys never have HMAC."""
    chosen = values.get("algorithms", ("RS256",))
    if not isinstance(chosen, list | tuple | set | frozenset) or not chosen:
        raise _refuse(
            Text("%(where)s: 'algorithms' must be a list, such as ['RS256'].", where=where), "tessera.E041"
        )
    if values["keys"]:
        return _read_given(values["keys"], values.get("algorithms"), where)
    for name in chosen:
        if not isinstance(name, str) or name not in PUBLIC_ALGORITHMS:
            raise _refuse(
                Text(
                    "%(where)s: %(name)r is not an algorithm for keys that a provider publishes.",
                    where=where,
                    name=name,
                ),
                "tessera.E041",
                Text(
                    "Choose from %(choices)s. A shared secret belongs into 'keys'.",
                    choices=", ".join(sorted(PUBLIC_ALGORITHMS)),
                ),
            )
    return tuple(chosen)


def _read_given(keys: tuple[Key, ...], chosen: Collection[str] | None, where: Text) -> tuple[str, ...]:
    """Return the algorithms of given keys. If the entry names algorithms, each key has one of them."""
    found = tuple(dict.fromkeys(key.alg for key in keys))
    for name in found:
        if chosen is not None and name not in chosen:
            raise _refuse(
                Text(
                    "%(where)s: a key in 'keys' has %(name)r, which 'algorithms' lacks.",
                    where=where,
                    name=name,
                ),
                "tessera.E041",
                Text("Leave 'algorithms' out. Each key in 'keys' has its own."),
            )
    return found


def _read_types(value: object, where: Text) -> tuple[str | None, ...]:
    if not isinstance(value, list | tuple | set | frozenset) or not value:
        raise _refuse(
            Text("%(where)s: 'types' must be a list, such as ['at+jwt'] or ['JWT', None].", where=where)
        )
    found: list[str | None] = []
    for name in value:
        if name is not None and not is_claim(name):
            raise _refuse(
                Text("%(where)s: 'types' must contain texts, or None for a token without typ.", where=where)
            )
        found.append(name if name is None else name.lower().removeprefix("application/"))
    return tuple(found)


def read_resource(value: object) -> str | None:
    """Return the value of ``RESOURCE`` (RFC 9728, section 1.2).

    Raises:
        WrongValueError: the value is not an address, or not one that a header can carry.
    """
    if value is None or value == "":
        return None
    if not is_safe_address(value) or not set('?"').isdisjoint(str(value)):
        raise WrongValueError(
            "tessera.E062",
            Text("must be an address that begins with https:// (or http:// on loopback), without a query."),
            Text('Write the address of the API as clients see it. For example: "https://api.example.com/".'),
        )
    return str(value)


READERS: Final[Mapping[str, Reader]] = {
    **PLAIN_READERS,
    "KEYS": read_keys,
    "ISSUERS": read_issuers,
    "RESOURCE": read_resource,
}
"""The readers of all keys of ``TESSERA``."""

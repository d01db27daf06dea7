"""The keys that a provider publishes, from a JSON Web Key Set (RFC 7517, section 5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from drf_tessera.exceptions import KeyMaterialError, TokenKeyUnknown, TokenUnsupported
from drf_tessera.jose.encoding import EncodingError, decode_json_object
from drf_tessera.jose.keys import Key

MAX_KEYS: Final = 100
"""Providers have a handful. Each key costs time to read."""

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""The members of a JWK that nobody may publish (RFC 7518, section 6). ``k`` is a shared secret."""


class KeySetError(Exception):
    """The text is not a set of keys that can be used. The message says why."""


class KeySet:
    """Keys by name and algorithm.

    A provider may publish a key without an algorithm (Entra does). Then the key counts for each accepted
    algorithm that fits its kind.
    """

    __slots__ = ("_found", "_names")

    def __init__(self, keys: Iterable[tuple[str | None, Key]]) -> None:
        self._found: dict[tuple[str | None, str], tuple[Key, ...]] = {}
        self._names: set[str] = set()
        for kid, key in keys:
            for name in {kid, None}:
                self._found[name, key.alg] = (*self._found.get((name, key.alg), ()), key)
            if kid is not None:
                self._names.add(kid)

    def __len__(self) -> int:
        return len(self._found)

    def find(self, kid: str | None, alg: str) -> tuple[Key, ...]:
        """Return the keys that a token with these two may be signed by.

        A token without ``kid`` is accepted if there is only one key for its algorithm. Two keys may share a
        name, because the standard does not forbid it.

        Raises:
            TokenUnsupported: a key has this name, and is for another algorithm.
            TokenKeyUnknown: there is no such key.
        """
        found = self._found.get((kid, alg), ())
        if not found and kid in self._names:
            raise TokenUnsupported
        if not found or (kid is None and len(found) > 1):
            raise TokenKeyUnknown
        return found


def read_key_set(raw: bytes, algorithms: Collection[str]) -> KeySet:
    """Return the keys of a published set that can verify one of ``algorithms``.

    Keys for encryption, of another kind or too weak are left out, because one bad key should not lock out the
    users of the others. A key whose private part is published is left out, too: everybody can sign with it.

    Raises:
        KeySetError: the text is not a key set, or has no key that can be used.
    """
    try:
        listed = decode_json_object(raw).get("keys")
    except EncodingError:
        raise KeySetError("The answer is not JSON.") from None
    if not isinstance(listed, list):
        raise KeySetError("The answer has no list of keys.")
    if len(listed) > MAX_KEYS:
        raise KeySetError(f"The answer has {len(listed)} keys. At most {MAX_KEYS} are read.")
    found = KeySet(pair for entry in listed for pair in _read_entry(entry, algorithms))
    if not found:
        raise KeySetError("The answer has no key for the accepted algorithms.")
    return found


def _read_entry(entry: Any, algorithms: Collection[str]) -> Iterable[tuple[str | None, Key]]:
    if not isinstance(entry, Mapping) or _PRIVATE.intersection(entry):
        return
    kid, alg = entry.get("kid"), entry.get("alg")
    for name in algorithms if alg is None else {alg} if alg in algorithms else ():
        try:
            # The name of a key is not limited as ours are, so it is kept beside the key.
            key = Key.from_jwk({part: value for part, value in entry.items() if part != "kid"}, name)
        except KeyMaterialError:
            continue
        yield (kid if isinstance(kid, str) else None), key

"""The keys of ``KEYS``: keys that the settings contain, and sources that are read while the server runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Final

from django.utils.encoding import force_bytes

from drf_tessera.conf.values import WrongValueError, give_example, import_path
from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.algorithms import ALGORITHMS, MIN_SECRET_BYTES
from drf_tessera.jose.keys import Key, KeyRing, Signer
from drf_tessera.texts import Text

DERIVED: Final = "derived"
JWKS: Final = "jwks"
DATABASE: Final = "database"
SIGNER: Final = "signer"
_SOURCE_FORMS: Final = (DERIVED, JWKS, DATABASE, SIGNER)

DEFAULT_ALGORITHM: Final = "Ed25519"
"""For keys in the database, and for ``tessera_keys generate``."""

PUBLIC_ALGORITHMS: Final = ALGORITHMS - MIN_SECRET_BYTES.keys()
"""The algorithms of published keys. With HMAC, everybody who can read the key could sign with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Keys that are not in the settings: an entry of ``KEYS`` that says where they are."""

    kind: str
    """``derived`` from ``SECRET_KEY``, a ``jwks`` in a file or a folder, ``database``, or ``signer``."""
    alg: str = ""
    """The algorithm of new keys in the database."""
    path: Path | None = None
    """The file or the folder."""
    make: Callable[[], Signer] | None = field(default=None, repr=False)
    """Returns the signer. Each process calls it once."""


def read_keys(value: object) -> tuple[Key | KeySource, ...]:
    """Return the value of ``KEYS``.

    Raises:
        WrongValueError: an entry is not valid. The message names the entry.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        raise WrongValueError(
            "tessera.E007",
            Text("must be a list of dicts, with the oldest key first."),
            give_example('[{"alg": "EdDSA", "file": "/run/secrets/tessera.pem"}]'),
        )
    hint = Text("docs/reference/settings.md describes each form of a key.")
    keys: list[Key | KeySource] = []
    for index, entry in enumerate(value):
        try:
            keys.append(_read_source(entry) or read_key(entry))
        except KeyMaterialError as error:
            text = Text("entry %(number)s: %(reason)s", number=index, reason=error.message)
            raise WrongValueError("tessera.E007", text, hint) from None
    static = [key for key in keys if isinstance(key, Key)]
    try:
        # Only if nothing else can sign, one of these keys has to.
        KeyRing(static) if len(static) == len(keys) else KeyRing(static, signing=None)
        _check_sources(keys)
    except KeyMaterialError as error:
        text = Text("is not a valid list of keys: %(reason)s", reason=error.message)
        raise WrongValueError("tessera.E007", text, hint) from None
    return tuple(keys)


def _check_sources(keys: Sequence[Key | KeySource]) -> None:
    kinds = [key.kind for key in keys if isinstance(key, KeySource)]
    for kind in (DERIVED, DATABASE):
        if kinds.count(kind) > 1:
            raise KeyMaterialError(Text("there are two entries with %(kind)r.", kind=kind))


def _read_source(entry: object) -> KeySource | None:
    """Return the source of an entry, or ``None`` if the entry is a key.

    Raises:
        KeyMaterialError: the entry cannot work. The message says why.
    """
    named = [form for form in _SOURCE_FORMS if isinstance(entry, Mapping) and form in entry]
    if not named or not isinstance(entry, Mapping):
        return None
    kind, value = named[0], entry[named[0]]
    allowed = {kind, "alg"} if kind == DATABASE else {kind}
    surplus = [name for name in entry if name not in allowed]
    if surplus:
        raise KeyMaterialError(
            Text("%(name)r does not go together with %(kind)r.", name=surplus[0], kind=kind)
        )
    if kind in (DERIVED, DATABASE) and value is not True:
        raise KeyMaterialError(Text("%(kind)s must be True. To switch it off, remove the entry.", kind=kind))
    if kind == DATABASE:
        alg = entry.get("alg", DEFAULT_ALGORITHM)
        if alg not in PUBLIC_ALGORITHMS:
            raise KeyMaterialError(
                Text("alg must be one of %(choices)s.", choices=", ".join(sorted(PUBLIC_ALGORITHMS)))
            )
        return KeySource(kind=kind, alg=alg)
    if kind == JWKS:
        if not isinstance(value, str | PathLike):
            raise KeyMaterialError(Text("jwks must be the path of a file or a folder."))
        return KeySource(kind=kind, path=Path(value))
    return KeySource(kind=kind, make=_read_signer(value) if kind == SIGNER else None)


def _read_signer(value: object) -> Callable[[], Signer]:
    try:
        found = import_path(value) if isinstance(value, str) else value
    except WrongValueError as wrong:
        raise KeyMaterialError(Text("signer %(fault)s", fault=wrong.message)) from None
    if not callable(found):
        raise KeyMaterialError(Text("signer must be a function that returns a signer, or its dotted path."))
    return found


_KEY_FORMS: Final = ("secret", "pem", "file", "jwk")


def read_key(entry: object) -> Key:
    """Return the key of one entry of ``KEYS``.

    Raises:
        KeyMaterialError: the entry cannot work. The message says why.
    """
    if not isinstance(entry, Mapping):
        raise KeyMaterialError(Text("the entry must be a dict."))
    unknown = [name for name in entry if name not in {"alg", "kid", "password", *_KEY_FORMS}]
    if unknown:
        raise KeyMaterialError(
            Text(
                "%(name)r is unknown. The known names are: %(names)s.",
                name=unknown[0],
                names=", ".join(["alg", "kid", "password", *_KEY_FORMS, *_SOURCE_FORMS]),
            )
        )
    forms = [form for form in _KEY_FORMS if form in entry]
    if len(forms) != 1:
        raise KeyMaterialError(
            Text("the entry must have exactly one of %(names)s.", names=", ".join(_KEY_FORMS))
        )
    alg, kid = entry.get("alg"), entry.get("kid")
    if forms == ["jwk"]:
        if not isinstance(entry["jwk"], Mapping):
            raise KeyMaterialError(Text("jwk must be a dict."))
        return Key.from_jwk(entry["jwk"], alg, kid)
    if not isinstance(alg, str):
        raise KeyMaterialError(Text("the entry needs an alg, such as 'EdDSA' or 'HS256'."))
    material = _read_material(forms[0], entry[forms[0]])
    if forms == ["secret"]:
        return Key.from_secret(material, alg, kid)
    password = entry.get("password")
    return Key.from_pem(material, alg, kid, None if password is None else _read_bytes(password))


def _read_material(form: str, value: object) -> bytes:
    if form != "file":
        return _read_bytes(value)
    try:
        return Path(value).read_bytes()  # type: ignore[arg-type]  # the except branch reports a wrong type
    except (OSError, TypeError, ValueError) as error:
        raise KeyMaterialError(
            Text("the file cannot be read (%(error)s).", error=type(error).__name__)
        ) from None


def _read_bytes(value: object) -> bytes:
    if not isinstance(value, str | bytes):
        raise KeyMaterialError(Text("the key must be a string or bytes."))
    return force_bytes(value)

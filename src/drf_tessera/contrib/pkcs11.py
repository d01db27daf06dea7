"""A signer whose key stays in a device: an HSM, a smart card or SoftHSM, through PKCS#11 (PyKCS11).

Name a function that returns a :class:`Pkcs11Signer` in ``KEYS`` (``docs/howto/keys.md``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final, NamedTuple

import PyKCS11  # type: ignore[import-untyped]  # it has no annotations

from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.encoding import encode_base64url


class _Kind(NamedTuple):
    """How an algorithm is called, there and here."""

    mechanism: int
    curve: str = ""
    size: int = 0
    """The bytes of a coordinate."""
    digest: str = ""
    """The digest that is signed. Empty if the device computes it."""


_KINDS: Final[Mapping[str, _Kind]] = {
    "Ed25519": _Kind(PyKCS11.CKM_EDDSA, "Ed25519", 32),
    "EdDSA": _Kind(PyKCS11.CKM_EDDSA, "Ed25519", 32),
    "ES256": _Kind(PyKCS11.CKM_ECDSA, "P-256", 32, "sha256"),
    "ES384": _Kind(PyKCS11.CKM_ECDSA, "P-384", 48, "sha384"),
    "ES512": _Kind(PyKCS11.CKM_ECDSA, "P-521", 66, "sha512"),
    "RS256": _Kind(PyKCS11.CKM_SHA256_RSA_PKCS),
    "RS384": _Kind(PyKCS11.CKM_SHA384_RSA_PKCS),
    "RS512": _Kind(PyKCS11.CKM_SHA512_RSA_PKCS),
}


class Pkcs11Signer:
    """A key pair of a device. The session with the device is opened again after an error.

    Args:
        library: the path of the PKCS#11 library of the device.
        token: the label of the token.
        label: the label of both keys.
        pin: the PIN of the user.
        alg: the algorithm: Ed25519, EdDSA, ES256, ES384, ES512, RS256, RS384 or RS512.

    Raises:
        KeyMaterialError: the algorithm is another one, or the token or the key is not there.
        PyKCS11.PyKCS11Error: the device does not answer.
    """

    def __init__(self, *, library: str, token: str, label: str, pin: str, alg: str) -> None:
        if alg not in _KINDS:
            raise KeyMaterialError(
                f"{alg!r} is not an algorithm for PKCS#11. Choose from {', '.join(_KINDS)}."
            )
        self._kind, self._token, self._label, self._pin = _KINDS[alg], token, label, pin
        self._library: Any = PyKCS11.PyKCS11Lib()
        self._library.load(library)
        self._lock = Lock()  # a session does one thing at a time
        self._open: tuple[Any, Any] | None = None
        session, _ = self._connect()
        self.public_jwk: Mapping[str, Any] = {**self._read_public(session), "alg": alg}

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message`` as JWS has it.

        Raises:
            PyKCS11.PyKCS11Error: the device does not answer.
        """
        if self._kind.digest:
            message = hashlib.new(self._kind.digest, message).digest()
        with self._lock:
            try:
                session, key = self._open or self._connect()
                return bytes(session.sign(key, message, PyKCS11.Mechanism(self._kind.mechanism, None)))
            except PyKCS11.PyKCS11Error:
                self._open = None
                raise

    def _connect(self) -> tuple[Any, Any]:
        slots = self._library.getSlotList(tokenPresent=True)
        found = [slot for slot in slots if self._library.getTokenInfo(slot).label.strip() == self._token]
        if len(found) != 1:
            raise KeyMaterialError(f"{len(found)} tokens have the label {self._token!r}.")
        session = self._library.openSession(found[0], PyKCS11.CKF_SERIAL_SESSION)
        try:
            session.login(self._pin)
        except PyKCS11.PyKCS11Error as error:
            if error.value != PyKCS11.CKR_USER_ALREADY_LOGGED_IN:
                raise
        self._open = session, self._find(session, PyKCS11.CKO_PRIVATE_KEY)
        return self._open

    def _find(self, session: Any, kind: int) -> Any:
        found = session.findObjects([(PyKCS11.CKA_CLASS, kind), (PyKCS11.CKA_LABEL, self._label)])
        if len(found) != 1:
            raise KeyMaterialError(f"{len(found)} keys of the token have the label {self._label!r}.")
        return found[0]

    def _read_public(self, session: Any) -> dict[str, str]:
        key = self._find(session, PyKCS11.CKO_PUBLIC_KEY)

        def read(*names: int) -> list[bytes]:
            return [bytes(value) for value in session.getAttributeValue(key, list(names))]

        if not self._kind.curve:
            modulus, exponent = read(PyKCS11.CKA_MODULUS, PyKCS11.CKA_PUBLIC_EXPONENT)
            return {"kty": "RSA", "n": _encode(modulus.lstrip(b"\0")), "e": _encode(exponent.lstrip(b"\0"))}
        # A DER octet string around the point. The length of the point is known, so its head need not be read.
        (point,) = read(PyKCS11.CKA_EC_POINT)
        size, curve = self._kind.size, self._kind.curve
        if curve == "Ed25519":
            return {"kty": "OKP", "crv": curve, "x": _encode(point[-size:])}
        return {
            "kty": "EC",
            "crv": curve,
            "x": _encode(point[-2 * size : -size]),
            "y": _encode(point[-size:]),
        }


def _encode(value: bytes) -> str:
    return encode_base64url(value).decode()

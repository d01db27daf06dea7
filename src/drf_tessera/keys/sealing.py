"""Private keys, encrypted at rest under a key from ``SECRET_KEY``.

A copy of the database alone signs nothing. Fernet of the package cryptography encrypts and authenticates, and
HKDF derives its key, so nothing here is of our own making.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.views.decorators.debug import sensitive_variables

from drf_tessera.exceptions import KeyMaterialError
from drf_tessera.jose.encoding import decode_json_object, encode_json
from drf_tessera.texts import Text

_LABEL: Final = b"drf_tessera signing keys"


def derive(secret: bytes, label: bytes, tenant: str) -> bytes:
    """Return 256 bits for one purpose and one tenant (HKDF, RFC 5869)."""
    info = label + b"\0" + tenant.encode() if tenant else label
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def _make_box(secrets: Sequence[bytes], tenant: str) -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(derive(secret, _LABEL, tenant))) for secret in secrets])


@sensitive_variables()
def seal(value: Mapping[str, Any], secrets: Sequence[bytes], tenant: str) -> str:
    """Return a private JWK, encrypted under the first of the secrets."""
    return _make_box(secrets, tenant).encrypt(encode_json(value)).decode()


@sensitive_variables()
def unseal(text: str, secrets: Sequence[bytes], tenant: str) -> dict[str, Any]:
    """Return the private JWK of :func:`seal`.

    Raises:
        KeyMaterialError: none of the secrets opens it.
    """
    try:
        return decode_json_object(_make_box(secrets, tenant).decrypt(text.encode()))
    except InvalidToken:
        raise KeyMaterialError(
            Text("The private key was encrypted under another SECRET_KEY. Put it into SECRET_KEY_FALLBACKS.")
        ) from None


@sensitive_variables()
def reseal(text: str, secrets: Sequence[bytes], tenant: str) -> str | None:
    """Return the text, encrypted under the first secret. ``None``: it is so already, or nothing opens it."""
    try:
        _make_box(secrets[:1], tenant).decrypt(text.encode())
    except InvalidToken:
        pass
    else:
        return None
    try:
        return _make_box(secrets, tenant).rotate(text.encode()).decode()
    except InvalidToken:
        return None

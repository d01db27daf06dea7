"""A passkey in software. It signs what a real authenticator signs (WebAuthn Level 3, sections 6 and 7)."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)


class Authenticator:
    """One passkey, for one account at one site. It knows its user, unless ``verifies`` is false."""

    def __init__(self, host: str = "testserver", *, verifies: bool = True) -> None:
        self.host, self.origin = host, f"https://{host}"
        self.count, self.handle = 0, ""
        self.key, self.id = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
        self.flags = AuthenticatorData.FLAG.UP
        if verifies:
            self.flags |= AuthenticatorData.FLAG.UV

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the answer of ``navigator.credentials.create``."""
        asked = options["publicKey"]
        self.handle = asked["user"]["id"]
        public = ES256.from_cryptography_key(self.key.public_key())
        flags = self.flags | AuthenticatorData.FLAG.AT
        data = self._describe(flags, AttestedCredentialData.create(Aaguid(bytes(16)), self.id, public))
        answer = {
            "clientDataJSON": websafe_encode(self._collect(CollectedClientData.TYPE.CREATE, asked)),
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
        }
        return self._frame(answer, {"credProps": {"rk": True}})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the answer of ``navigator.credentials.get``."""
        client = self._collect(CollectedClientData.TYPE.GET, options["publicKey"])
        data = self._describe(self.flags)
        signature = self.key.sign(data + client.hash, ec.ECDSA(SHA256()))
        answer = {
            "clientDataJSON": websafe_encode(client),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
            "userHandle": self.handle,
        }
        return self._frame(answer, {})

    def _describe(self, flags: int, *more: Any) -> AuthenticatorData:
        self.count += 1
        return AuthenticatorData.create(hashlib.sha256(self.host.encode()).digest(), flags, self.count, *more)

    def _collect(self, kind: Any, asked: dict[str, Any]) -> CollectedClientData:
        return CollectedClientData.create(kind, asked["challenge"], self.origin)

    def _frame(self, answer: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
        name = websafe_encode(self.id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": answer,
            "clientExtensionResults": results,
        }

"""The verification of a token that is not in any cache."""

from __future__ import annotations

import base64
import hmac
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from django.contrib.auth import get_user_model
from django.test import override_settings

from benchmarks.inside import database
from drf_tessera import sessions
from drf_tessera.tokens import verify_access_token

ALGORITHMS: Final = ("HS256", "RS256", "ES256", "EdDSA")
_SECRET: Final = b"a secret of 32 bytes or more for HS256, which is long enough"
_ISSUER: Final = "drf-tessera"
_SHA256: Final = hashes.SHA256()
_PKCS1: Final = padding.PKCS1v15()
_ECDSA: Final = ec.ECDSA(_SHA256)

Verify = Callable[[str], Any]

_tokens: dict[str, list[str]] = {}
_rivals: dict[str, dict[str, Verify]] = {}
_settings: dict[str, dict[str, Any]] = {}


def prepare(*, folder: str, count: int) -> None:
    """Create ``count`` tokens of each algorithm, as logins do, and the functions that verify them."""
    database.create(users=count)
    users = list(get_user_model().objects.all())
    for algorithm in ALGORITHMS:
        _settings[algorithm] = _configure(algorithm, folder)
        with override_settings(TESSERA=_settings[algorithm]):
            _tokens[algorithm] = [sessions.start(user).access for user in users]
            _verify_ours(_tokens[algorithm][0])
        _rivals[algorithm] = _make_rivals(algorithm, folder)
        for verify in _rivals[algorithm].values():
            verify(_tokens[algorithm][0])


def measure() -> dict[str, dict[str, float]]:
    """Verify each token of each algorithm in each way once. Return the seconds of each token."""
    found: dict[str, dict[str, float]] = {}
    for algorithm in random.sample(ALGORITHMS, len(ALGORITHMS)):
        ways: dict[str, Verify] = {"ours": _verify_ours, **_rivals[algorithm]}
        with override_settings(TESSERA=_settings[algorithm]):
            _verify_ours(_tokens[algorithm][0])  # this call reads the new settings
            found[algorithm] = {
                name: _time(ways[name], _tokens[algorithm]) for name in random.sample(list(ways), len(ways))
            }
    return found


def _verify_ours(text: str) -> Any:
    """Verify a token as for a request with an unknown token. The cache is neither read nor written."""
    return verify_access_token(text)


def _time(verify: Verify, tokens: list[str]) -> float:
    begun = time.perf_counter()
    for token in tokens:
        verify(token)
    return (time.perf_counter() - begun) / len(tokens)


def _configure(algorithm: str, folder: str) -> dict[str, Any]:
    if algorithm == "HS256":
        key: dict[str, Any] = {"alg": algorithm, "secret": _SECRET}
    else:
        key = {"alg": algorithm, "file": str(Path(folder) / f"{algorithm}.pem")}
    return {"KEYS": [key], "ACCESS_LIFETIME": 7200, "ISSUER": _ISSUER}


def _make_rivals(algorithm: str, folder: str) -> dict[str, Verify]:
    """Return PyJWT's ``decode`` with the same checks, and a function with the least possible work."""
    if algorithm == "HS256":
        key: Any = _SECRET
    else:
        pem = (Path(folder) / f"{algorithm}.pem").read_bytes()
        key = serialization.load_pem_private_key(pem, None).public_key()
    options: Any = {"require": ["exp", "iat", "sub", "jti"]}

    def decode(token: str) -> Any:
        return jwt.decode(
            token, key, algorithms=[algorithm], issuer=_ISSUER, audience=_ISSUER, options=options
        )

    check = _make_check(algorithm, key)

    def verify_barely(token: str) -> Any:
        signed, _, signature = token.encode().rpartition(b".")
        head, _, body = signed.partition(b".")
        check(_decode(signature), signed)
        return json.loads(_decode(head)), json.loads(_decode(body))

    return {"pyjwt": decode, "bare": verify_barely}


def _make_check(algorithm: str, key: Any) -> Callable[[bytes, bytes], None]:
    def check_hs256(signature: bytes, signed: bytes) -> None:
        if not hmac.compare_digest(hmac.digest(key, signed, "sha256"), signature):
            raise ValueError("wrong signature")

    def check_es256(signature: bytes, signed: bytes) -> None:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), signed, _ECDSA)

    checks: dict[str, Callable[[bytes, bytes], None]] = {
        "HS256": check_hs256,
        "RS256": lambda signature, signed: key.verify(signature, signed, _PKCS1, _SHA256),
        "ES256": check_es256,
        "EdDSA": getattr(key, "verify", check_hs256),
    }
    return checks[algorithm]


def _decode(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))

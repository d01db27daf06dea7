"""Three libraries that others wrote verify our tokens, and know nothing but the address of the JWK Set.

They are ``jose`` on Node, the client of PyJWT, and ``go-jose`` of Debian.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.contrib.auth.models import AbstractBaseUser
from joserfc.jwk import OKPKey

from drf_tessera import sessions
from drf_tessera.tokens import verify_access_token
from tests.conftest import make_user
from tests.environments import install_packages
from tests.issuers.material import make_jwk
from tests.servers import PATIENCE, require, wait_until

pytestmark = [pytest.mark.once, pytest.mark.server, pytest.mark.urls("tests.rest.verifiers_urls")]

FOLDER = Path(__file__).parent / "verifiers"
AUDIENCE = "notes"
Verify = Callable[[str, str, list[str]], list[str]]
"""From the address of the JWK Set, the issuer and some tokens to the subject of each token, or ``-``."""


def make_ed25519(kid: str) -> dict[str, Any]:
    found = OKPKey.import_key(Ed25519PrivateKey.generate()).as_dict(private=True)
    return {**found, "kid": kid, "alg": "EdDSA"}


KEYS = {
    "EdDSA": make_ed25519("ed"),
    "ES256": make_jwk("es", "ES256"),
    "RS256": make_jwk("rs", "RS256"),
    "PS256": make_jwk("ps", "PS256"),
}


def run(command: list[str], lines: list[str], **environment: str) -> list[str]:
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env={**os.environ, **environment},
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def verify_by_node(address: str, issuer: str, tokens: list[str]) -> list[str]:
    (node,) = require("node")
    install_packages(FOLDER)
    return run([node, "verify.mjs", address, issuer, AUDIENCE], tokens)


def verify_by_go(address: str, issuer: str, tokens: list[str]) -> list[str]:
    (go,) = require("go")
    more = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "CGO_ENABLED": "0"}
    return run([go, "run", "verify.go", address, issuer, AUDIENCE], tokens, **more)


def verify_by_pyjwt(address: str, issuer: str, tokens: list[str]) -> list[str]:
    client, found = jwt.PyJWKClient(address), []
    for token in tokens:
        try:
            key = client.get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token, key.key, algorithms=[key.algorithm_name], audience=AUDIENCE, issuer=issuer
            )
        except jwt.PyJWTError as error:
            sys.stderr.write(f"{error}\n")
            found.append("-")
        else:
            found.append(claims["sub"])
    return found


VERIFIERS: dict[str, Verify] = {"node": verify_by_node, "pyjwt": verify_by_pyjwt, "go": verify_by_go}


@pytest.fixture
def verify(request: pytest.FixtureRequest) -> Verify:
    return VERIFIERS[request.param]


@pytest.mark.parametrize(
    "verify",
    [pytest.param(name, marks=pytest.mark.long if name == "go" else ()) for name in VERIFIERS],
    indirect=True,
)
def test_a_verifier_knows_only_the_address(
    verify: Verify, live_server: Any, settings: Any, transactional_db: None
) -> None:
    """Each key has signed a token, as after three rotations. Every bad token is refused."""
    user: AbstractBaseUser = make_user("anna")
    usual = {"ISSUER": live_server.url, "AUDIENCE": AUDIENCE}
    good = []
    keys = [{"jwk": key} for key in KEYS.values()]
    for place in range(len(keys)):
        settings.TESSERA = {**usual, "KEYS": keys[: place + 1]}
        good.append(sessions.start(user).access)
    assert [jwt.get_unverified_header(token)["alg"] for token in good] == list(KEYS)
    stranger = [{"jwk": {**make_jwk("stranger", "ES256"), "kid": "es"}}]
    bad = []
    for changes in ({"KEYS": stranger}, {"AUDIENCE": "orders"}, {"ISSUER": "https://other.example"}):
        settings.TESSERA = {**usual, "KEYS": keys, **changes}
        bad.append(sessions.start(user).access)
    settings.TESSERA = {**usual, "KEYS": keys, "ACCESS_LIFETIME": timedelta(seconds=1)}
    late = sessions.start(user).access
    head, payload, signature = good[1].split(".")
    bad.append(f"{head}.{payload}.{signature[:-4]}AAAA")
    settings.TESSERA = {**usual, "KEYS": keys}
    for token in good:
        assert verify_access_token(token).sub == str(user.pk)
    end = jwt.decode(late, options={"verify_signature": False})["exp"]
    wait_until(lambda: time.time() > end, "the clock stands still")
    found = verify(f"{live_server.url}/.well-known/jwks.json", live_server.url, [*good, *bad, late])
    assert found == [str(user.pk)] * len(good) + ["-"] * (len(bad) + 1)

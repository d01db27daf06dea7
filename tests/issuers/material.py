"""Keys and tokens of other issuers, and a server that publishes anything."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from drf_tessera.jose.encoding import encode_base64url
from drf_tessera.jose.keys import Key
from tests.servers import find_port

NAME = "https://issuer.example"
DISCOVERY = "/.well-known/openid-configuration"


@cache
def make_jwk(kid: str, alg: str = "ES256") -> dict[str, Any]:
    """Return a private JWK. One of its name is made once."""
    kind: Any = (
        RSAKey.import_key(rsa.generate_private_key(65537, 2048))
        if alg.startswith(("RS", "PS"))
        else ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
    )
    return {**kind.as_dict(private=True), "kid": kid, "alg": alg, "use": "sig"}


def publish(jwk: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the public half."""
    names = {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
    found = {name: value for name, value in jwk.items() if name in names}
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


def write_claims(**changes: Any) -> dict[str, Any]:
    """Return claims that are accepted. ``None`` takes a claim away."""
    now = int(time.time())
    usual = {"iss": NAME, "sub": "u1", "aud": "api", "iat": now, "exp": now + 600, "scope": "read write"}
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def write_token(
    jwk: dict[str, Any],
    claims: dict[str, Any],
    sign: Callable[[bytes], bytes] | None = None,
    /,
    **header: Any,
) -> str:
    """Sign a token. ``None`` takes a name out of the header."""
    usual = {"alg": jwk["alg"], "kid": jwk["kid"], "typ": "at+jwt"}
    whole = {name: value for name, value in {**usual, **header}.items() if value is not None}
    message = b".".join(encode_base64url(json.dumps(part).encode()) for part in (whole, claims))
    signature = (sign or Key.from_jwk(jwk).sign)(message)
    return f"{message.decode()}.{encode_base64url(signature).decode()}"


def issuer(*keys: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an entry of ``ISSUERS`` with given keys."""
    given = {"keys": [{"jwk": publish(key)} for key in keys]} if keys else {}
    return {"issuer": NAME, "audience": "api", **given, **changes}


class Host:
    """A web server of a test. Each path has a body, or a function that writes the whole answer."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.pages: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.lock = Lock()

    def publish(self, *keys: dict[str, Any]) -> None:
        """Publish a discovery document and a set of keys."""
        self.pages[DISCOVERY] = {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
        self.pages["/keys"] = {"keys": list(keys)}

    @property
    def fetches(self) -> int:
        return self.asked.count("/keys")


@contextmanager
def host(certificate: Path | None = None, key: Path | None = None) -> Iterator[Host]:
    """Run a :class:`Host`, with TLS if there is a certificate."""
    found = Host(find_port())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with found.lock:
                found.asked.append(self.path)
                found.at_once += 1
                found.most_at_once = max(found.most_at_once, found.at_once)
            try:
                page = found.pages.get(self.path)
                if callable(page):
                    page(self)
                else:
                    write(self, page)
            finally:
                with found.lock:
                    found.at_once -= 1

        def log_message(self, *args: object) -> None:
            pass

    def write(handler: BaseHTTPRequestHandler, page: Any) -> None:
        raw = page if isinstance(page, bytes) else json.dumps(page).encode()
        handler.send_response(404 if page is None else 200)
        for name, value in {"Content-Length": str(len(raw)), **found.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)

    server = ThreadingHTTPServer(("127.0.0.1", int(found.address.rpartition(":")[2])), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # type: ignore[method-assign]  # clients of a hostile page hang up
    server.block_on_close = False
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

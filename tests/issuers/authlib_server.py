"""An authorization server of Authlib: ``python authlib_server.py <port> <file with a private JWK Set>``.

Its access tokens are those of RFC 9068, for a client that logs in by itself. It runs in a process of its own,
and imports nothing of this project.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # it listens on loopback

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import KeySet

PORT, FILE = int(sys.argv[1]), Path(sys.argv[2])
ISSUER = f"http://127.0.0.1:{PORT}"
KEYS = KeySet.import_key_set(json.loads(FILE.read_text()))
ALG = KEYS.keys[0].as_dict()["alg"]


class Robot(ClientMixin):
    """The only client."""

    def get_client_id(self):
        return "robot"

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope

    def check_client_secret(self, client_secret):
        return client_secret == "the secret of a robot in the tests"

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class Server(AuthorizationServer):
    """Authlib's server, on the requests of Python's ``http.server``."""

    def query_client(self, client_id):
        return Robot() if client_id == "robot" else None

    def save_token(self, token, request):
        pass

    def create_oauth2_request(self, request):
        found = OAuth2Request("POST", f"{ISSUER}/token", headers=dict(request.headers))
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        found.payload = BasicOAuth2Payload(dict(parse_qsl(body)))
        return found

    def handle_response(self, status, body, headers):
        return status, body

    def send_signal(self, name, *args, **kwargs):
        pass


class Tokens(JWTBearerTokenGenerator):
    """The tokens of RFC 9068, signed with the first key of the file."""

    def get_jwks(self):
        return KeySet([KEYS.keys[0]])

    def get_audiences(self, client, user, scope):
        return ["api", "another-api"]


server = Server(scopes_supported=["read", "write"])
server.register_grant(ClientCredentialsGrant)
server.register_token_generator("default", Tokens(ISSUER, alg=ALG))


class Handler(BaseHTTPRequestHandler):
    """The three addresses of the server."""

    def do_GET(self):
        pages = {
            "/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"},
            "/keys": KEYS.as_dict(private=False),
        }
        self.answer(200 if self.path in pages else 404, pages.get(self.path, {}))

    def do_POST(self):
        self.answer(*server.create_token_response(self))

    def answer(self, status, body):
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()

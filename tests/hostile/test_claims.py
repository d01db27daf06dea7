"""Signed but absurd claims raise only our errors.

Only the server itself can have signed such a token, or somebody who knows its key. Each absurd value stands
for each claim, in a token of ours and in tokens of both packages, at every endpoint that reads tokens.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.test import override_settings
from jwt.utils import base64url_encode
from rest_framework.test import APIClient

from drf_tessera.legacy.pyjwt import decode, peek
from drf_tessera.tokens.keystore import get_issuer, get_keystore
from tests.conftest import bearer
from tests.hostile.surface import URLS, deepen

pytestmark = [pytest.mark.django_db, pytest.mark.urls(URLS)]

SECRET = "the-secret-key-of-the-tests-and-of-nothing-else"

# As JSON, because no library writes them.
ABSURD: dict[str, str] = {
    "900 levels": deepen(900),
    "20,000 levels": deepen(20_000),
    "900 levels of objects": '{"a":' * 900 + "1" + "}" * 900,
    "1e400": "1e400",
    "-1e400": "-1e400",
    "1e308": "1e308",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "a huge number": "9" * 4000,
    "a number that is too huge": "9" * 9000,
    "a negative number": "-1",
    "a fraction": "0.5",
    "true": "true",
    "null": "null",
    "a list": "[1]",
    "an object": '{"a": 1}',
    "an empty text": '""',
    "a lone surrogate": r'"\ud800"',
    "a lone surrogate in a key": r'{"\udfff": 1}',
    "a NUL": r'"\u0000"',
    "combining marks": '"' + "\u0316" * 1500 + '"',
    "a long text": '"' + "x" * 3000 + '"',
    "digits of another script": '"\u0661"',
}
CLAIMS = (
    "exp", "iat", "nbf", "sub", "jti", "aud", "iss", "sid", "auth_time", "amr", "scope", "user", "user_id",
    "username", "email", "token_type", "orig_iat", "hash_password", "x",
)  # fmt: skip


def sign(claims: dict[str, Any], name: str, value: str) -> str:
    """Sign claims of which one is absurd, as a library without any check would."""
    header = {"alg": "HS256", "typ": "JWT"}
    rest = ", ".join(f'"{key}": {json.dumps(item)}' for key, item in claims.items() if key != name)
    payload = f'{{{rest}, "{name}": {value}}}'.encode()
    message = base64url_encode(json.dumps(header).encode()) + b"." + base64url_encode(payload)
    signature = jwt.get_algorithm_by_name("HS256").sign(message, SECRET.encode())
    return (message + b"." + base64url_encode(signature)).decode()


def sign_ours(claims: dict[str, Any], name: str, value: str) -> str:
    ring = get_keystore().ring
    rest = ", ".join(f'"{key}": {json.dumps(item)}' for key, item in claims.items() if key != name)
    payload = f'{{{rest}, "{name}": {value}}}'.encode()
    message = get_keystore().codec._header + b"." + base64url_encode(payload)
    return (message + b"." + base64url_encode(ring.signing.sign(message))).decode()


def list_tokens(user: Any, name: str, value: str) -> dict[str, str]:
    """Return the tokens of each kind that have this claim. The claim "x" is one that nobody knows."""
    now = int(time.time())
    dates = {"exp": now + 60, "iat": now, "jti": f"{name}{now}"}
    legacy = {**dates, "nbf": now, "aud": "x", "iss": "x", "scope": "x", "sub": "1"}
    person = {"user_id": str(user.pk), "username": user.get_username()}
    simplejwt = {**legacy, **person, "hash_password": "x"}
    ours = {
        **dates,
        "iss": get_issuer(),
        "aud": "drf-tessera",
        "sub": str(user.pk),
        "sid": "00000000-0000-4000-8000-000000000000",
        "auth_time": now,
        "amr": ["pwd"],
        "nbf": now,
        "scope": "x",
        "user": {"username": "anna"},
    }
    old = {**legacy, "user_id": user.pk, "username": user.get_username(), "orig_iat": now, "email": "x"}
    del old["aud"]
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "ours": (sign_ours, ours),
        "access of simplejwt": (sign, {**simplejwt, "token_type": "access"}),
        "refresh of simplejwt": (sign, {**simplejwt, "token_type": "refresh"}),
        "djangorestframework-jwt": (sign, old),
    }
    return {
        kind: write(claims, name, value)
        for kind, (write, claims) in kinds.items()
        if name in claims or name == "x"
    }


PLACES = {
    "/me/": None, "/strict/": None, "/public/": None, "/simplejwt/me/": None, "/simplejwt/stateless/": None,
    "/jwt/me/": None, "/api/token/refresh/": "refresh", "/api/token/verify/": "token",
    "/api/token/revoke/": "refresh", "/simplejwt/api/token/refresh/": "refresh",
    "/simplejwt/api/token/verify/": "token", "/simplejwt/api/token/blacklist/": "refresh",
    "/jwt/refresh/": "token", "/jwt/verify/": "token",
}  # fmt: skip
"""The endpoints that read tokens, and the field of the body. Without a field the token is in the header."""


def accepts(path: str, kind: str) -> bool:
    """Return whether an endpoint knows this kind of token. The others refuse it before they read a claim."""
    package = {"djangorestframework-jwt": "/jwt/"}.get(kind, "/simplejwt/")
    return kind == "ours" or path.startswith(package)


@pytest.mark.long  # each token goes to every endpoint
@pytest.mark.parametrize("name", CLAIMS)
def test_no_absurd_claim_is_a_server_error(anna: AbstractBaseUser, settings: Any, name: str) -> None:
    fields = ["username", "email", "date_joined", "last_login"] if name == "user" else []
    settings.TESSERA = {"USER_FIELDS": fields, "TOKEN_RATE_PER_ADDRESS": None}
    settings.JWT_AUTH = {"JWT_ALLOW_REFRESH": True, "JWT_AUTH_HEADER_PREFIX": "Bearer"}
    settings.SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": name == "hash_password"}
    api = APIClient()
    api.raise_request_exception = False
    for what, value in ABSURD.items():
        for kind, token in list_tokens(anna, name, value).items():
            for path, field in PLACES.items():
                if not accepts(path, kind):
                    continue
                answer = api.get(path, **bearer(token)) if field is None else api.post(path, {field: token})
                assert answer.status_code < 500, (what, kind, path)


@pytest.mark.slow
@pytest.mark.parametrize("value", ABSURD.values(), ids=ABSURD)
@pytest.mark.parametrize("name", CLAIMS)
def test_pyjwt_raises_nothing_but_its_own_error(name: str, value: str) -> None:
    token = sign({"exp": int(time.time()) + 60}, name, value)
    for read in (peek, lambda raw: decode(raw, [SECRET], algorithm="HS256", any_audience=True)):
        try:
            claims = read(token)
        except jwt.InvalidTokenError:
            continue
        json.dumps(claims, allow_nan=False, ensure_ascii=False).encode()  # it can be written again


@pytest.mark.parametrize(
    "header",
    ["[]", "1", deepen(900), '{"alg": 1e400}', r'{"alg": "\ud800"}', '{"alg": ["HS256"]}', '{"b64": false}'],
)
def test_no_absurd_header_is_a_server_error(anna: AbstractBaseUser, header: str) -> None:
    message = base64url_encode(header.encode()) + b"." + base64url_encode(b'{"exp": 9999999999}')
    signature = jwt.get_algorithm_by_name("HS256").sign(message, SECRET.encode())
    token = (message + b"." + base64.urlsafe_b64encode(signature)).decode()
    api = APIClient()
    api.raise_request_exception = False
    for path, field in PLACES.items():
        answer = api.get(path, **bearer(token)) if field is None else api.post(path, {field: token})
        assert answer.status_code < 500, path


@override_settings(JWT_AUTH={"JWT_GET_USER_SECRET_KEY": "tests.hostile.test_claims.get_key"})
@pytest.mark.parametrize("value", ABSURD.values(), ids=ABSURD)
def test_a_key_that_the_unverified_claims_choose(anna: AbstractBaseUser, value: str) -> None:
    token = sign({"exp": int(time.time()) + 60, "username": "anna"}, "user_id", value)
    api = APIClient()
    api.raise_request_exception = False
    assert api.get("/jwt/me/", **bearer(token)).status_code == 401
    assert api.post("/jwt/verify/", {"token": token}).status_code == 400


def get_key(user: Any) -> str:
    return SECRET


@override_settings(JWT_AUTH={"JWT_ALLOW_REFRESH": True, "JWT_AUTH_HEADER_PREFIX": "Bearer"})
def test_with_a_claim_that_is_not_absurd_the_tokens_are_accepted(anna: AbstractBaseUser) -> None:
    tokens, api = list_tokens(anna, "x", "1"), APIClient()
    ours, access, old = (tokens[kind] for kind in ("ours", "access of simplejwt", "djangorestframework-jwt"))
    assert api.get("/me/", **bearer(ours)).status_code == 200
    assert api.get("/simplejwt/me/", **bearer(access)).status_code == 200
    refresh = {"refresh": tokens["refresh of simplejwt"]}
    assert api.post("/simplejwt/api/token/refresh/", refresh).status_code == 200
    assert api.get("/jwt/me/", **bearer(old)).status_code == 200
    assert api.post("/jwt/refresh/", {"token": old}).status_code == 200

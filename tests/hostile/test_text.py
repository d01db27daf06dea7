"""A stranger's text: no 500, no echo, and nothing is done with it before its length is limited."""

from __future__ import annotations

import json
import unicodedata
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from django.core.handlers.asgi import ASGIRequest
from django.urls import resolve
from rest_framework.exceptions import ValidationError
from rest_framework.fields import CharField
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from drf_tessera import sessions
from drf_tessera.rest.endpoints import MAX_BODY_BYTES
from drf_tessera.rest.serializers import (
    MAX_PASSWORD_LENGTH,
    ShortCharField,
)
from drf_tessera.rest.shapes import (
    AnswerSerializer,
)
from drf_tessera.rest.throttling import LoginAddressThrottle
from drf_tessera.tickets import MAX_TICKET_LENGTH
from tests.conftest import bearer
from tests.hostile.surface import (
    HEADER_NAMES,
    HEADERS,
    MARK,
    MOST_CHARACTERS,
    URLS,
    VALUES,
    CountingCalls,
    CountingNormalize,
    find_serializers,
    list_fields,
    list_paths,
    list_serializers,
    list_views,
)

pytestmark = [pytest.mark.django_db, pytest.mark.urls(URLS)]

FIELDS = list(list_fields())
each_field = pytest.mark.parametrize(
    ("path", "name", "serializer"), FIELDS, ids=[f"{path}{name}" for path, name, _ in FIELDS]
)
HONEST: dict[str, Any] = {
    "ticket": "x",
    "answer": "123456",
    "username": "anna",
    "password": "wrong",
    "email": "anna@example.com",
    "device": "A phone",
    "transport": "header",
    "refresh": "tsr_rubbish",
    "with_user": True,
    "token": "rubbish",
    "token_type_hint": "access_token",
    "session": "00000000-0000-4000-8000-000000000000",
    "name": "A script",
    "scope": "notes:read",
    "days": 1,
    "audience": "shop.example.com",
    "challenge": "x" * 43,
    "verifier": "x" * 43,
}


@pytest.fixture(autouse=True)
def normalized(monkeypatch: pytest.MonkeyPatch) -> CountingNormalize:
    counting = CountingNormalize()
    monkeypatch.setattr(unicodedata, "normalize", counting)
    return counting


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the passwords that were hashed."""
    found: list[int] = []
    original = MD5PasswordHasher.encode

    def encode(self: Any, password: str, salt: str, *args: Any) -> str:
        found.append(len(password))
        return original(self, password, salt, *args)

    monkeypatch.setattr(MD5PasswordHasher, "encode", encode)
    return found


@pytest.fixture
def stranger(settings: Any) -> APIClient:
    """A client without limits, because a 429 would hide the other answers."""
    rates = ("LOGIN_RATE_PER_ACCOUNT", "LOGIN_RATE_PER_ACCOUNT_EVERYWHERE", "LOGIN_RATE_PER_ADDRESS")
    settings.TESSERA = {
        "PROFILE": ["api", "browser"],
        "ACCESS_COOKIE": True,
        "CHALLENGE": "tests.hostile.surface.ask_nothing",
        "TOKEN_RATE_PER_ADDRESS": None,
        **dict.fromkeys(rates),
    }
    settings.JWT_AUTH = {"JWT_AUTH_COOKIE": "jwt_cookie"}
    api = APIClient()
    api.raise_request_exception = False
    return api


def judge(answer: Any, where: str, *texts: str) -> None:
    shown = answer.content.decode() + json.dumps(dict(answer.items()))
    where = f"{where}: {answer.status_code} {shown[:300]}"
    # A logout without a token, and a public view, are answered to everybody.
    data = getattr(answer, "data", None)
    if data != {"revoked": False} and not (isinstance(data, dict) and data.get("id", MARK) is None):
        assert 400 <= answer.status_code < 500, where
    for text in (MARK, *texts):
        assert text.lower() not in shown.lower(), where
    assert len(answer.content) < 1000 or answer["Content-Type"].startswith("text/html"), where


def write_body(name: str, serializer: Any, value: str) -> bytes:
    """Return a body with this value for one field, and usual values for the others."""
    others = [other for other in serializer().fields if other in HONEST and other not in {name, "email"}]
    if name == "email":
        others.remove("username")
    pairs = [f'"{name}": {value}', *(f'"{other}": {json.dumps(HONEST[other])}' for other in others)]
    return f"{{{', '.join(pairs)}}}".encode()


def test_the_table_has_every_field() -> None:
    """A new view or a new field is in the table without anybody's doing."""
    assert len({view for _, view in list_views()}) >= 14
    assert {(path, name) for path, name, _ in FIELDS} >= {
        ("/api/token/", "transport"),
        ("/api/token/revoke/", "session"),
        ("/simplejwt/api/token/", "password"),
        ("/simplejwt/api/token/blacklist/", "refresh"),
        ("/jwt/auth/", "username"),
        ("/jwt/verify/", "token"),
    }
    assert {name for _, name, _ in FIELDS} <= set(HONEST)


def test_no_serializer_escapes_the_table() -> None:
    """A serializer that no view of the table uses, or its parent, would not be tested."""
    used = {serializer for _, view in list_views() for serializer in find_serializers(view)}
    assert {kind for kind in list_serializers() if not any(issubclass(it, kind) for it in used)} == set()
    assert len(list_serializers()) >= 10


def test_every_view_that_reads_a_password_counts_logins(anna: AbstractBaseUser, settings: Any) -> None:
    """Also one whose own serializer refuses everybody: the serializer of a project may check the password."""
    settings.TESSERA = {"LOGIN_RATE_PER_ACCOUNT": "1/day"}
    asked = {path for path, name, _ in FIELDS if name == "password"}
    found = {path: view for path, view in list_views() if path in asked}
    assert len(found) == 5
    for path, view in found.items():
        assert view.throttle_classes == (LoginAddressThrottle,), path
        cache.clear()
        refresh = sessions.start(anna).refresh  # a proof within a session asks for it first
        wrong = {"username": "anna", "password": "wrong", "refresh": refresh}
        answers = [APIClient().post(path, wrong).status_code for _ in range(2)]
        assert answers[0] in {400, 401}, path
        assert answers[1] == 429, path


def test_no_serializer_of_an_answer_reads_a_request() -> None:
    used = {serializer for _, view in list_views() for serializer in find_serializers(view)}
    assert not [kind for kind in used if issubclass(kind, AnswerSerializer)]


def test_every_text_has_a_length_limit() -> None:
    """The tokens without ``max_length`` are compared with a limit of their own before they are parsed."""
    for kind in list_serializers():
        for name, field in kind().fields.items():
            if isinstance(field, CharField) and not field.read_only and name not in {"token", "refresh"}:
                assert isinstance(field, ShortCharField), (kind, name)
                # A ticket contains an access token, whose length has a limit of its own.
                longest = MAX_TICKET_LENGTH if name == "ticket" else MAX_PASSWORD_LENGTH
                assert field.max_length <= longest, (kind, name)


def test_a_long_text_is_refused_before_a_letter_is_looked_at() -> None:
    with CountingCalls() as short, pytest.raises(ValidationError):
        ShortCharField(max_length=5).run_validation("x" * 6)
    with CountingCalls() as long, pytest.raises(ValidationError):
        ShortCharField(max_length=5).run_validation("\ud800 " * 100_000)
    assert long.number == short.number


@pytest.mark.long
@each_field
def test_no_value_costs_more_than_a_few_calls_for_each_byte(
    stranger: APIClient, anna: AbstractBaseUser, *, path: str, name: str, serializer: Any
) -> None:
    """REST framework looks at each letter of a token, so the number of calls may grow with the body."""
    for what, value in VALUES.items():
        body = write_body(name, serializer, value)
        with CountingCalls() as calls:
            stranger.generic("POST", path, body, content_type="application/json")
        assert calls.number <= 50_000 + 6 * len(body), what


@pytest.mark.long  # each text goes to every endpoint
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@each_field
def test_any_value_of_any_field(
    stranger: APIClient,
    anna: AbstractBaseUser,
    normalized: CountingNormalize,
    hashed: list[int],
    *,
    path: str,
    name: str,
    serializer: Any,
    accept: str,
) -> None:
    """As JSON, and as the page that REST framework renders for a browser."""
    hashed.clear()
    for what, value in VALUES.items():
        body = write_body(name, serializer, value)
        answer = stranger.generic("POST", path, body, content_type="application/json", HTTP_ACCEPT=accept)
        judge(answer, what, *([value[:40]] if len(value) > 40 else []))
        assert normalized.longest <= MOST_CHARACTERS, what
        assert max(hashed, default=0) <= MAX_PASSWORD_LENGTH, what


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted({path for path, _, _ in FIELDS}))
def test_any_whole_body_and_any_name_of_a_field(stranger: APIClient, path: str) -> None:
    for what, value in VALUES.items():
        for body in (value, f"{{{value[:9000]}: 1}}", f'{{"{MARK}": {value}}}'):
            judge(stranger.generic("POST", path, body.encode(), content_type="application/json"), what)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
@each_field
def test_forms(
    stranger: APIClient, normalized: CountingNormalize, *, path: str, name: str, serializer: Any, kind: str
) -> None:
    texts = [f"{MARK}%00%ff", MARK * 5000, "%CC%96%CC%81" * 4000, "\u0316" * 20_000]
    for text in texts:
        if kind.startswith("multipart"):
            body = f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n--x--\r\n'
        else:
            body = f"{name}={text}&password=x&username=x"
        judge(stranger.generic("POST", path, body.encode(), content_type=kind), text[:20])
    file = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{MARK}"\r\n\r\nx\r\n--x--\r\n'
    judge(stranger.generic("POST", path, file.encode(), content_type="multipart/form-data; boundary=x"), "")
    assert normalized.longest <= MOST_CHARACTERS


@pytest.mark.parametrize("path", sorted({path for path, _, _ in FIELDS}))
def test_a_body_without_a_length_is_not_read(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ASGI server passes such a body on if the client sends it in chunks."""

    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError("the body was read")

    monkeypatch.setattr("rest_framework.parsers.JSONParser.parse", fail)
    scope = {"type": "http", "method": "POST", "path": path}
    scope["headers"] = [(b"content-type", b"application/json")]
    request = ASGIRequest(scope, BytesIO(b'{"username": "' + b"x" * MAX_BODY_BYTES + b'"}'))
    assert resolve(path, URLS).func(request).status_code in {200, 400, 401}


def is_own(path: str) -> bool:
    """Return whether a path is an endpoint for tokens, and not a view of the project."""
    return path in {own.replace("<str:session_id>", "x") for own, _ in list_views()}


@pytest.mark.long  # each text goes to every endpoint
@pytest.mark.parametrize(
    ("path", "header"),
    [
        (path, header)
        for path in list_paths()
        for header in HEADER_NAMES
        if header != "REQUEST_METHOD"
        or is_own(path)  # in the project's own views REST framework answers that
    ],
)
def test_any_header(
    stranger: APIClient,
    normalized: CountingNormalize,
    monkeypatch: pytest.MonkeyPatch,
    *,
    path: str,
    header: str,
) -> None:
    monkeypatch.setattr(api_settings, "NUM_PROXIES", 1)
    stranger.handler.enforce_csrf_checks = True
    method = "POST" if is_own(path) else "GET"
    body = json.dumps({"username": "anna", "password": "wrong", "refresh": "tsr_x", "token": "x"}).encode()
    for what, value in HEADERS.items():
        text = value.replace(" ", "+")[:4000] if header == "REQUEST_METHOD" else value
        kind = value if header == "CONTENT_TYPE" else "application/json"
        extra = {header: text, "wsgi.url_scheme": "https"}
        judge(stranger.generic(method, path, body, content_type=kind, **extra), what)
    if header in {"HTTP_ORIGIN", "HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_X_CSRFTOKEN", "HTTP_REFERER"}:
        for what, value in HEADERS.items():
            cookie = "__Secure-tessera_refresh_token=tsr_x; csrftoken=x"
            extra = {"HTTP_COOKIE": cookie, header: value, "wsgi.url_scheme": "https"}
            judge(stranger.generic(method, path, b"{}", content_type="application/json", **extra), what)
    assert normalized.longest <= MOST_CHARACTERS


@pytest.mark.slow
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("path", [path for path, _ in list_views() if "<" not in path])
def test_any_method(stranger: APIClient, path: str, method: str) -> None:
    answer = stranger.generic(method.upper(), path, b"")
    assert answer.status_code < 500
    assert method.upper() not in answer.content.decode() or method == "options"


@pytest.mark.parametrize(
    "named", ["x", "0" * 5000, "{" * 3000, "%00", "%FF", "%ED%A0%80", "-" * 32, "9" * 5000, "a/../b"]
)
def test_any_id_of_a_session(stranger: APIClient, anna: AbstractBaseUser, named: str) -> None:
    token = sessions.start(anna).access
    answer = stranger.delete(f"/api/token/sessions/{named}/", **bearer(token))
    assert answer.status_code == 404
    assert named not in answer.content.decode() or len(named) < 4

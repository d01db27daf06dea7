"""A program with a name and a secret may ask about access tokens (RFC 7662), and nobody else."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.checks import run_checks
from rest_framework.test import APIClient

from drf_tessera import sessions
from tests.issuers.material import issuer, make_jwk, write_claims, write_token

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.rest.introspection_urls")]

NAME, SECRET = "orders-api", "a-secret-of-the-orders-api-in-the-tests"
PATH = "/api/token/introspect/"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def _clients(settings: Any) -> None:
    settings.TESSERA = {"INTROSPECTION_CLIENTS": {NAME: SECRET}}


def basic(name: str = NAME, secret: str = SECRET) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"}


def ask(api: APIClient, token: object, **headers: Any) -> Any:
    body = urlencode({"token": token, "token_type_hint": "access_token"})
    return api.post(PATH, body, content_type=FORM, **(headers or basic()))


def test_an_active_token_has_the_members_of_the_standard(api: APIClient, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna, scope="read write")
    answer = ask(api, grant.access)
    assert answer.status_code == 200
    body = answer.json()
    assert {**body, "iat": 0, "exp": 0, "jti": ""} == {
        "active": True,
        "token_type": "Bearer",
        "iss": "drf-tessera:the-id-of-these--tests",
        "sub": str(anna.pk),
        "aud": "drf-tessera",
        "scope": "read write",
        "iat": 0,
        "exp": 0,
        "jti": "",
        "auth_time": body["iat"],
        "acr": "pwd",
    }
    assert body["exp"] - body["iat"] == 300
    assert isinstance(body["jti"], str)
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Type"] == "application/json"


def test_somebody_who_acts_as_the_user_is_named(
    api: APIClient, anna: AbstractBaseUser, bob: AbstractBaseUser
) -> None:
    """Without a way to log in, because the user has proved nothing."""
    body = ask(api, sessions.impersonate(bob, anna, minutes=5).access).json()
    assert (body["sub"], body["act"], "acr" in body) == (str(anna.pk), {"sub": str(bob.pk)}, False)


def test_json_is_read_too(api: APIClient, anna: AbstractBaseUser) -> None:
    body = {"token": sessions.start(anna).access}
    answer = api.post(PATH, json.dumps(body), content_type="application/json", **basic())
    assert answer.json()["active"] is True


def test_no_answer_says_why_a_token_is_not_active(
    api: APIClient, anna: AbstractBaseUser, bob: AbstractBaseUser, settings: Any
) -> None:
    key = make_jwk("one")
    settings.TESSERA = {**settings.TESSERA, "ISSUERS": [issuer(key)]}
    ended, gone, live = sessions.start(anna), sessions.start(bob), sessions.start(anna)
    sessions.revoke(ended.session_id)
    bob.delete()
    head, payload, _ = live.access.split(".")
    tokens = {
        "rubbish": "rubbish",
        "empty header": f".{payload}.",
        "too long": "x" * 9000,
        "forged": f"{head}.{payload}.AAAA",
        "of an ended session": ended.access,
        "of a user who is gone": gone.access,
        "a refresh token": live.refresh,
        "of another issuer": write_token(key, write_claims()),
    }
    for name, token in tokens.items():
        answer = ask(api, token)
        assert (answer.status_code, answer.json()) == (200, {"active": False}), name
        assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"REMOTE_ADDR": "192.0.2.1"}, "not_authenticated"),
        (basic(secret="x" * 40), "invalid_client"),
        (basic(secret=""), "invalid_client"),
        (basic(name="nobody"), "invalid_client"),
        (basic(name="nobody", secret=""), "invalid_client"),
        ({"HTTP_AUTHORIZATION": "Basic"}, "invalid_client"),
        ({"HTTP_AUTHORIZATION": "Basic a b"}, "invalid_client"),
        ({"HTTP_AUTHORIZATION": "Basic \u00e9\u00e9"}, "invalid_client"),
    ],
)
def test_nobody_else_may_ask(
    api: APIClient, anna: AbstractBaseUser, headers: dict[str, str], code: str
) -> None:
    answer = ask(api, sessions.start(anna).access, **headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer["WWW-Authenticate"] == 'Basic realm="api", charset="UTF-8"'


def test_an_access_token_does_not_authenticate_a_program(api: APIClient, anna: AbstractBaseUser) -> None:
    token = sessions.start(anna).access
    assert ask(api, token, HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 401


def test_without_clients_nobody_may_ask(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {}
    assert ask(api, sessions.start(anna).access).status_code == 401


@pytest.mark.parametrize("body", ["", "token=", "token_type_hint=access_token"])
def test_a_question_without_a_token_is_not_valid(api: APIClient, body: str) -> None:
    answer = api.post(PATH, body, content_type=FORM, **basic())
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_a_database_that_is_away_is_not_an_inactive_token(
    api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drf_tessera.exceptions import DatabaseUnavailable
    from drf_tessera.rest import views

    def fail(token: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(views, "load_user", fail)
    answer = ask(api, sessions.start(anna).access)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")


def test_the_program_has_a_name(anna: AbstractBaseUser) -> None:
    from drf_tessera.rest.clients import ClientAuthentication

    client, auth = ClientAuthentication().authenticate_credentials(NAME, SECRET)
    assert (str(client), client.is_authenticated, auth) == (NAME, True, None)
    assert ClientAuthentication().authenticate_header(None).startswith("Basic ")  # type: ignore[arg-type]


# -- The checks ------------------------------------------------------------------------------------


def find_ids() -> set[str]:
    return {str(found.id) for found in run_checks() if str(found.id).startswith("tessera.")}


def test_the_usual_project_has_no_warning() -> None:
    assert not {"tessera.E060", "tessera.E061", "tessera.W061"} & find_ids()


def test_an_introspection_without_clients_is_an_error(settings: Any) -> None:
    settings.TESSERA = {}
    assert "tessera.E061" in find_ids()


@pytest.mark.urls("tests.urls")
def test_clients_without_an_introspection_are_a_warning() -> None:
    assert "tessera.W061" in find_ids()


@pytest.mark.urls("tests.urls")
def test_a_project_without_both_has_nothing_to_do(settings: Any) -> None:
    settings.TESSERA = {}
    assert not {"tessera.E061", "tessera.W061"} & find_ids()


@pytest.mark.parametrize(
    "clients",
    [
        ["orders-api"],
        "orders-api",
        {"orders api": SECRET},
        {"a:b": SECRET},
        {"": SECRET},
        {1: SECRET},
        {NAME: "short"},
        {NAME: None},
        {NAME: "a secret with spaces, and with enough letters"},
    ],
)
def test_a_client_without_a_name_or_a_good_secret_is_an_error(settings: Any, clients: object) -> None:
    settings.TESSERA = {"INTROSPECTION_CLIENTS": clients}
    found = [message for message in run_checks() if message.id == "tessera.E060"]
    assert len(found) == 1
    assert "secrets with spaces" not in found[0].msg
    assert "short" not in found[0].msg


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        ("token=x", {}, "invalid_client"),
        ("token=x", basic(secret="wrong"), "invalid_client"),
        ("", basic(), "invalid_request"),
        ("token=", basic(), "invalid_request"),
    ],
)
def test_an_error_has_the_members_that_oauth_clients_read(
    api: APIClient, body: str, headers: dict[str, str], error: str
) -> None:
    """RFC 7662, section 2.3, and RFC 6749, section 5.2: ``error``, and a description in plain ASCII."""
    answer = api.post(PATH, body, content_type=FORM, **headers)
    found = answer.json()
    assert answer.status_code == {"invalid_client": 401, "invalid_request": 400}[error]
    assert (found["error"], found["error_description"]) == (error, found["detail"])
    assert found["code"]


def test_a_handler_of_the_project_that_drops_the_code_writes_its_own_body(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rest_framework.response import Response

    from drf_tessera.rest.views import IntrospectView

    monkeypatch.setattr(
        IntrospectView, "get_exception_handler", lambda self: lambda exc, context: Response({"own": 1}, 400)
    )
    assert api.post(PATH, "", content_type=FORM, **basic()).json() == {"own": 1}

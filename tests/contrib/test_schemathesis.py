"""Every answer has the shape that the schema describes: to requests made from the schema, and to bad ones."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from django.contrib.auth.models import AbstractBaseUser
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from rest_framework.test import APIClient
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.limits import counters
from drf_tessera.tickets import issue_ticket
from drf_tessera.tokens import verify_access_token
from tests.conftest import PASSWORD, bearer
from tests.contrib.schemas import CASES, CLIENTS, Case, configured, generate
from tests.hostile.surface import HEADER_NAMES, HEADERS, VALUES
from tests.rest.test_bad_input import BODIES, LOGINS, TOKENS
from tests.servers import PATIENCE, call, serve_demo

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

EXAMPLES = hypothesis_settings(
    max_examples=6,
    derandomize=True,  # each run sends the same requests
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a failure need not be small, and shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)

# -- The demo ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_demo(tmp_path_factory.mktemp("demo")) as address:
        yield address


class Person:
    """A user of the demo, who logs in again when the session has ended or the token is old."""

    def __init__(self, address: str) -> None:
        self._address, self._since, self._token = address, 0.0, ""

    def get_token(self) -> str:
        if time.monotonic() > self._since + 20:  # a third of the lifetime of a token in the demo
            body = {"username": "anna", "password": "demo-anna"}
            status, answer = call(f"{self._address}api/token/", body)
            assert status == 200, answer
            self._token, self._since = answer["access"], time.monotonic()
        return self._token

    def forget(self) -> None:
        self._since = 0.0


@pytest.mark.server
@pytest.mark.long  # hundreds of requests
@pytest.mark.once  # the demo has its own database
def test_the_demo_answers_as_its_schema_says(demo: str) -> None:
    raw = requests.get(f"{demo}api/schema/?format=json", timeout=PATIENCE).json()
    person, seen = Person(demo), set()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(raw).get_all_operations()]
    # The login comes last, because its limit answers a flood of wrong passwords.
    operations.sort(key=lambda operation: operation.label == "POST /api/token/")
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @EXAMPLES
            @given(case=operation.as_strategy(generation_mode=mode))
            def send(case: Any) -> None:
                headers = {"Authorization": f"Bearer {person.get_token()}"}
                answer = case.call(base_url=demo, headers=headers, timeout=PATIENCE)
                seen.add((case.operation.label, answer.status_code))
                case.validate_response(answer, checks=CHECKS)
                if case.method == "DELETE" or "revoke" in case.path:
                    person.forget()

            send()
    assert len(operations) == 22
    # The requests reach the views, and are not all refused.
    assert {("GET /api/notes/", 200), ("POST /api/notes/", 201), ("DELETE /api/token/sessions/", 200)} <= seen
    assert {("POST /api/token/", 400), ("POST /api/token/verify/", 401)} <= seen


SESSION = "9b2d3c55-0f8a-4f0f-9d5a-1d2f3a4b5c6d"

# -- The tables of bad input ------------------------------------------------------------------------

SETTINGS = {name: CASES[name] for name in ("api", "both")} | {
    "all": Case(
        tessera={"PROFILE": ["api", "browser"], "ACCESS_COOKIE": True, "INTROSPECTION_CLIENTS": CLIENTS}
    )
}
((NAME, SECRET),) = CLIENTS.items()
CLIENT = {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(f'{NAME}:{SECRET}'.encode()).decode()}"}
BEFORE_VIEWS = {"HTTP_HOST", "REQUEST_METHOD"}
"""Django itself answers a wrong host, and a method that an endpoint does not have is not in its schema."""


class Judge:
    """Sends requests to the endpoints of this project, and compares the answers with the schema."""

    def __init__(self, api: APIClient) -> None:
        api.raise_request_exception = False
        self._api, self.statuses = api, set[int]()
        self.operations = {
            found.ok().label: found.ok()
            for found in schemathesis.openapi.from_dict(generate()).get_all_operations()
            if "/own/" not in found.ok().path and "Shape" not in str(found.ok().definition.raw)
        }

    def send(self, label: str, body: bytes | None = None, session: str = SESSION, **headers: Any) -> int:
        operation = self.operations[label]
        method, _, path = label.partition(" ")
        path = path.replace("{session_id}", session)
        kind = headers.pop("CONTENT_TYPE", "application/json")
        if label == POSTS[4]:
            headers = {**CLIENT, **headers}
        counters.forget_counts()
        answer = self._api.generic(method, path, body or b"", content_type=kind, **headers)
        self.statuses.add(answer.status_code)
        names = {"session_id": SESSION} if "{session_id}" in label else {}
        case = operation.Case(media_type="application/json", path_parameters=names)
        case.validate_response(to_answer(answer, method, path), checks=CHECKS)
        return int(answer.status_code)


def to_answer(answer: Any, method: str, path: str) -> schemathesis.Response:
    """Return an answer of Django as an answer of schemathesis."""
    headers = {name.lower(): [value] for name, value in answer.items()}
    if answer.cookies:
        headers["set-cookie"] = [morsel.OutputString() for morsel in answer.cookies.values()]
    request = requests.Request(method, f"http://testserver{path}").prepare()
    return schemathesis.Response(
        answer.status_code, headers, answer.content, request=request, elapsed=0.1, verify=False
    )


@pytest.fixture(params=SETTINGS)
def judge(request: pytest.FixtureRequest, api: APIClient, anna: AbstractBaseUser) -> Iterator[Judge]:
    with configured(SETTINGS[request.param]):
        yield Judge(api)


POSTS = [f"POST /api/token/{name}" for name in ("", "refresh/", "verify/", "revoke/", "introspect/")]
PERSONAL = "POST /api/personal-tokens/"
HANDOVER, ACCEPT = "POST /api/token/handover/", "POST /api/token/accept/"
VERIFIER = "v" * 43
ASKED = {"audience": "testserver", "challenge": "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"}
FIELDS: Mapping[str, list[str]] = {
    POSTS[0]: ["username", "email", "password", "device", "transport"],
    POSTS[1]: ["refresh", "with_user"],
    POSTS[2]: ["token"],
    POSTS[3]: ["refresh", "session", "token", "token_type_hint"],
    POSTS[4]: ["token", "token_type_hint"],
    PERSONAL: ["name", "scope", "days"],
    HANDOVER: ["audience", "challenge"],
    ACCEPT: ["ticket", "verifier"],
}


@pytest.mark.once  # the schema does not depend on the database
@pytest.mark.long  # a thousand requests
def test_the_answers_to_bad_values_are_in_the_schema(judge: Judge) -> None:
    for label, fields in FIELDS.items():
        for field in fields:
            for value in VALUES.values():
                judge.send(label, f'{{"username": "anna", "password": "x", "{field}": {value}}}'.encode())
        for body, _, _ in BODIES.values():
            judge.send(label, body)
        for body in (b"", b" " * 70_000, b"{}"):
            judge.send(label, body)
    for login, _ in LOGINS.values():
        judge.send(POSTS[0], json.dumps(login).encode())
    assert judge.statuses >= {400, 401, 413}


@pytest.mark.long  # the same
@pytest.mark.once  # the same
def test_the_answers_to_bad_headers_and_tokens_are_in_the_schema(judge: Judge) -> None:
    for label in judge.operations:
        for name in set(HEADER_NAMES) - BEFORE_VIEWS:
            for value in HEADERS.values():
                judge.send(label, b"{}", **{name: value})
    for label in judge.operations:
        for make, _ in TOKENS.values():
            judge.send(label, b"{}", **bearer(make()))
            judge.send(POSTS[2], json.dumps({"token": make()}).encode())
    assert judge.statuses >= {400, 401, 406, 413, 415}


@pytest.mark.slow
def test_good_answers_are_in_the_schema(judge: Judge, anna: AbstractBaseUser) -> None:
    name = {"username": anna.get_username(), "password": PASSWORD}
    for more in ({}, {"transport": "cookie"}):
        status = judge.send(POSTS[0], json.dumps({**name, **more}).encode())
        assert status == (200 if len(get_settings().transports) > 1 or not more else 400)
    judge.send(POSTS[1], b'{"with_user": true}')  # by the cookie, if there is one
    for label in judge.operations:
        grant = sessions.start(anna)
        mine, other = str(grant.session_id), str(sessions.start(anna).session_id)
        by_token = {"token": grant.access} if label in {POSTS[2], POSTS[4]} else {}
        body = by_token or {"refresh": grant.refresh, "with_user": True}
        if "refresh" in label:
            assert judge.send(label, json.dumps(body).encode()) == 200  # rotated
        if label != POSTS[0]:
            by_header = not label.startswith("POST") or label in {PERSONAL, HANDOVER}
            head = bearer(grant.access) if by_header else {}
            ticket = issue_ticket(verify_access_token(grant.access), **ASKED)
            others = {PERSONAL: {"name": "A script"}, HANDOVER: ASKED}
            body = {**others, ACCEPT: {"ticket": ticket, "verifier": VERIFIER}}.get(label, body)
            if label.startswith("DELETE /api/personal-tokens/"):
                made = [sessions.issue_personal_token(anna, name="A script") for _ in range(2)]
                other, mine = (str(token.session.pk) for token in made)
            for session in (other, mine) if "{" in label else (mine,):
                status = judge.send(label, json.dumps(body).encode(), session=session, **head)
                assert status == 201 if label == PERSONAL else status in {200, 204}, (label, status)


COMPAT = {
    "simplejwt": ["username", "password", "refresh", "token"],
    "jwt": ["username", "password", "token"],
}


@pytest.mark.once  # the same
@pytest.mark.long  # the same
@pytest.mark.parametrize("name", COMPAT)
def test_the_answers_of_packages_with_other_names_are_in_the_schema(
    name: str, api: APIClient, anna: AbstractBaseUser
) -> None:
    with configured(CASES[name]):
        judge = Judge(api)
        good = {"username": anna.get_username(), "password": PASSWORD}
        for label in judge.operations:
            judge.send(label, json.dumps(good).encode())
        for label in judge.operations:
            for bad in (*(it[0] for it in BODIES.values()), b"", b" " * 70_000, b"{}"):
                judge.send(label, bad)
            for field in COMPAT[name]:
                for value in VALUES.values():
                    body = f'{{"username": "a", "password": "x", "refresh": "x", "{field}": {value}}}'
                    judge.send(label, body.encode())
            for header in set(HEADER_NAMES) - BEFORE_VIEWS:
                for value in HEADERS.values():
                    judge.send(label, b"{}", **{header: value})
    assert judge.statuses >= {200, 400, 406, 413, 415}

"""All errors have the same form."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from drf_tessera import exception_handler, exceptions
from drf_tessera.exceptions import RefreshContended, SettingsError, TesseraError
from drf_tessera.rest.errors import LateRefusal, to_api_exception, translate_error
from drf_tessera.rest.views import RefreshView


def answer(error: Exception) -> tuple[int, Any]:
    response = exception_handler(error, {})
    assert response is not None
    return response.status_code, response.data


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "permission_denied"),
        (SuspiciousOperation("x"), 400, "parse_error"),
        (drf.NotAuthenticated(), 401, "not_authenticated"),
        (drf.Throttled(5), 429, "throttled"),
        (drf.ValidationError("no"), 400, "invalid"),
        (drf.ValidationError({"a": ["no"]}), 400, "invalid_request"),
        (drf.APIException(["a", "b"]), 500, "error"),
        (RefreshContended(), 503, "refresh_contended"),
        (LateRefusal({"detail": "gone", "code": "user_gone"}), 401, "user_gone"),
    ],
)
def test_every_error_has_a_detail_and_a_code(error: Exception, status: int, code: str) -> None:
    found, body = answer(error)
    assert (found, body["code"]) == (status, code)
    assert body["detail"]


def test_an_error_that_has_the_shape_keeps_it() -> None:
    own = drf.PermissionDenied({"detail": "no", "code": "mine"})
    assert answer(own) == (403, {"detail": "no", "code": "mine"})


@pytest.mark.parametrize("mistake", [KeyError(), RecursionError()])
def test_a_mistake_of_the_project_is_not_a_client_s(mistake: Exception) -> None:
    with pytest.raises(SettingsError):
        to_api_exception(SettingsError())
    assert translate_error(mistake) is mistake
    assert exception_handler(mistake, {}) is None


def test_a_body_that_is_nested_too_deeply_is_a_client_s() -> None:
    request = Request(APIRequestFactory().post("/", "[" * 100_000, content_type="application/json"))
    request.parsers = [JSONParser()]  # type: ignore[assignment]  # for the stubs these are lists of classes
    with pytest.raises(RecursionError) as caught:
        request.data  # noqa: B018 - the access is the test
    assert answer(caught.value) == (
        400,
        {"detail": "The body is nested too deeply.", "code": "parse_error"},
    )


def test_a_passing_trouble_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str, *, transport: str) -> None:
        raise RefreshContended

    monkeypatch.setattr("drf_tessera.sessions.refresh", fail)
    response = RefreshView.as_view()(APIRequestFactory().post("/", {"refresh": "x"}))
    assert (response.status_code, response["Retry-After"]) == (503, "1")


def walk(kind: type[TesseraError]) -> list[type[TesseraError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in walk(child))]


def test_codes_are_unique_and_told_without_secrets() -> None:
    kinds = [kind for kind in walk(TesseraError) if kind.__module__.startswith(f"{exceptions.__name__}.")]
    codes = [kind.code for kind in kinds]
    assert len(codes) == len(set(codes)) > 25
    assert all(kind.__doc__ for kind in kinds)

"""The documents under ``/.well-known/`` are public: scripts of every origin may read all their answers."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.test.utils import override_settings
from django.urls import include, path
from django.utils import translation

DOCUMENTS = (
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-authorization-server/elsewhere",
    "/.well-known/oauth-protected-resource/elsewhere",
)
ORIGIN = {"HTTP_ORIGIN": "https://inspector.example"}

urlpatterns = [
    path("", include("drf_tessera.rest.keysets")),
    path("", include("drf_tessera.rest.metadata")),
]

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def _documents(settings: Any) -> None:
    settings.TESSERA = {"ISSUER": "https://api.example.com", "RESOURCE": "https://api.example.com/"}


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_a_page_of_another_origin_reads_each_answer(client: Client, document: str, method: str) -> None:
    answer = client.generic(method, document, **ORIGIN)
    missing = document.endswith("elsewhere")
    expected = {"OPTIONS": 204, "POST": 405}.get(method, 404 if missing else 200)
    assert answer.status_code == expected
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer
    assert not answer.cookies


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_preflight_allows_headers_of_clients(client: Client, document: str) -> None:
    asked = {
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "mcp-protocol-version",
    }
    answer = client.options(document, **ORIGIN, **asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "GET" in answer["Access-Control-Allow-Methods"]
    assert answer["Access-Control-Allow-Headers"] == "*"


def test_the_answer_that_nothing_has_changed_is_readable_too(client: Client) -> None:
    tag = client.get(DOCUMENTS[0])["ETag"]
    answer = client.get(DOCUMENTS[0], headers={"If-None-Match": tag}, **ORIGIN)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (304, "*")


def test_a_document_that_is_missing_is_told_in_json(client: Client) -> None:
    assert client.get(DOCUMENTS[3]).json() == {"detail": "Not found.", "code": "not_found"}
    with translation.override("de"):
        answer = client.get(DOCUMENTS[3])
    assert (answer.json()["detail"], answer["Content-Language"]) == ("Nicht gefunden.", "de")


@pytest.mark.parametrize("allowed", [True, False])
def test_the_headers_of_the_project_come_first(client: Client, settings: Any, allowed: bool) -> None:
    """django-cors-headers allows its own origins with credentials, and keeps our header for the others."""
    settings.MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *settings.MIDDLEWARE]
    pytest.importorskip("corsheaders")
    origins = [ORIGIN["HTTP_ORIGIN"]] if allowed else []
    with override_settings(CORS_ALLOWED_ORIGINS=origins, CORS_ALLOW_CREDENTIALS=True):
        answer = Client().get(DOCUMENTS[1], **ORIGIN)
    assert answer["Access-Control-Allow-Origin"] == (ORIGIN["HTTP_ORIGIN"] if allowed else "*")

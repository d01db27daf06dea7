"""The answers of the API in the language of the request."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404
from django.test import Client, RequestFactory, override_settings
from django.utils import translation
from rest_framework.test import APIClient

from drf_tessera import exception_handler, exceptions
from drf_tessera.exceptions import LoginFailed, TesseraError, TokenClaimInvalid, TooManyAttempts
from drf_tessera.http import write_refusal
from drf_tessera.keys import rotate_keys
from tests.conftest import PASSWORD
from tests.keys.conftest import DATABASE

LOCALE = "django.middleware.locale.LocaleMiddleware"
GERMAN = "Das Zugriffstoken ist kein wohlgeformtes JWT."


@pytest.fixture
def multilingual(settings: Any) -> Iterator[None]:
    """Add ``LocaleMiddleware``. It leaves the language of the last request active, so that is undone."""
    settings.MIDDLEWARE = [*django_settings.MIDDLEWARE, LOCALE]
    with translation.override(translation.get_language()):
        yield


def refuse(language: str | None = None, path: str = "/me/") -> Any:
    headers = {"HTTP_ACCEPT_LANGUAGE": language} if language else {}
    return APIClient().get(path, HTTP_AUTHORIZATION="Bearer x", **headers)


@pytest.mark.parametrize(
    ("language", "written"),
    [("de", "de"), ("de-at", "de"), ("pt-br", "pt-BR"), ("zh-hans", "zh-Hans"), ("ar", "ar"), ("en", "en")],
)
@pytest.mark.django_db
@pytest.mark.usefixtures("multilingual")
def test_content_language_is_the_language_of_the_text(language: str, written: str) -> None:
    answer = APIClient().post("/api/token/refresh/", {"refresh": "x"}, HTTP_ACCEPT_LANGUAGE=language)
    with translation.override(language):
        expected = exceptions.RefreshInvalid().detail
    assert answer.status_code == 401
    assert answer.json() == {"detail": expected, "code": "refresh_invalid"}
    assert (expected != exceptions.RefreshInvalid.default_detail) == (language != "en")
    assert answer["Content-Language"] == written


@pytest.mark.django_db
@pytest.mark.usefixtures("multilingual")
def test_a_language_without_a_catalogue_is_answered_in_the_language_of_the_project(settings: Any) -> None:
    """LocaleMiddleware alone would say that the English text is Dutch."""
    answer = APIClient().post("/api/token/refresh/", {"refresh": "x"}, HTTP_ACCEPT_LANGUAGE="nl")
    assert answer.json()["detail"] == exceptions.RefreshInvalid.default_detail
    assert answer["Content-Language"] == "en"


@pytest.mark.django_db
def test_without_locale_middleware_the_language_of_the_project_counts() -> None:
    with translation.override("fr"):  # what LANGUAGE_CODE does in a project
        answer = APIClient().post("/api/token/refresh/", {"refresh": "x"}, HTTP_ACCEPT_LANGUAGE="de")
    assert answer.json()["detail"] == "Le jeton de renouvellement n\u2019est pas valide."
    assert answer["Content-Language"] == "fr"


@pytest.mark.django_db
@pytest.mark.usefixtures("multilingual")
def test_views_of_the_project_answer_in_the_language_and_the_challenge_stays_ascii() -> None:
    answer = refuse("de")
    assert (answer.json()["detail"], answer.json()["code"]) == (GERMAN, "token_malformed")
    assert 'error_description="The access token is not a well-formed JWT."' in answer["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("path", "body", "english"),
    [
        ("revoke", "token=%00", exceptions.RequestError),
        ("revoke", "token=", exceptions.TokenMissing),
        ("introspect", "token=x", exceptions.Unauthenticated),
    ],
)
@pytest.mark.urls("tests.rest.introspection_urls")
@pytest.mark.usefixtures("multilingual")
@pytest.mark.django_db
def test_the_description_for_oauth_clients_is_english(
    settings: Any, path: str, body: str, english: type[TesseraError]
) -> None:
    """RFC 6749, section 5.2, allows only ASCII. A translation would be full of replaced letters."""
    settings.TESSERA = {"INTROSPECTION_CLIENTS": {"shop": "a-secret-of-the-shop-in-the-tests-here"}}
    form = "application/x-www-form-urlencoded"
    answer = APIClient().post(f"/api/token/{path}/", body, content_type=form, HTTP_ACCEPT_LANGUAGE="ru")
    found = answer.json()
    assert found["error_description"] == english.default_detail
    assert not found["detail"].isascii()


@pytest.mark.usefixtures("multilingual")
@pytest.mark.django_db
def test_mistakes_in_bodies_are_translated() -> None:
    answer = APIClient().post("/api/token/", {"password": "x"}, HTTP_ACCEPT_LANGUAGE="es")
    assert answer.json()["detail"].startswith("Envíe exactamente uno de estos campos")
    assert answer.json()["code"] == "account_required"
    answer = APIClient().post(
        "/api/token/", {"password": "x", "username": "a", "transport": "x"}, HTTP_ACCEPT_LANGUAGE="es"
    )
    assert answer.json()["detail"] == "La solicitud no es válida."
    (mistake,) = answer.json()["fields"]["transport"]
    assert mistake == {"message": "Elija uno de estos: header, cookie.", "code": "invalid_choice"}


def test_an_error_has_the_language_of_the_request_that_shows_it() -> None:
    """An error that is remembered, pickled or raised elsewhere holds the message, and no translation."""
    with translation.override("de"):
        error = TokenClaimInvalid("sub")
        assert error.detail == "Der Claim 'sub' des Zugriffstokens fehlt oder ist ungültig."
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own
    with translation.override("fr"):
        assert error.detail == copy.detail
        assert error.detail.startswith("La revendication 'sub' du jeton")
    with translation.override(None):
        assert copy.detail == "The claim 'sub' of the access token is missing or not valid."
    assert str(error) == str(copy) == "The claim 'sub' of the access token is missing or not valid."


@pytest.mark.parametrize(
    ("language", "seconds", "text"),
    [
        ("en", 1, "try again in 1 second."),
        ("en", 2, "try again in 2 seconds."),
        ("ru", 1, "повторите через 1 секунду."),
        ("ru", 3, "повторите через 3 секунды."),
        ("ru", 11, "повторите через 11 секунд."),
        ("ru", 21, "повторите через 21 секунду."),
        ("ar", 2, "بعد ثانيتين (2)."),
        ("ar", 5, "بعد 5 ثوانٍ."),
        ("ja", 1, "1 秒後にもう一度お試しください。"),
    ],
)
def test_seconds_have_the_plural_of_the_language(language: str, seconds: int, text: str) -> None:
    with translation.override(language):
        assert TooManyAttempts(seconds).detail.endswith(text)


def test_a_text_of_the_project_is_kept_as_it_is() -> None:
    with translation.override("de"):
        assert exceptions.LoginRefused("100% of it").detail == "100% of it"
        assert exceptions.LoginRefused("").detail == ""  # not the head of the catalogue
        lazy: Any = translation.gettext_lazy("This answer is wrong.")
        error = exceptions.LoginRefused(lazy)
    with translation.override("it"):
        assert error.detail == "Questa risposta è errata."


def list_kinds(kind: type[TesseraError]) -> Iterator[type[TesseraError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from list_kinds(child)


@pytest.mark.parametrize("language", ["de", "ar", "zh-hans"])
def test_codes_never_change(language: str) -> None:
    codes = {kind: kind.code for kind in list_kinds(TesseraError)}
    with translation.override(language):
        assert {kind: kind.code for kind in list_kinds(TesseraError)} == codes
        assert LoginFailed().code == "login_failed"


@pytest.mark.usefixtures("multilingual")
@pytest.mark.django_db
def test_the_admin_is_translated(admin_client: Client, admin_user: AbstractBaseUser) -> None:
    from drf_tessera import sessions

    sessions.start(admin_user)
    page = admin_client.get("/admin/tessera/session/", HTTP_ACCEPT_LANGUAGE="de").content.decode()
    for text in ("Zuletzt benutzt", "Grund des Endes", "Alle Sitzungen beenden", "Person"):
        assert text in page


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("de", ("Das beginnt eine Sitzung von 15 Minuten.", "Als admin handeln")),
        ("ru", ("Это начинает сеанс на 15 минут.", "Действовать от имени admin")),
    ],
)
@pytest.mark.usefixtures("multilingual")
def test_the_page_for_acting_is_translated(
    admin_client: Client, admin_user: AbstractBaseUser, language: str, texts: tuple[str, ...]
) -> None:
    where = f"/admin/tessera/session/act-as/{admin_user.pk}/"
    page = admin_client.get(where, HTTP_ACCEPT_LANGUAGE=language).content.decode()
    assert all(text in page for text in texts)


@pytest.mark.slow
@pytest.mark.usefixtures("multilingual")
def test_the_keys_in_the_admin_are_translated(admin_client: Client) -> None:
    with override_settings(TESSERA=DATABASE):
        rotate_keys()
        page = admin_client.get("/admin/tessera/signingkey/", HTTP_ACCEPT_LANGUAGE="fr").content.decode()
    for text in ("Étape", "Relève", "clés de signature", "locataire", "signe dès"):
        assert text.lower() in page.lower()


@pytest.mark.usefixtures("multilingual")
def test_the_second_step_of_a_login_is_asked_for_in_the_language(
    settings: Any, anna: AbstractBaseUser
) -> None:
    settings.TESSERA = {"CHALLENGE": "tests.test_challenges.ask"}
    answer = APIClient().post(
        "/api/token/", {"username": "anna", "password": PASSWORD}, HTTP_ACCEPT_LANGUAGE="it"
    )
    assert answer.json()["detail"] == "Serve un altro passaggio per accedere."
    assert (answer.json()["code"], answer["Content-Language"]) == ("challenge_required", "it")


def test_plain_views_answer_in_the_language() -> None:
    with translation.override("ja"):
        answer = write_refusal(TooManyAttempts(7), RequestFactory().get("/"))
    assert json.loads(answer.content)["detail"].endswith("7 秒後にもう一度お試しください。")
    assert answer["Content-Language"] == "ja"


def test_the_handler_of_the_project_names_the_language_of_its_own_errors_only() -> None:
    with translation.override("de"):
        ours, other = exception_handler(LoginFailed(), {}), exception_handler(Http404(), {})
    assert ours is not None
    assert other is not None
    assert ours["Content-Language"] == "de"
    assert "Content-Language" not in other

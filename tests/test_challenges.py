"""The right password alone lets nobody in who has to show more, and a ticket is good for one login."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core import signing
from django.core.checks import CheckMessage
from django.http import HttpRequest
from django.utils import timezone
from freezegun import freeze_time
from rest_framework.test import APIClient

from drf_tessera import challenges, installation, sessions
from drf_tessera.challenges import Challenge, read_ticket, write_ticket
from drf_tessera.checks import projects
from drf_tessera.conf import use_tenant
from drf_tessera.exceptions import LoginRefused, ProjectError, TicketInvalid
from drf_tessera.models import Session
from drf_tessera.rest.serializers import AnswerField
from drf_tessera.tokens import verify_access_token
from tests.conftest import PASSWORD, make_user

pytestmark = pytest.mark.django_db

seen: list[Any] = []


def ask(request: HttpRequest, user: Any) -> Challenge | None:
    """Return a challenge for a code, except for bob."""
    if user.get_username() == "bob":
        return None
    if user.get_username() == "carl":
        raise LoginRefused("Confirm your address first.", code="address_unconfirmed")

    def check(answer: Any) -> bool:
        seen.append(answer)
        return answer in ("123456", {"key": "right"})

    return Challenge(kind="totp", check=check, data={"digits": 6})


@pytest.fixture(autouse=True)
def _challenge(settings: Any) -> None:
    seen.clear()
    settings.TESSERA = {"CHALLENGE": "tests.test_challenges.ask"}


def log_in(api: APIClient, name: str = "anna", **more: Any) -> Any:
    return api.post("/api/token/", {"username": name, "password": PASSWORD, **more}, format="json")


def answer(api: APIClient, ticket: str, given: Any = "123456") -> Any:
    return api.post("/api/token/", {"ticket": ticket, "answer": given}, format="json")


def test_the_password_is_answered_with_a_ticket(api: APIClient, anna: AbstractBaseUser) -> None:
    first = log_in(api)
    assert first.status_code == 401
    assert first["WWW-Authenticate"].startswith("Bearer")
    body = first.json()
    assert body["code"] == "challenge_required"
    assert body["challenge"] == {"kind": "totp", "digits": 6}
    assert not Session.objects.exists()
    anna.refresh_from_db()
    assert anna.last_login is None


@pytest.mark.parametrize("right", ["123456", {"key": "right"}])
def test_the_ticket_and_the_right_answer_log_in(api: APIClient, anna: AbstractBaseUser, right: Any) -> None:
    second = answer(api, log_in(api, device="My phone").json()["ticket"], right)
    assert second.status_code == 200, second.content
    assert verify_access_token(second.json()["access"]).amr == ("pwd", "otp")
    assert Session.objects.get().label == "My phone"
    anna.refresh_from_db()
    assert anna.last_login is not None


def test_the_choices_of_the_first_step_hold(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {
        **settings.TESSERA,
        "PROFILE": ["api", "browser"],
        "REMEMBER_ME": (timedelta(days=60), timedelta(days=365)),
    }
    second = answer(api, log_in(api, transport="cookie", remember=True).json()["ticket"])
    cookie = second.cookies["__Secure-tessera_refresh_token"]
    assert cookie["max-age"] > timedelta(days=59).total_seconds()


def test_a_ticket_is_good_for_one_login(api: APIClient, anna: AbstractBaseUser) -> None:
    ticket = log_in(api).json()["ticket"]
    assert answer(api, ticket).status_code == 200
    again = answer(api, ticket)
    assert (again.status_code, again.json()["code"]) == (401, "ticket_invalid")
    assert Session.objects.count() == 1


def test_two_uses_at_the_same_time_start_one_session(anna: AbstractBaseUser, rf: Any) -> None:
    """Both have read the ticket before either of them starts the session."""
    from drf_tessera.exceptions import LoginFailed
    from drf_tessera.login import answer_challenge

    ticket = read_ticket(write_ticket(anna))
    answer_challenge(rf.post("/"), ticket, "123456")
    with pytest.raises(LoginFailed):
        answer_challenge(rf.post("/"), ticket, "123456")
    assert Session.objects.count() == 1


def test_a_wrong_answer_counts_as_a_failed_login(api: APIClient, anna: AbstractBaseUser) -> None:
    ticket = log_in(api).json()["ticket"]
    codes = [answer(api, ticket, "000000").json().get("code") for _ in range(11)]
    assert codes == ["challenge_failed"] * 10 + ["throttled"]
    assert len(seen) == 10
    assert answer(api, ticket).status_code == 429


@pytest.mark.slow
def test_a_right_password_does_not_count(api: APIClient, anna: AbstractBaseUser) -> None:
    assert {log_in(api).status_code for _ in range(15)} == {401}
    assert answer(api, log_in(api).json()["ticket"]).status_code == 200


def test_after_a_wrong_answer_the_ticket_still_works(api: APIClient, anna: AbstractBaseUser) -> None:
    ticket = log_in(api).json()["ticket"]
    assert answer(api, ticket, "000000").status_code == 401
    assert answer(api, ticket).status_code == 200


def test_a_wrong_password_is_not_told_of_the_challenge(api: APIClient, anna: AbstractBaseUser) -> None:
    refused = api.post("/api/token/", {"username": "anna", "password": "wrong"})
    assert refused.json()["code"] == "login_failed"


def test_a_user_without_a_second_factor_logs_in(api: APIClient, bob: AbstractBaseUser) -> None:
    assert log_in(api, "bob").status_code == 200


def test_the_project_refuses_in_its_own_words(api: APIClient) -> None:
    make_user("carl")
    refused = log_in(api, "carl")
    assert refused.status_code == 401
    assert refused.json() == {"detail": "Confirm your address first.", "code": "address_unconfirmed"}


@pytest.mark.slow
@pytest.mark.parametrize("change", ["password", "inactive", "gone", "late", "forged", "long", "not a ticket"])
def test_a_ticket_that_is_not_in_force_is_refused(api: APIClient, anna: Any, change: str) -> None:
    ticket = log_in(api).json()["ticket"]
    if change == "password":
        anna.set_password("another")
        anna.save()
    if change == "inactive":
        anna.is_active = False
        anna.save()
    if change == "gone":
        anna.delete()
    if change == "forged":
        ticket = signing.dumps({"sub": "1"}, salt="another")
    if change == "long":
        ticket *= 5
    if change == "not a ticket":
        ticket = "x"
    with freeze_time(timezone.now() + timedelta(seconds=301 if change == "late" else 0)):
        refused = answer(api, ticket)
    assert refused.status_code in (400, 401)
    assert not Session.objects.exists()
    assert seen == []


def test_a_ticket_shows_no_hash(anna: AbstractBaseUser) -> None:
    assert anna.password not in str(signing.loads(write_ticket(anna), salt=challenges._make_salt()))


def test_a_ticket_is_good_at_one_tenant(anna: AbstractBaseUser, settings: Any) -> None:
    """A backend may let a user in at one tenant only. The second step asks no backend again."""
    settings.TESSERA = {"CHALLENGE": "tests.test_challenges.ask", "TENANT": lambda _: ""}
    with use_tenant("acme"):
        ticket = write_ticket(anna)
        assert read_ticket(ticket).user == anna
    with use_tenant("other"), pytest.raises(TicketInvalid):
        read_ticket(ticket)


def test_a_ticket_is_good_at_one_installation(
    anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users without a stored password have the same digest in every database."""
    ticket = write_ticket(anna)
    monkeypatch.setitem(installation._known, "", "another")
    with pytest.raises(TicketInvalid):
        read_ticket(ticket)


def test_an_answer_is_a_text_or_an_object(api: APIClient, anna: AbstractBaseUser) -> None:
    ticket = log_in(api).json()["ticket"]
    for wrong in (None, 1, ["123456"], True):
        assert answer(api, ticket, wrong).status_code == 400
    assert api.post("/api/token/", {"ticket": ticket}, format="json").status_code == 400


def test_without_the_setting_there_is_no_second_step(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    ticket = write_ticket(anna)
    settings.TESSERA = {}
    assert answer(api, ticket).status_code == 400


def test_a_hook_that_returns_something_else_is_the_projects_mistake(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"CHALLENGE": lambda request, user: "totp"}
    with pytest.raises(ProjectError, match="must return None or a Challenge"):
        log_in(api)
    assert not sessions.live_sessions(anna.pk).exists()


def test_a_challenge_that_is_gone_asks_for_nothing(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    """The user has switched the second factor off, in another window."""
    ticket = log_in(api).json()["ticket"]
    settings.TESSERA = {"CHALLENGE": lambda request, user: None}
    assert answer(api, ticket, "anything").status_code == 200


def test_with_cookies_another_site_cannot_take_the_second_step(anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {**settings.TESSERA, "PROFILE": "browser"}
    ticket = write_ticket(anna)
    browser = APIClient(enforce_csrf_checks=True)
    refused = browser.post(
        "/api/token/",
        {"ticket": ticket, "answer": "123456"},
        format="json",
        HTTP_ORIGIN="https://evil.example",
        HTTP_SEC_FETCH_SITE="cross-site",
    )
    assert refused.status_code == 403
    assert not Session.objects.exists()


# -- The check -------------------------------------------------------------------------------------


def run_check() -> list[CheckMessage]:
    return projects.check_challenge(None)


@pytest.mark.parametrize("app", ["allauth.mfa", "django_otp", "dj_rest_auth.mfa"])
def test_a_second_factor_without_a_challenge_is_an_error(
    settings: Any, monkeypatch: pytest.MonkeyPatch, app: str
) -> None:
    monkeypatch.setattr(projects.apps, "is_installed", lambda name: name == app)
    assert run_check() == []
    settings.TESSERA = {}
    assert {found.id for found in run_check()} == {"tessera.E032"}
    assert app in run_check()[0].msg
    settings.ROOT_URLCONF = None
    assert run_check() == []


def test_without_a_second_factor_there_is_nothing_to_ask_for(settings: Any) -> None:
    settings.TESSERA = {}
    assert run_check() == []


def test_a_text_that_is_too_long_is_not_read() -> None:
    with pytest.raises(TicketInvalid):
        read_ticket("x" * (challenges.MAX_TICKET_LENGTH + 1))


def test_an_answer_is_shown_as_it_is() -> None:
    """The browsable API and generators of schemas ask for it."""
    assert AnswerField().to_representation({"key": "right"}) == {"key": "right"}

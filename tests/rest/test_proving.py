"""Step-up (RFC 9470): a view needs a recent or a certain proof, and the session gets one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.urls import include, path
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_tessera import sessions
from drf_tessera.challenges import Challenge
from drf_tessera.exceptions import ProjectError
from drf_tessera.models import Session
from drf_tessera.rest.authentication import PersonalTokenAuthentication
from drf_tessera.rest.permissions import AuthenticatedBy, ProofPermission, RecentLogin
from drf_tessera.rest.proving import ProveView
from drf_tessera.tokens import verify_access_token
from tests.conftest import PASSWORD, bearer
from tests.issuers.material import issuer, make_jwk, write_claims, write_token

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

HOUR = timedelta(hours=1)


def ask(request: HttpRequest | None, user: AbstractBaseUser) -> Challenge:
    return Challenge(kind="totp", check=lambda answer: answer == "123456")


def make_view(*kinds: Any) -> Any:
    class Guarded(APIView):
        authentication_classes = (PersonalTokenAuthentication,)
        permission_classes = kinds

        def get(self, request: Any) -> Response:
            return Response({})

    return Guarded.as_view()


urlpatterns = [
    path("api/token/", include("drf_tessera.rest.urls")),
    path("api/token/prove/", ProveView.as_view()),
    path("recent/", make_view(RecentLogin(HOUR))),
    path("otp/", make_view(AuthenticatedBy("otp", "pop"))),
    path("level/", make_view(AuthenticatedBy("aal2"))),
]


@pytest.fixture
def old(anna: AbstractBaseUser) -> sessions.Grant:
    """A session that began two hours ago, and that was refreshed now."""
    begun = sessions.start(anna, now=timezone.now() - 2 * HOUR)
    return sessions.refresh(begun.refresh or "")


def prove(api: APIClient, grant: sessions.Grant, status: int = 200, **proof: Any) -> Any:
    answer = api.post("/api/token/prove/", {"refresh": grant.refresh, **proof})
    assert answer.status_code == status, answer.content
    return answer.json()


def test_an_old_login_is_asked_to_prove_again(api: APIClient, old: sessions.Grant) -> None:
    answer = api.get("/recent/", **bearer(old.access))
    assert (answer.status_code, answer.json()["code"]) == (401, "insufficient_user_authentication")
    assert answer["WWW-Authenticate"] == (
        'Bearer realm="api", error="insufficient_user_authentication", '
        'error_description="Prove again that it is you.", max_age=3600'
    )


def test_a_missing_way_is_named(api: APIClient, old: sessions.Grant) -> None:
    answer = api.get("/otp/", **bearer(old.access))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].endswith(', acr_values="otp pop"')


def test_a_recent_login_and_the_right_way_are_enough(api: APIClient, anna: AbstractBaseUser) -> None:
    token = bearer(sessions.start(anna, amr=("pwd", "otp")).access)
    assert api.get("/recent/", **token).status_code == api.get("/otp/", **token).status_code == 200


@pytest.mark.parametrize("path", ["/recent/", "/otp/"])
def test_nobody_and_a_user_without_a_token_have_no_proof(
    api: APIClient, anna: AbstractBaseUser, path: str
) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    api.force_authenticate(anna)
    assert api.get(path).status_code == 403


def test_a_personal_token_proves_nothing(api: APIClient, anna: AbstractBaseUser) -> None:
    token = sessions.issue_personal_token(anna, name="script", scope="", lifetime=HOUR)
    assert api.get("/recent/", **bearer(token.text)).status_code == 403


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        (lambda now: now - 1, 200),
        (lambda now: now + 0.5, 200),  # the clocks of two servers differ
        (lambda now: now - 4000, 401),
        (lambda now: now + 4000, 401),
        (lambda now: int(now * 1000), 401),  # milliseconds
        (lambda now: 10**400, 401),
        (lambda now: -(10**400), 401),
        (lambda now: True, 401),
        (lambda now: str(int(now)), 401),
        (lambda now: [int(now)], 401),
        (lambda now: None, 401),
    ],
)
def test_a_time_of_another_issuer_counts_only_if_it_is_a_recent_one(
    api: APIClient, settings: Any, moment: Callable[[float], Any], status: int
) -> None:
    key = make_jwk("one")
    settings.TESSERA = {"ISSUERS": [issuer(key)]}
    token = write_token(key, write_claims(auth_time=moment(time.time())))
    assert api.get("/recent/", **bearer(token)).status_code == status


def test_a_password_moves_the_time_within_the_session(api: APIClient, old: sessions.Grant) -> None:
    """The later refreshes keep the new proof."""
    found = prove(api, old, password=PASSWORD)
    assert api.get("/recent/", **bearer(found["access"])).status_code == 200
    token = verify_access_token(found["access"])
    assert (token.session_id, token.amr) == (old.session_id, ("pwd",))
    again = verify_access_token(sessions.refresh(found["refresh"]).access)
    assert again.auth_time == token.auth_time
    row = Session.objects.get()
    assert (int(row.auth_time.timestamp()), row.amr) == (token.auth_time, "pwd")


def test_a_refresh_afterwards_is_one_statement(
    old: sessions.Grant, django_assert_num_queries: Callable[..., Any]
) -> None:
    grant = sessions.refresh_proved(old.refresh or "", ("otp",), now=timezone.now() + HOUR)
    with django_assert_num_queries(1):
        sessions.refresh(grant.refresh or "", now=timezone.now() + 2 * HOUR)


def test_a_code_adds_its_way(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"CHALLENGE": ask}
    old = sessions.start(anna, now=timezone.now() - HOUR)
    assert prove(api, old, 401, answer="1")["code"] == "challenge_failed"
    found = prove(api, old, answer="123456")
    assert api.get("/otp/", **bearer(found["access"])).status_code == 200
    token = verify_access_token(found["access"])
    assert (token.amr, token["acr"], Session.objects.get().amr) == (("pwd", "otp"), "otp", "pwd otp")


@pytest.mark.parametrize("proof", [{"password": PASSWORD}, {"answer": "123456"}])
def test_a_weaker_proof_takes_nothing_away(
    api: APIClient, anna: AbstractBaseUser, settings: Any, proof: Any
) -> None:
    """``acr`` is the last way that was added, and a proof adds none that the session has."""
    settings.TESSERA = {"CHALLENGE": ask}
    old = sessions.start(anna, amr=("pwd", "otp"), now=timezone.now() - HOUR)
    assert verify_access_token(prove(api, old, **proof)["access"])["acr"] == "otp"


def test_a_project_has_its_own_words_for_acr(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    settings.TESSERA = {"CHALLENGE": ask, "CLAIMS": name_level}
    old = sessions.start(anna)
    answer = api.get("/level/", **bearer(old.access))
    assert answer["WWW-Authenticate"].endswith(', acr_values="aal2"')
    found = prove(api, old, answer="123456")
    assert api.get("/level/", **bearer(found["access"])).status_code == 200


def name_level(user: AbstractBaseUser, session: Session) -> dict[str, str]:
    return {"acr": "aal2" if "otp" in session.amr.split() else "aal1"}


def test_both_proofs_at_once(api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
    """A right password alone is a proof too, although a login would ask for more."""
    settings.TESSERA = {"CHALLENGE": ask}
    grant = sessions.start(anna, amr=("fed",))
    assert verify_access_token(prove(api, grant, password=PASSWORD)["access"]).amr == ("fed", "pwd")
    grant = sessions.start(anna, amr=("fed",))
    found = prove(api, grant, password=PASSWORD, answer="123456")
    assert verify_access_token(found["access"]).amr == ("fed", "pwd", "otp")


def test_an_answer_to_nothing_is_wrong(api: APIClient, old: sessions.Grant) -> None:
    assert prove(api, old, 401, answer="123456")["code"] == "login_failed"


def test_a_wrong_password_changes_nothing(api: APIClient, old: sessions.Grant) -> None:
    before = Session.objects.get()
    assert prove(api, old, 401, password="wrong")["code"] == "login_failed"
    after = Session.objects.get()
    assert (after.auth_time, after.generation) == (before.auth_time, before.generation)


@pytest.mark.slow
def test_a_wrong_password_counts_as_a_failed_login(api: APIClient, old: sessions.Grant) -> None:
    codes = [prove_status(api, old) for _ in range(30)]
    assert codes[0] == 401
    assert codes[-1] == 429


def prove_status(api: APIClient, grant: sessions.Grant) -> int:
    return api.post("/api/token/prove/", {"refresh": grant.refresh, "password": "wrong"}).status_code


def test_there_must_be_a_proof_and_a_session(api: APIClient, old: sessions.Grant) -> None:
    assert prove(api, old, 400)["code"] == "proof_required"
    assert api.post("/api/token/prove/", {"refresh": "x", "password": PASSWORD}).status_code == 401
    sessions.revoke(old.session_id)
    assert prove(api, old, 401, password=PASSWORD)["code"] == "session_ended"


def test_a_replaced_token_ends_the_session(api: APIClient, anna: AbstractBaseUser) -> None:
    begun = sessions.start(anna, now=timezone.now() - 3 * HOUR)
    later = sessions.refresh(begun.refresh or "", now=timezone.now() - 2 * HOUR)
    sessions.refresh(later.refresh or "", now=timezone.now() - HOUR)
    assert prove(api, begun, 401, password=PASSWORD)["code"] == "refresh_reused"


def test_a_cookie_is_renewed(anna: AbstractBaseUser, settings: Any) -> None:
    """Even within the window, in which a refresh sets no cookie: the old one leads to the old proof."""
    settings.TESSERA = {"PROFILE": "browser"}
    api = APIClient(headers={"Sec-Fetch-Site": "same-origin"})
    body = {"username": anna.get_username(), "password": PASSWORD}
    assert api.post("/api/token/", body, secure=True).status_code == 200
    assert api.post("/api/token/refresh/", {}, secure=True).status_code == 200
    answer = api.post("/api/token/prove/", {"password": PASSWORD}, secure=True)
    assert answer.status_code == 200, answer.content
    assert answer.cookies
    assert "refresh" not in answer.json()
    stranger = APIClient(headers={"Sec-Fetch-Site": "same-origin"})
    answer = stranger.post("/api/token/prove/", {"password": PASSWORD}, secure=True)
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_missing")


def test_a_session_of_another_profile_is_refused(api: APIClient, old: sessions.Grant, settings: Any) -> None:
    settings.TESSERA = {"PROFILE": "browser"}
    answer = APIClient(headers={"Sec-Fetch-Site": "same-origin"}).post(
        "/api/token/prove/", {"refresh": old.refresh, "password": PASSWORD}, secure=True
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "transport_mismatch")


def test_mistakes_of_a_project_are_found_at_once(anna: AbstractBaseUser) -> None:
    for make in (lambda: RecentLogin(timedelta(0)), AuthenticatedBy, lambda: AuthenticatedBy("a b")):
        with pytest.raises(ProjectError):
            make()
    token = verify_access_token(sessions.start(anna).access)
    for call in (lambda: ProofPermission().allows(token), ProofPermission().explain):
        with pytest.raises(NotImplementedError):
            call()

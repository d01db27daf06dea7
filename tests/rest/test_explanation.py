"""The verdict of an explanation is that of the requests, for every reason to refuse a token."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.urls import path
from django.utils import timezone
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from drf_tessera import sessions, signals
from drf_tessera.models import Session
from drf_tessera.rest.authentication import PersonalTokenAuthentication
from drf_tessera.rest.explanation import Explanation, explain_token
from drf_tessera.rest.steps import FAILED, PASSED, UNCHECKED
from drf_tessera.sessions import Reason
from drf_tessera.tokens import PERSONAL_MARK, recall_access_token, write_personal_token
from tests.conftest import bearer
from tests.issuers.material import NAME, issuer, make_jwk, write_claims, write_token
from tests.rest.test_bad_input import TOKENS, mint

pytestmark = pytest.mark.django_db

KEY, OTHER = make_jwk("one"), make_jwk("two")
NOW = int(time.time())


def check_order(found: Explanation) -> None:
    """Check that the steps before the problem are passed, and that those after it were not checked."""
    results = [step.result for step in found.steps]
    if found.accepted:
        assert set(results) == {PASSED}
    else:
        place = results.index(FAILED)
        assert results == [PASSED] * place + [FAILED] + [UNCHECKED] * (len(results) - place - 1)
        assert found.steps[place].text.startswith(found.detail)


def find_failed(found: Explanation) -> str:
    return next(step.name for step in found.steps if step.result == FAILED)


def compare(api: APIClient, token: str) -> Explanation:
    """Return the explanation of a token, after a request whose answer has to agree with it."""
    found = explain_token(token)
    answer = api.get("/strict/", **bearer(token))
    assert (answer.status_code == 200) == found.accepted, (answer.content, found)
    if not found.accepted:
        body = answer.json()
        assert (found.code, found.detail) == (body["code"], body["detail"])
    check_order(found)
    assert not token or token not in str(found.as_dict())
    return found


def test_each_refusal_of_a_token_has_a_step() -> None:
    """A refusal that is added later must not be a traceback of the command."""
    from drf_tessera.exceptions import TokenClaimInvalid, TokenError, TokenExpired, TokenUnsupported
    from drf_tessera.rest.answers import list_children
    from drf_tessera.rest.steps import _STEPS

    looked_into = {TokenError, TokenClaimInvalid, TokenExpired, TokenUnsupported}
    known = tuple(kind for kinds, _ in _STEPS for kind in kinds)
    assert [kind for kind in list_children(TokenError) if not issubclass(kind, known)] == sorted(
        looked_into, key=[*list_children(TokenError)].index
    )


# -- Access tokens of ours -------------------------------------------------------------------------

HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "crit": ({"crit": ["x"]}, "extensions"),
    "another type": ({"typ": "JWT"}, "type"),
    "no type": ({"typ": None}, "type"),
    "another algorithm": ({"alg": "HS512"}, "algorithm"),
    "no key": ({"kid": None}, "key"),
    "an unknown key": ({"kid": "x"}, "key"),
}
STEPS = {
    "too long": "form",
    "no JWT": "form",
    "unsigned": "type",
    "another key": "key",
    "another signature": "signature",
    "expired": "times",
    "from the future": "times",
    "not before": "times",
    "another issuer": "issuer",
    "another audience": "audience",
    "no session": "claims",
    "no session id": "claims",
    "a number for a subject": "identity",
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_bad_token(api: APIClient, anna: AbstractBaseUser, name: str) -> None:
    make, code = TOKENS[name]
    found = compare(api, make())
    assert (found.code, find_failed(found)) == (code, STEPS[name])


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_another_service_wrote(api: APIClient, anna: AbstractBaseUser, name: str) -> None:
    import json

    from drf_tessera.jose.encoding import encode_base64url
    from drf_tessera.tokens.keystore import get_keystore

    key = get_keystore().ring.signing
    changes, step = HEADERS[name]
    whole = {"alg": key.alg, "kid": key.kid, "typ": "at+jwt", **changes}
    header = {name: value for name, value in whole.items() if value is not None}
    payload = mint({}).split(".")[1].encode()
    message = encode_base64url(json.dumps(header).encode()) + b"." + payload
    found = compare(api, (message + b"." + encode_base64url(key.sign(message))).decode())
    assert find_failed(found) == step


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"exp": "soon"}, "times"),
        ({"iat": True}, "times"),
        ({"nbf": "x"}, "times"),
        ({"iss": 5}, "issuer"),
        ({"aud": {}}, "audience"),
        ({"jti": ""}, "identity"),
        ({"amr": 1}, "claims"),
        ({"iat": NOW - 9000, "exp": NOW + 900_000}, "lifetime"),
    ],
)
def test_a_bad_claim(api: APIClient, anna: AbstractBaseUser, changes: dict[str, Any], step: str) -> None:
    assert find_failed(compare(api, mint(changes))) == step


@pytest.mark.parametrize(
    "text",
    ["", "a b", "\u00e9", "a.b", "..", "tsh_rubbish", "\x1b[31m.a.b", "a.b.c", "e30.e30.e30", "Basic x"],
)
def test_rubbish(api: APIClient, text: str) -> None:
    assert find_failed(compare(api, text)) in {"form", "type"}


def test_a_good_token(api: APIClient, anna: AbstractBaseUser) -> None:
    found = compare(api, sessions.start(anna).access)
    texts = {step.name: step.text for step in found.steps}
    assert (found.kind, found.accepted, found.code) == ("access", True, "")
    assert re.match(r"Issued \d+ (s|min) ago \(", texts["times"])
    assert str(anna.pk) in texts["user"]
    assert texts["session"].endswith("It is live.")


def test_a_token_that_expired_says_how_long_ago(anna: AbstractBaseUser) -> None:
    now = int(time.time())
    found = explain_token(mint({"iat": now - 400, "exp": now - 185}))
    (text,) = [step.text for step in found.steps if step.name == "times"]
    assert "Expired 3 min ago (" in text


WAYS: dict[str, tuple[Callable[[Any, sessions.Grant], object], str]] = {
    "a logout": (lambda user, grant: sessions.revoke(grant.session_id), "its user logged out."),
    "the admin": (
        lambda user, grant: sessions.revoke(grant.session_id, reason=Reason.ADMIN),
        "an administrator ended it.",
    ),
    "a new password": (
        lambda user, grant: (user.set_password("another long password"), user.save()),
        "the password of its user was changed.",
    ),
    "idle": (
        lambda user, grant: Session.objects.filter(pk=grant.session_id).update(
            idle_expires_at=timezone.now() - timedelta(hours=3)
        ),
        "nobody refreshed it.",
    ),
    "age": (
        lambda user, grant: Session.objects.filter(pk=grant.session_id).update(
            expires_at=timezone.now() - timedelta(days=3)
        ),
        "it reached its lifetime.",
    ),
    "no row": (lambda user, grant: Session.objects.filter(pk=grant.session_id).delete(), "and was pruned."),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_ended_session_says_why(
    api: APIClient, anna: AbstractBaseUser, way: str, statements_of_tests: None
) -> None:
    grant = sessions.start(anna)
    end, reason = WAYS[way]
    end(anna, grant)
    found = compare(api, grant.access)
    assert (found.code, find_failed(found)) == ("session_ended", "session")
    assert found.steps[-1].text.endswith(reason)
    again = explain_token(str(grant.refresh))
    answer = api.post("/api/token/refresh/", {"refresh": grant.refresh})
    assert (again.accepted, again.code) == (False, answer.json()["code"])
    assert again.steps[2].text.endswith(reason)
    check_order(again)


@pytest.fixture
def statements_of_tests() -> Any:
    """These tests write rows by themselves, as time does."""
    from tests.architecture import statements

    yield
    statements.found.clear()


def test_a_user_who_is_gone_or_inactive(
    api: APIClient, anna: AbstractBaseUser, bob: AbstractBaseUser
) -> None:
    mine, other = sessions.start(anna), sessions.start(bob)
    get_user_model().objects.filter(pk=anna.pk).update(is_active=False)
    bob.delete()
    for grant, code in ((mine, "user_inactive"), (other, "user_gone")):
        found = compare(api, grant.access)
        assert (found.code, find_failed(found)) == (code, "user")
    assert explain_token(str(mine.refresh)).code == "user_inactive"


# -- Refresh tokens --------------------------------------------------------------------------------


def refuse_alike(api: APIClient, token: str) -> Explanation:
    found = explain_token(token)
    answer = api.post("/api/token/refresh/", {"refresh": token})
    assert (answer.status_code == 200) == found.accepted
    assert found.code == answer.json().get("code", "")
    check_order(found)
    return found


def test_a_good_refresh_token_is_not_spent(api: APIClient, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    found = explain_token(str(grant.refresh))
    assert (found.kind, found.accepted) == ("refresh", True)
    assert found.steps[-1].text == "A refresh would replace this token."
    assert Session.objects.get(pk=grant.session_id).generation == 0
    check_order(found)
    assert refuse_alike(api, str(grant.refresh)).accepted
    assert "not replace this token" in refuse_alike(api, str(grant.refresh)).steps[-1].text


@pytest.mark.parametrize("token", ["tsr_", "tsr_rubbish", "tsr_" + "A" * 300])
def test_a_forged_refresh_token(api: APIClient, token: str) -> None:
    assert find_failed(refuse_alike(api, token)) == "authenticity"


def test_a_stolen_refresh_token_does_not_end_its_session_here(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"REFRESH_GRACE": 0, "REFRESH_RECOVERIES": 0}
    grant = sessions.start(anna)
    sessions.refresh(str(sessions.refresh(str(grant.refresh)).refresh))
    found = explain_token(str(grant.refresh))
    assert (found.code, find_failed(found)) == ("refresh_reused", "rotation")
    assert sessions.live_sessions(anna.pk).exists()
    refuse_alike(api, str(grant.refresh))
    assert not sessions.live_sessions(anna.pk).exists()


def test_a_refresh_token_of_a_transport_that_is_not_offered(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    settings.TESSERA = {"PROFILE": "browser"}
    grant = sessions.start(anna)
    settings.TESSERA = {"PROFILE": "api"}
    found = refuse_alike(api, str(grant.refresh))
    assert (found.code, find_failed(found)) == ("transport_mismatch", "transport")


# -- Personal access tokens ------------------------------------------------------------------------


class Scripts(APIView):
    authentication_classes = (PersonalTokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Any) -> Response:
        return Response({"name": request.auth.name})


urlpatterns = [path("strict/", Scripts.as_view())]
personal = pytest.mark.urls(__name__)


def corrupt(token: str) -> str:
    """Return the token with another secret, in the form of a token."""
    other = "B" if token[30] == "A" else "A"
    return token[:30] + other + token[31:]


@personal
def test_a_good_personal_token_is_not_used_here(
    api: APIClient, anna: AbstractBaseUser, settings: Any
) -> None:
    made = sessions.issue_personal_token(anna, name="CI", scope="notes:read")
    before = Session.objects.filter(pk=made.session.pk).values().get()
    found = explain_token(made.text)
    assert Session.objects.filter(pk=made.session.pk).values().get() == before
    assert recall_access_token(f"{PERSONAL_MARK}Bearer {made.text}") is None
    assert found == compare(api, made.text)
    texts = {step.name: step.text for step in found.steps}
    assert (found.kind, found.accepted) == ("personal", True)
    assert texts["session"].endswith("It is live.")
    assert '"CI"' in texts["scopes"]
    assert '"notes:read"' in texts["scopes"]
    assert "only if the view says so" in found.about
    plain = sessions.issue_personal_token(anna, name="CI").text
    assert "no scopes" in compare(api, f" {plain}").steps[-1].text


def test_a_view_that_does_not_say_so_refuses_a_personal_token(api: APIClient, anna: AbstractBaseUser) -> None:
    """The explanation says so, because it cannot know the view."""
    made = sessions.issue_personal_token(anna, name="CI")
    assert api.get("/strict/", **bearer(made.text)).json()["code"] == "personal_token_refused"
    assert explain_token(made.text).accepted


PERSONAL_WAYS: dict[str, tuple[Callable[[Any, sessions.IssuedToken], object], str, str, str]] = {
    "its user": (
        lambda user, made: sessions.revoke(made.session.pk),
        "session_revoked",
        "session",
        "logged out.",
    ),
    "a new password": (
        lambda user, made: (user.set_password("another long password"), user.save()),
        "session_revoked",
        "session",
        "was changed.",
    ),
    "age": (
        lambda user, made: Session.objects.filter(pk=made.session.pk).update(
            expires_at=timezone.now() - timedelta(days=3), idle_expires_at=timezone.now() - timedelta(days=3)
        ),
        "session_expired",
        "session",
        "because it reached its lifetime.",
    ),
    "no row": (
        lambda user, made: Session.objects.filter(pk=made.session.pk).delete(),
        "personal_token_invalid",
        "secret",
        "has this id and this secret.",
    ),
    "inactive": (
        lambda user, made: get_user_model().objects.filter(pk=user.pk).update(is_active=False),
        "user_inactive",
        "user",
        "",
    ),
}


@personal
@pytest.mark.parametrize("way", PERSONAL_WAYS)
def test_a_personal_token_that_has_ended_says_why(
    api: APIClient, anna: AbstractBaseUser, way: str, statements_of_tests: None
) -> None:
    made = sessions.issue_personal_token(anna, name="CI")
    end, code, step, reason = PERSONAL_WAYS[way]
    end(anna, made)
    found = compare(api, made.text)
    assert (found.code, find_failed(found)) == (code, step)
    assert next(it.text for it in found.steps if it.result == FAILED).endswith(reason)


@personal
def test_a_personal_token_that_nobody_made(api: APIClient, anna: AbstractBaseUser) -> None:
    made = sessions.issue_personal_token(anna, name="CI")
    assert find_failed(compare(api, corrupt(made.text))) == "secret"
    login = sessions.start(anna).session_id
    assert find_failed(compare(api, write_personal_token(login, b"x" * 16))) == "secret"
    for text in ("tsk_", "tsk_rubbish", made.text + "=", made.text[:-1] + "\u00e9"):
        assert find_failed(compare(api, text)) == "form"


# -- Tokens of other issuers -----------------------------------------------------------------------

FOREIGN: dict[str, tuple[Callable[[], str], str]] = {
    "crit": (lambda: write_token(KEY, write_claims(), crit=["x"]), "extensions"),
    "another type": (lambda: write_token(KEY, write_claims(), typ="JWT"), "type"),
    "HMAC": (lambda: write_token(KEY, write_claims(), alg="HS256"), "algorithm"),
    "the algorithm of another key": (lambda: write_token(KEY, write_claims(), alg="RS256"), "key"),
    "another key": (lambda: write_token(KEY, write_claims(), kid="x"), "key"),
    "another signature": (lambda: write_token({**OTHER, "kid": "one"}, write_claims()), "signature"),
    "expired": (lambda: write_token(KEY, write_claims(exp=NOW - 300)), "times"),
    "no subject": (lambda: write_token(KEY, write_claims(sub="")), "identity"),
    "another audience": (lambda: write_token(KEY, write_claims(aud="x")), "audience"),
    "no audience": (lambda: write_token(KEY, write_claims(aud=None)), "audience"),
    "another client": (lambda: write_token(KEY, write_claims(azp="x")), "claims"),
    "nobody": (lambda: write_token(KEY, write_claims(azp="app", name=None)), "user"),
    "an unknown user": (lambda: write_token(KEY, write_claims(azp="app", name="who")), "user"),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.urls("tests.issuers.urls")
def test_a_bad_token_of_another_issuer(api: APIClient, settings: Any, name: str) -> None:
    rsa = make_jwk("rsa", "RS256")
    entry = issuer(KEY, rsa, claims={"azp": "app"}, user_field="username", user_claim="name")
    settings.TESSERA = {"ISSUERS": [entry]}
    make, step = FOREIGN[name]
    found = compare(api, make())
    assert found.kind == "foreign"
    assert find_failed(found) == step


@pytest.mark.urls("tests.issuers.urls")
def test_a_user_of_another_issuer_is_not_created_here(api: APIClient, settings: Any) -> None:
    entry = issuer(KEY, user_field="username", create=True)
    settings.TESSERA = {"ISSUERS": [entry]}
    token = write_token(KEY, write_claims(sub="new"))
    found = explain_token(token)
    assert (found.accepted, found.steps[-1].text) == (True, "A request would create the user.")
    assert not get_user_model().objects.filter(username="new").exists()
    compare(api, token)
    assert "primary key" in explain_token(token).steps[-1].text
    get_user_model().objects.filter(username="new").update(is_active=False)
    settings.TESSERA = dict(settings.TESSERA)  # like a new process
    assert compare(api, token).code == "user_inactive"


@pytest.mark.urls("tests.issuers.urls")
def test_a_token_without_a_user(api: APIClient, settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": [issuer(KEY)]}
    found = explain_token(write_token(KEY, write_claims()))
    assert (found.accepted, found.steps[-1].text) == (True, "The entry maps its tokens to no user.")
    assert NAME in found.about


@pytest.mark.urls("tests.issuers.urls")
def test_a_function_of_the_project_is_asked_and_rolled_back(
    api: APIClient, settings: Any, anna: AbstractBaseUser
) -> None:
    def find_user(token: object) -> Any:
        made, _ = get_user_model().objects.get_or_create(username="made")
        return made if token["sub"] != "nobody" else None  # type: ignore[index]

    settings.TESSERA = {"ISSUERS": [issuer(KEY, find_user=find_user)]}
    assert explain_token(write_token(KEY, write_claims())).accepted
    assert explain_token(write_token(KEY, write_claims(sub="nobody"))).code == "user_gone"
    assert not get_user_model().objects.filter(username="made").exists()


# -- Tokens of other packages ----------------------------------------------------------------------

LEGACY = {
    "djangorestframework-simplejwt": jwt.encode(
        {"token_type": "access", "user_id": 1, "exp": NOW + 300}, "k" * 32, "HS256"
    ),
    "djangorestframework-jwt": jwt.encode(
        {"orig_iat": NOW, "user_id": 1, "exp": NOW + 300}, "k" * 32, "HS256"
    ),
    "rest_framework.authtoken": "0123456789abcdef" * 2 + "01234567",
    "django-rest-knox": "0123456789abcdef" * 4,
}


@pytest.mark.parametrize("package", LEGACY)
def test_a_token_of_another_package(api: APIClient, package: str) -> None:
    found = explain_token(LEGACY[package])
    assert (found.kind, found.accepted) == ("legacy", False)
    assert package in found.about
    assert [step.name for step in found.steps] == ["drf_tessera.rest.authentication.JWTAuthentication"]
    assert api.get("/strict/", **bearer(LEGACY[package])).status_code == 401


def test_the_classes_of_a_package_in_compat_are_asked(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rest_framework.authentication import BasicAuthentication, SessionAuthentication
    from rest_framework.settings import api_settings
    from rest_framework_simplejwt.authentication import JWTAuthentication

    class Counting(BasicAuthentication):
        def authenticate_credentials(self, *args: Any, **kwargs: Any) -> Any:
            pytest.fail("a token is not a name with a password, and a failed login counts")

    classes = [SessionAuthentication, Counting, JWTAuthentication]
    monkeypatch.setattr(api_settings, "DEFAULT_AUTHENTICATION_CLASSES", classes)
    now = int(time.time())
    claims = {"token_type": "access", "user_id": str(anna.pk), "exp": now + 300, "jti": "x", "iat": now}
    good = explain_token(jwt.encode(claims, django_settings.SECRET_KEY, "HS256"))
    assert (good.accepted, [step.result for step in good.steps]) == (True, [FAILED, FAILED, PASSED])
    assert explain_token(jwt.encode(claims, "k" * 32, "HS256")).code == "token_wrong_type"
    assert not explain_token("61626364" * 4 + "3a626364").accepted  # Basic could read a name and a password


def test_a_class_of_another_package_tells_nobody_and_writes_nothing(
    anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rest_framework.settings import api_settings
    from rest_framework_simplejwt.authentication import JWTAuthentication

    class Writing(JWTAuthentication):
        def authenticate(self, request: Any) -> Any:
            get_user_model().objects.filter(pk=anna.pk).update(email="written@example.com")
            return super().authenticate(request)

    heard: list[object] = []

    def hear(sender: object, **told: Any) -> None:
        heard.append(told)

    monkeypatch.setattr(api_settings, "DEFAULT_AUTHENTICATION_CLASSES", [Writing])
    signals.token_refused.connect(hear)
    try:
        assert not explain_token(LEGACY["djangorestframework-simplejwt"]).accepted
        assert heard == []
        assert api_client_is_refused()
        assert len(heard) == 1, "outside of the explanation a refusal is told"
    finally:
        signals.token_refused.disconnect(hear)
    anna.refresh_from_db()
    assert anna.email != "written@example.com"


def api_client_is_refused() -> bool:
    return APIClient().get("/me/", **bearer("rubbish")).status_code == 401


def test_a_class_that_reads_another_header(monkeypatch: pytest.MonkeyPatch) -> None:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.settings import api_settings

    class Nobody(BaseAuthentication):
        def authenticate(self, request: Any) -> None:
            return None

        def authenticate_header(self, request: Any) -> str:
            return "Bearer"

    monkeypatch.setattr(api_settings, "DEFAULT_AUTHENTICATION_CLASSES", [Nobody])
    assert not explain_token(LEGACY["django-rest-knox"]).accepted

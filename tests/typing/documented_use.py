"""The uses that the pages show, written as a project with types writes them. No cast is needed.

mypy and pyright read this file, with and without stubs for Django. Nothing runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.dispatch import receiver
from django.http import HttpRequest, JsonResponse
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera import (
    AccessToken,
    JWTAuthentication,
    OptionalJWTAuthentication,
    StrictJWTAuthentication,
    conf,
    exception_handler,
    sessions,
)
from drf_tessera.exceptions import Refusal, TesseraError
from drf_tessera.login import log_in
from drf_tessera.models import Session
from drf_tessera.rest.requests import AuthenticatedRequest, PublicRequest
from drf_tessera.signals import session_revoked
from drf_tessera.testing import TokenClient, client_for, client_with, expired_token
from drf_tessera.tokens import verify_access_token

# -- In a view (docs/howto/use.md) -----------------------------------------------------------------


class Notes(APIView):
    authentication_classes = (JWTAuthentication,)

    def get(self, request: AuthenticatedRequest[User]) -> Response:
        assert_type(request.user, User)
        assert_type(request.auth, AccessToken)
        assert_type(request.auth.session_id, UUID)
        mine = User.objects.filter(pk=request.user.pk, email=request.user.email)
        return Response(
            {
                "count": mine.count(),
                "sub": request.auth.sub,
                "since": request.auth.issued_at + request.auth.auth_time,
                "until": request.auth.expires_at,
                "how": list(request.auth.amr),
                "scope": request.auth.scope.split(),
                "tenant": request.auth["tenant"],
                "plan": request.auth.get("plan", "free"),
            }
        )


class DeleteAccount(APIView):
    authentication_classes = (StrictJWTAuthentication,)

    def post(self, request: AuthenticatedRequest) -> Response:
        request.user.set_password(str(request.data))
        with sessions.sparing(request.auth.session_id):
            request.user.save()
        return Response({"ended": sessions.revoke_all(request.user, keep=request.auth.session_id)})


class Welcome(APIView):
    authentication_classes = (OptionalJWTAuthentication,)

    def get(self, request: PublicRequest[User]) -> Response:
        assert_type(request.auth, AccessToken | None)
        assert_type(request.token_error, Refusal | None)
        code = request.token_error.code if request.token_error else ""
        if isinstance(request.user, AnonymousUser):
            return Response({"hello": "you", "code": code})
        return Response({"hello": request.user.first_name, "code": code})


# -- Sessions --------------------------------------------------------------------------------------


def log_in_by_code(user: User) -> Response:
    grant = sessions.start(user, amr=("otp",), claims={"tenant": "blue"})
    assert_type(grant, sessions.Grant)
    assert_type(grant.access, str)
    assert_type(grant.refresh, str | None)
    return Response({"access": grant.access, "refresh": grant.refresh, "expires_in": grant.expires_in})


def log_in_by_password(request: HttpRequest) -> JsonResponse:
    user, grant = log_in(
        request, client=sessions.Client(ip="::1", label="phone"), username="anna", password="a password"
    )
    return JsonResponse({"user": user.get_username(), "session": str(grant.session_id)})


def end(user: User, session_id: UUID) -> int:
    assert_type(sessions.revoke(session_id, owner=user, reason=sessions.Reason.LOGOUT), bool)
    return sessions.revoke_all(user, reason=sessions.Reason.LOGOUT_ALL)


def refresh(text: str) -> str:
    try:
        return sessions.refresh(text).access
    except TesseraError as error:
        return error.code + error.detail


def take_over(payload: dict[str, Any], user: User) -> sessions.Grant:
    old = sessions.LegacyToken(
        package="acme", jti=payload["jti"], issued_at=payload["iat"], expires_at=payload["exp"]
    )
    return sessions.refresh(sessions.adopt(old, user))


# -- Hooks, signals and settings -------------------------------------------------------------------


def add_claims(user: User, session: Session) -> Mapping[str, Any]:
    return {"staff": user.is_staff, "device": str(session.label), "login": str(session.pk)}


TESSERA = {"CLAIMS": add_claims, "PROFILE": ("api", "browser")}


@receiver(session_revoked)
def note_logout(*, session_id: UUID, sub: str, reason: str, **kwargs: Any) -> None:
    print(session_id, sub, reason == sessions.Reason.LOGOUT)  # noqa: T201 - shown in this way


def is_short() -> bool:
    return conf.get_settings().access_lifetime.total_seconds() < 600


def verify(text: str) -> str:
    token = verify_access_token(text)
    assert_type(token, AccessToken)
    return token.sub


def answer(exc: Exception, context: dict[str, Any]) -> Response | None:
    return exception_handler(exc, context)


# -- Tests (docs/howto/testing.md) -----------------------------------------------------------------


def test_notes(user: User) -> None:
    client = client_for(user, scope="notes:read", plan="pro")
    assert_type(client, TokenClient)
    assert client.get("/notes/").status_code == 200
    assert_type(client.grant, sessions.Grant | None)
    assert client_with(expired_token(user)).get("/notes/").json()["code"] == "token_expired"

"""The endpoints. Each endpoint validates the request, calls the rooms below, and writes the response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework import status
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from drf_tessera import sessions
from drf_tessera.challenges import read_ticket, write_ticket
from drf_tessera.conf import HEADER, get_settings
from drf_tessera.exceptions import (
    ChallengeRequired,
    Impersonated,
    RefreshMissing,
    Refusal,
    SessionMissing,
    SessionNotFound,
    TokenMissing,
    TokenWrongIssuer,
    TransportMismatch,
)
from drf_tessera.http import (
    TRANSPORTS,
    admit_login,
    clear_ended,
    find_refresh_token,
    has_bearer_token,
    offers_ambient,
    set_language,
)
from drf_tessera.issuers import ForeignToken, is_foreign
from drf_tessera.login import answer_challenge, log_in
from drf_tessera.rest import answers as told
from drf_tessera.rest.answers import Answer
from drf_tessera.rest.authentication import StrictJWTAuthentication
from drf_tessera.rest.clients import CHALLENGE, ClientAuthentication
from drf_tessera.rest.endpoints import BodyView, EndpointView
from drf_tessera.rest.errors import write_challenge
from drf_tessera.rest.permissions import is_impersonated
from drf_tessera.rest.reports import report_failed_refresh, report_refused_token
from drf_tessera.rest.requests import find_client, get_django_request
from drf_tessera.rest.responses import respond, write_grant
from drf_tessera.rest.serializers import (
    ChallengeSerializer,
    IntrospectSerializer,
    LoginSerializer,
    RefreshSerializer,
    RevokeSerializer,
    SessionSerializer,
    VerifySerializer,
)
from drf_tessera.rest.throttling import LoginAddressThrottle, TokenAddressThrottle
from drf_tessera.tokens import (
    REFRESH_PREFIX,
    read_refresh_token,
    verify_access_token,
)
from drf_tessera.users import load_user, write_sub

_Classes = tuple[type[Any], ...]


class LoginView(BodyView):
    """Exchange a user name or an e-mail and a password for an access and a refresh token.

    ``transport`` chooses between header and cookie, if ``PROFILE`` offers both. The site itself has to make a
    login by cookie. Otherwise another site could log its visitors in as another user.

    With ``CHALLENGE`` the answer may be a 401 ``challenge_required`` with a ``ticket``. The same endpoint
    takes the ticket with the answer.
    """

    throttle_classes: _Classes = (LoginAddressThrottle,)
    serializer_class: type[Serializer[Any]] = LoginSerializer
    answers: Mapping[str, Answer] = {"post": told.LOGIN}
    challenge_serializer_class: type[Serializer[Any]] = ChallengeSerializer

    @sensitive_variables()
    def get_serializer(self, *args: Any, **credentials: Any) -> Serializer[Any]:
        """Return the serializer of the first step, or of the second if the body has a ticket."""
        auth = credentials.get("data")
        if get_settings().challenge is not None and isinstance(auth, Mapping) and "ticket" in auth:
            credentials.setdefault("context", self.get_serializer_context())
            return self.challenge_serializer_class(*args, **credentials)
        return super().get_serializer(*args, **credentials)

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log in."""
        auth = self.read_body()
        ticket = read_ticket(auth["ticket"]) if "ticket" in auth else None
        credentials = auth if ticket is None else dict(ticket.choices)
        transport = sessions.choose_transport(credentials.get("transport"))
        plain = get_django_request(request)
        admit_login(plain, transport)
        chosen = {
            "client": find_client(request, label=credentials.get("device", "")),
            "transport": transport,
            **_remember(credentials),
        }
        if ticket is not None:
            user, grant = answer_challenge(plain, ticket, auth["answer"], **chosen)
            return respond(request, user, grant, user_data=self.show_user(user))
        # A serializer of the project may have more fields. Backends find them in request.data.
        credentials = {name: auth[name] for name in ("username", "email", "password") if name in auth}
        try:
            user, grant = log_in(plain, **chosen, **credentials)
        except ChallengeRequired as error:
            return _ask(request, error, {**auth, "transport": transport})
        return respond(request, user, grant, user_data=self.show_user(user))


def _remember(credentials: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lifetimes of a login. Without ``REMEMBER_ME`` they are the usual ones."""
    lifetimes = get_settings().remember_me
    if lifetimes is None:
        return {}
    return {"lifetimes": lifetimes} if credentials.get("remember") else {"persistent": False}


@sensitive_variables()
def _ask(request: Request, error: ChallengeRequired, auth: Mapping[str, Any]) -> Response:
    """Return the answer that asks for more. It is not an error for handlers, because they drop its fields."""
    credentials = {name: auth[name] for name in ("transport", "device", "remember") if name in auth}
    challenge = error.challenge
    body = {
        "detail": error.detail,
        "code": error.code,
        "challenge": {"kind": challenge.kind, **challenge.data},
        "ticket": write_ticket(error.user, credentials),
    }
    response = Response(body, status=401, headers={"WWW-Authenticate": write_challenge(request)})
    set_language(response)
    return response


class RefreshView(BodyView):
    """Exchange a refresh token for a new access token and, as a rule, a new refresh token.

    A response without ``refresh`` means that the client keeps the refresh token that it has. A refresh token
    in the body takes precedence over one in the cookie, and each is accepted only by the transport that it
    was issued for. ``with_user`` adds ``user``, and costs one query.
    """

    serializer_class: type[Serializer[Any]] = RefreshSerializer
    throttle_classes: _Classes = (TokenAddressThrottle,)
    reads_refresh_cookie = True
    answers: Mapping[str, Answer] = {"post": told.REFRESH}

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Refresh."""
        credentials = self.read_body()
        auth = find_refresh_token(get_django_request(request), credentials)
        if auth is None:
            if credentials.get("optional"):
                return Response(status=status.HTTP_204_NO_CONTENT)  # nobody is logged in
            raise RefreshMissing
        transport, token = auth
        if transport not in get_settings().transports:
            raise TransportMismatch
        self.count_token(token)
        more = self._load_user(token) if credentials.get("with_user") else {}
        try:
            grant = sessions.refresh(token, transport=transport)
        except Refusal as error:
            report_failed_refresh(error.code, request, token)
            raise
        return write_grant(request, grant, **more)

    @sensitive_variables()
    def _load_user(self, token: str) -> dict[str, Any]:
        """Return the user before the token is spent, so that a serializer that fails has not spent it."""
        try:
            user = load_user(read_refresh_token(token).facts)
        except Refusal:
            return {}  # the refresh refuses too, for its own reason
        return {"user": self.show_user(user)}


class VerifyView(BodyView):
    """Check whether an access token would be accepted now, and return its claims."""

    serializer_class: type[Serializer[Any]] = VerifySerializer
    throttle_classes: _Classes = (TokenAddressThrottle,)
    answers: Mapping[str, Answer] = {"post": told.VERIFY}

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Verify."""
        auth = self.read_body()["token"]
        try:
            if is_foreign(auth):
                raise TokenWrongIssuer
            token = verify_access_token(auth)
            self.count_for(token.session_id)
            load_user(token)
        except Refusal as error:
            report_refused_token(error.code, request)
            raise
        return Response({"claims": {name: token[name] for name in token.claims}})


_SHOWN: Final = ("iss", "sub", "aud", "iat", "nbf", "exp", "jti", "scope", "auth_time", "acr", "act")
"""The claims of an access token that RFC 7662, RFC 8693 and RFC 9470 have names for."""


class IntrospectView(BodyView):
    """Tell a program whether an access token would be accepted now (RFC 7662).

    The view is not among the urls of this package. Only the programs of ``INTROSPECTION_CLIENTS`` may ask,
    and they prove who they are by HTTP Basic. The user and the session are read from the database, so a
    logout counts at once. An answer never says why a token is not active. A refresh token is never active
    here, because no API accepts it.
    """

    authentication_classes: _Classes = (ClientAuthentication,)
    permission_classes: _Classes = (IsAuthenticated,)
    serializer_class: type[Serializer[Any]] = IntrospectSerializer
    answers: Mapping[str, Answer] = {"post": told.INTROSPECT}
    oauth_errors: Mapping[int, str] = {400: "invalid_request", 401: "invalid_client"}

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return whether the token is active."""
        auth = self.read_body()["token"]
        try:
            token = verify_access_token(auth)
            load_user(token)
        except Refusal:
            return Response({"active": False})
        shown = {name: token[name] for name in _SHOWN if name in token.claims}
        return Response({"active": True, "token_type": get_settings().header_prefix, **shown})

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge for programs."""
        return CHALLENGE


class RevokeView(BodyView):
    """Log out: end the session of the refresh token in the body or the cookie, or of the access token.

    A refresh token is enough, even if the access token has expired. A token in the body takes precedence over
    the header, and the header over the cookie. Ending a session twice is not an error: ``revoked`` says
    whether this request ended the session (RFC 7009, section 2.2). With ``session`` only that session is
    ended, because the cookie may belong to a later login when the request arrives.

    With ``token`` nothing else of the request counts. The token may be of either kind, and a token that is
    not valid is not an error (RFC 7009).
    """

    serializer_class: type[Serializer[Any]] = RevokeSerializer
    throttle_classes: _Classes = (TokenAddressThrottle,)
    reads_refresh_cookie = True
    answers: Mapping[str, Answer] = {"post": told.REVOKE}
    oauth_errors: Mapping[int, str] = {400: "invalid_request"}

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out."""
        credentials = self.read_body()
        only: UUID | None = credentials.get("session")
        plain = get_django_request(request)
        if "token" in credentials:
            return Response({"revoked": self._end_named(credentials["token"], only)})
        auth = find_refresh_token(plain, credentials, ambient=not has_bearer_token(plain))
        if auth is None:
            return self._end_by_access_token(request, only)
        transport, token = auth
        self.count_token(token)
        if TRANSPORTS[transport].ambient:
            return self._end_by_ambient(plain, transport, token, only)
        try:
            revoked = sessions.revoke_by_refresh_token(token, transport=transport, only=only)
        except Refusal as error:
            report_refused_token(error.code, request)
            raise
        return Response({"revoked": revoked})

    @sensitive_variables()
    def _end_named(self, token: str, only: UUID | None) -> bool:
        """End the session of a token of either kind. A refresh token of a cookie never comes in a body."""
        self.count_token(token)
        try:
            if token.startswith(REFRESH_PREFIX):
                return sessions.revoke_by_refresh_token(token, transport=HEADER, only=only)
            session_id = verify_access_token(token).session_id
        except Refusal:
            return False
        return only in (None, session_id) and sessions.revoke(session_id)

    @sensitive_variables()
    def _end_by_ambient(
        self, request: HttpRequest, transport: str, token: str, only: UUID | None
    ) -> Response:
        """End the session of a token that the browser sent by itself, and remove that token from it."""
        try:
            if only not in (None, read_refresh_token(token).facts.session_id):
                return Response({"revoked": False})  # the token stays, because it belongs to a later login
            revoked = sessions.revoke_by_refresh_token(token, transport=transport)
        except Refusal:
            revoked = False  # the token has no session to end, but the browser must not keep it
        response = Response({"revoked": revoked})
        TRANSPORTS[transport].clear(request, response, None)
        return response

    def _end_by_access_token(self, request: Request, only: UUID | None) -> Response:
        found = StrictJWTAuthentication().authenticate(request)
        if found is None:
            if offers_ambient():
                return Response({"revoked": False})  # a browser without a cookie: nobody is logged in
            raise TokenMissing
        _need_session(found[1])
        session_id = found[1].session_id
        self.count_for(session_id)
        if only not in (None, session_id):
            return Response({"revoked": False})
        response = Response({"revoked": sessions.revoke(session_id)})
        clear_ended(get_django_request(request), response, lambda facts: facts.session_id == session_id)
        return response


def _need_session(token: object) -> None:
    if isinstance(token, ForeignToken):
        raise SessionMissing


class SessionView(EndpointView):
    """The parent of the endpoints for a user's own sessions. They need an access token.

    These endpoints query the database in any case, so they also check the caller's session there. A caller
    who was logged out elsewhere a moment ago cannot end a session here.
    """

    authentication_classes: _Classes = (StrictJWTAuthentication,)
    permission_classes: _Classes = (IsAuthenticated,)

    changes_sessions = True
    """Whether its methods, other than the safe ones, are for the person alone (``act``)."""

    def check_permissions(self, request: Request) -> None:
        """Refuse the tokens of other issuers, which have no session here, and those of an actor."""
        super().check_permissions(request)
        _need_session(request.auth)
        if self.changes_sessions and request.method not in SAFE_METHODS and is_impersonated(request.auth):
            raise Impersonated

    @property
    def owner(self) -> AbstractBaseUser:
        """Return the user who owns the sessions."""
        return cast("AbstractBaseUser", self.request.user)

    @property
    def current(self) -> UUID | None:
        """The session of the access token in the request.

        ``None`` means that the request has no such token, for example because a test has called
        ``force_authenticate(user)``, or because a subclass has another authentication class.
        """
        return getattr(self.request.auth, "session_id", None)


class SessionListView(SessionView):
    """All sessions of the caller."""

    answers: Mapping[str, Answer] = {"get": told.LIST, "delete": told.REVOKE_ALL}

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the live sessions, the latest login first."""
        found = [*sessions.live_sessions(self.owner.pk), *sessions.acting_sessions(self.owner)]
        context = {"current": self.current, "request": request, "view": self}
        return Response(SessionSerializer(found, many=True, context=context).data)

    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out everywhere, here too."""
        response = Response({"revoked": sessions.revoke_all(self.owner)})
        sub = write_sub(self.owner.pk)
        clear_ended(get_django_request(request), response, lambda facts: facts.sub == sub)
        return response


class OtherSessionsView(SessionView):
    """All sessions of the caller except the current one."""

    answers: Mapping[str, Answer] = {"delete": told.REVOKE_OTHERS}

    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out everywhere else. A request without a session of its own ends all sessions."""
        return Response({"revoked": sessions.revoke_all(self.owner, keep=self.current)})


class SessionDetailView(SessionView):
    """One session of the caller."""

    answers: Mapping[str, Answer] = {"delete": told.REVOKE_ONE}

    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out one device."""
        named = find_session_id(args, kwargs)
        if not sessions.revoke(named, owner=self.owner) and not sessions.stop_acting(self.owner, named):
            raise SessionNotFound
        response = Response(status=status.HTTP_204_NO_CONTENT)
        if named == self.current:
            clear_ended(get_django_request(request), response, lambda facts: facts.session_id == named)
        return response


def find_session_id(args: tuple[Any, ...], kwargs: dict[str, Any]) -> UUID:
    """Return the part of the route that names a session: ``session_id``, or the last group without a name."""
    if "session_id" not in kwargs and not args:
        raise ImproperlyConfigured("The route of SessionDetailView needs a part with the name session_id.")
    try:
        return UUID(str(kwargs.get("session_id", args[-1] if args else None)))
    except ValueError:
        raise SessionNotFound from None

"""The endpoints. Each reads its shape, calls one flow, and writes the outcome."""

from __future__ import annotations

from typing import Any, Final, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, transaction
from django.http import HttpRequest
from django.utils.cache import add_never_cache_headers
from django.views.decorators.debug import sensitive_variables
from rest_framework import exceptions as drf
from rest_framework import status
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.utils.serializer_helpers import ReturnDict
from rest_framework.views import APIView
from rest_framework.views import exception_handler as drf_exception_handler

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import (
    CookieAmbiguous,
    RefreshMissing,
    Refusal,
    SessionNotFound,
    TesseraError,
    TokenMissing,
    TransportMismatch,
)
from drf_tessera.http import (
    TRANSPORTS,
    admit_login,
    choose_transport,
    clear_ended,
    delete_stray_cookies,
    deliver_grant,
    describe_client,
    find_cookie_path,
    find_refresh_token,
    has_bearer_token,
    offers_ambient,
)
from drf_tessera.limits import TokenRequest
from drf_tessera.login import log_in
from drf_tessera.rest.authentication import StrictJWTAuthentication
from drf_tessera.rest.errors import PayloadTooLarge, add_code, remember_failure, write_challenge
from drf_tessera.rest.serializers import (
    LoginSerializer,
    RefreshSerializer,
    RevokeSerializer,
    SessionSerializer,
    UserSerializer,
    VerifySerializer,
)
from drf_tessera.rest.throttling import LoginAddressThrottle, TokenAddressThrottle, count_proxies
from drf_tessera.tokens import (
    REFRESH_PREFIX,
    AccessToken,
    read_refresh_token,
    recall_access_token,
    verify_access_token,
)
from drf_tessera.users import load_user

MAX_BODY_BYTES: Final = 65_536
"""No body that these endpoints understand is larger; REST framework itself sets no limit."""

_Classes = tuple[type[Any], ...]

_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer errors as REST framework does, with a ``code`` beside every ``detail``.

    For ``REST_FRAMEWORK["EXCEPTION_HANDLER"]``: then the project's own errors have codes too. Our
    views give codes without it.
    """
    return drf_exception_handler(add_code(exc), context)


class TokenView(APIView):
    """What all token endpoints share: open to anybody, never cached, errors with codes, 401 not 403.

    Outside of any request transaction (``ATOMIC_REQUESTS``): a refusal that ends a stolen session
    would be rolled back with it. That is part of :meth:`as_view`, so subclasses inherit it.
    """

    authentication_classes: _Classes = ()
    permission_classes: _Classes = (AllowAny,)
    throttle_classes: _Classes = ()
    reads_refresh_cookie = False
    """Whether a browser has to send the refresh cookie to this view. The cookie's path follows from this."""
    user_serializer_class: type[BaseSerializer[AbstractBaseUser]] = UserSerializer
    """Shows the ``user`` of a response. Subclass the view to choose another serializer."""
    token_request: TokenRequest | None = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Make the view function."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse, before a byte is parsed, what is too large or in a charset that could unpack.

        Whatever a form sends here is secret, to the reports of errors too.
        """
        # Django's decorator for this sets the same attribute, on views that take Django's request.
        request._request.sensitive_post_parameters = "__ALL__"  # type: ignore[attr-defined]
        if _read_length(request) > MAX_BODY_BYTES:
            raise PayloadTooLarge
        if (request._request.encoding or "utf-8").lower() not in _CHARSETS:
            raise _refuse_media_type()
        try:
            super().initial(request, *args, **kwargs)
            if request.method == "POST":
                request.data  # noqa: B018 - parse here, so that every error of the parser is answered here
        except drf.ParseError:
            # REST framework's own text has parts of the body or of the headers.
            raise drf.ParseError("The body cannot be read.") from None
        except drf.UnsupportedMediaType:
            raise _refuse_media_type() from None

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse a method. REST framework's own text has the method, which may be any word."""
        raise drf.MethodNotAllowed("", detail="This method is not allowed here.")

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid caches to keep tokens (RFC 6749, section 5.1).

        The page that REST framework renders for a browser shows the fields of a serializer again, passwords
        too. So the serializer is taken off the errors.
        """
        if isinstance(getattr(response, "data", None), ReturnDict):
            response.data = dict(response.data)
        answer = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(answer)
        answer.headers.setdefault("Pragma", "no-cache")
        return answer

    def handle_exception(self, exc: Exception) -> Response:
        """Answer each error as ``{"detail", "code"}``."""
        if isinstance(exc, TesseraError):
            remember_failure(self.request._request, exc)
        answer = super().handle_exception(add_code(exc))
        if isinstance(exc, CookieAmbiguous):
            delete_stray_cookies(self.request._request, answer, find_cookie_path())
        return answer

    def count_for(self, session_id: UUID) -> None:
        """Count the request for the session of its authentic token, and not for its address.

        Raises:
            TooManyAttempts: the limit of the session is reached.
        """
        if self.token_request is not None:
            self.token_request.count_for(session_id)

    @sensitive_variables()
    def count_token(self, token: object) -> None:
        """Count the request for the session of a token, if the token is authentic and ours. No query.

        Raises:
            TooManyAttempts: the limit of the session is reached.
        """
        if self.token_request is None or not isinstance(token, str):
            return
        try:
            if token.startswith(REFRESH_PREFIX):
                session_id = read_refresh_token(token).facts.session_id
            else:
                known_token = f"count\n{token}"  # a header cannot contain a newline
                found = recall_access_token(known_token) or verify_access_token(
                    token, remember_as=known_token
                )
                session_id = found.session_id
        except Refusal:
            return  # the flow refuses the token for the same reason
        self.count_for(session_id)

    def show_user(self, user: AbstractBaseUser) -> Any:
        """Return the ``user`` of a response, by the serializer of this view."""
        return self.user_serializer_class(user, context={"request": self.request, "view": self}).data

    def get_authenticate_header(self, request: Request) -> str:
        """Write the challenge that makes a refusal here a 401."""
        return write_challenge(request)


@sensitive_variables()
def _respond(request: Request, grant: sessions.Grant, **more: object) -> Response:
    response = Response()
    response.data = {**deliver_grant(request._request, response, grant), **more}
    return response


@sensitive_variables()
def _read_body(shape: type[Any], request: Request) -> dict[str, Any]:
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    return cast("dict[str, Any]", body.validated_data)


def _refuse_media_type() -> drf.UnsupportedMediaType:
    """Return a 415. REST framework's own text has the media type of the request."""
    return drf.UnsupportedMediaType("", detail="Send JSON or a form, in UTF-8.")


def _read_length(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise drf.ParseError("The Content-Length header is not a number.") from None


class LoginView(TokenView):
    """Exchange a user name or an e-mail and a password for an access and a refresh token.

    ``transport`` chooses between header and cookie, as far as ``PROFILE`` has both. A login by cookie
    has to come from the site itself: else another site could log its visitors in as somebody else.
    """

    throttle_classes: _Classes = (LoginAddressThrottle,)
    serializer_class = LoginSerializer

    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Log in."""
        credentials = _read_body(self.serializer_class, request)
        transport = choose_transport(credentials.pop("transport", None))
        admit_login(request._request, transport)
        client = describe_client(
            request._request, proxies=count_proxies(), label=credentials.pop("device", "")
        )
        user, grant = log_in(request._request, client=client, transport=transport, **credentials)
        return _respond(request, grant, user=self.show_user(user))


class RefreshView(TokenView):
    """Exchange a refresh token for a new access token and, as a rule, a new refresh token.

    A response without ``refresh`` means that the client keeps the refresh token that it has. A refresh token
    in the body takes precedence over one in the cookie, and each is accepted only by the transport that it
    was issued for. ``with_user`` adds ``user``, and costs one query.
    """

    serializer_class = RefreshSerializer
    throttle_classes: _Classes = (TokenAddressThrottle,)
    reads_refresh_cookie = True

    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Refresh."""
        body = _read_body(self.serializer_class, request)
        found = find_refresh_token(request._request, body)
        if found is None:
            raise RefreshMissing
        transport, refresh_token = found
        if transport not in get_settings().transports:
            raise TransportMismatch
        self.count_token(refresh_token)
        more = self._load_user(refresh_token) if body.get("with_user") else {}
        return _respond(request, sessions.refresh(refresh_token, transport=transport), **more)

    @sensitive_variables()
    def _load_user(self, refresh_token: str) -> dict[str, Any]:
        """Return the user before the token is spent, so that a serializer that fails has cost nothing."""
        try:
            user = load_user(read_refresh_token(refresh_token).facts)
        except Refusal:
            return {}  # the refresh refuses too, for its own reason
        return {"user": self.show_user(user)}


class VerifyView(TokenView):
    """Tell whether an access token would be accepted now, and what it says."""

    serializer_class = VerifySerializer
    throttle_classes: _Classes = (TokenAddressThrottle,)

    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Verify."""
        token = verify_access_token(_read_body(self.serializer_class, request)["token"])
        self.count_for(token.session_id)
        load_user(token)
        return Response({"claims": {name: token[name] for name in token.claims}})


class RevokeView(TokenView):
    """Log out: end the session of the refresh token in the body or the cookie, or of the access token.

    A refresh token is enough, whatever has become of the access token. What is in the body goes first,
    then the header, then the cookie. Ending a session twice is no error: ``revoked`` tells whether this
    call did it (RFC 7009, section 2.2). With ``session`` nothing but that one is ended: the cookie may be
    another login's by the time that a logout comes through.
    """

    serializer_class = RevokeSerializer
    throttle_classes: _Classes = (TokenAddressThrottle,)
    reads_refresh_cookie = True

    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Log out."""
        body = _read_body(self.serializer_class, request)
        only: UUID | None = body.get("session")
        found = find_refresh_token(request._request, body, ambient=not has_bearer_token(request._request))
        if found is None:
            return self._end_by_access_token(request, only)
        transport, refresh_token = found
        self.count_token(refresh_token)
        if TRANSPORTS[transport].ambient:
            return self._end_by_ambient(request._request, transport, refresh_token, only)
        revoked = sessions.revoke_by_refresh_token(refresh_token, transport=transport, only=only)
        return Response({"revoked": revoked})

    @sensitive_variables()
    def _end_by_ambient(
        self, request: HttpRequest, transport: str, refresh_token: str, only: UUID | None
    ) -> Response:
        """End the session of a token that the browser sent by itself, and remove that token from it."""
        try:
            if only not in (None, read_refresh_token(refresh_token).facts.session_id):
                return Response({"revoked": False})  # the token stays, because it belongs to a later login
            revoked = sessions.revoke_by_refresh_token(refresh_token, transport=transport)
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
        session_id = found[1].session_id
        self.count_for(session_id)
        if only not in (None, session_id):
            return Response({"revoked": False})
        response = Response({"revoked": sessions.revoke(session_id)})
        clear_ended(request._request, response, lambda facts: facts.session_id == session_id)
        return response


class SessionView(TokenView):
    """What the endpoints of a user's own sessions share: an access token is needed.

    They ask the database in any case, so they ask after the caller's session too: whoever was logged
    out elsewhere a moment ago ends nothing here.
    """

    authentication_classes: _Classes = (StrictJWTAuthentication,)
    permission_classes: _Classes = (IsAuthenticated,)

    @property
    def owner(self) -> AbstractBaseUser:
        """The user whose sessions these are."""
        return cast("AbstractBaseUser", self.request.user)

    @property
    def current(self) -> UUID:
        """The session of the access token in the request."""
        return cast("AccessToken", self.request.auth).session_id


class SessionListView(SessionView):
    """All sessions of the caller."""

    def get(self, request: Request) -> Response:
        """List the live sessions, the latest login first."""
        found = sessions.live_sessions(self.owner.pk)
        return Response(SessionSerializer(found, many=True, context={"current": self.current}).data)

    def delete(self, request: Request) -> Response:
        """Log out everywhere, here too."""
        response = Response({"revoked": sessions.revoke_all(self.owner)})
        sub = str(self.owner.pk)
        clear_ended(request._request, response, lambda facts: facts.sub == sub)
        return response


class OtherSessionsView(SessionView):
    """All sessions of the caller but the current one."""

    def delete(self, request: Request) -> Response:
        """Log out everywhere else."""
        return Response({"revoked": sessions.revoke_all(self.owner, keep=self.current)})


class SessionDetailView(SessionView):
    """One session of the caller."""

    def delete(self, request: Request, session_id: str) -> Response:
        """Log out one device."""
        try:
            named = UUID(session_id)
        except ValueError:
            raise SessionNotFound from None
        if not sessions.revoke(named, owner=self.owner):
            raise SessionNotFound
        response = Response(status=status.HTTP_204_NO_CONTENT)
        if named == self.current:
            clear_ended(request._request, response, lambda facts: facts.session_id == named)
        return response

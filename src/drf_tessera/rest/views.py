"""The endpoints. Each reads its shape, calls one flow, and writes the outcome."""

from __future__ import annotations

from collections.abc import Callable
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
from rest_framework.views import APIView
from rest_framework.views import exception_handler as drf_exception_handler

from drf_tessera import sessions
from drf_tessera.conf import COOKIE, HEADER, get_settings
from drf_tessera.cookies import delete_cookies, delete_stray_cookies
from drf_tessera.csrf import check_site
from drf_tessera.exceptions import (
    CookieAmbiguous,
    RefreshMissing,
    Refusal,
    SessionNotFound,
    TesseraError,
    TokenMissing,
    TransportMismatch,
)
from drf_tessera.login import log_in
from drf_tessera.rest.authentication import StrictJWTAuthentication
from drf_tessera.rest.errors import PayloadTooLarge, add_code, remember_failure, write_challenge
from drf_tessera.rest.serializers import (
    LoginSerializer,
    RefreshSerializer,
    RevokeSerializer,
    SessionSerializer,
    VerifySerializer,
    account_fields,
    load_user_serializer,
)
from drf_tessera.rest.throttling import LoginAccountThrottle, LoginAddressThrottle, count_proxies
from drf_tessera.routes import find_directory
from drf_tessera.tokens import AccessToken, Login, read_refresh_token, verify_access_token
from drf_tessera.transports import (
    choose_transport,
    describe_client,
    has_bearer_token,
    peek_cookie_login,
    read_refresh_cookie,
    set_cookies,
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
            raise drf.UnsupportedMediaType(request.content_type)
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Forbid caches to keep tokens (RFC 6749, section 5.1)."""
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

    def get_authenticate_header(self, request: Request) -> str:
        """Write the challenge that makes a refusal here a 401."""
        return write_challenge(request)


@sensitive_variables()
def _read_body(shape: type[Any], request: Request) -> dict[str, Any]:
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    return cast("dict[str, Any]", body.validated_data)


def _read_length(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise drf.ParseError("The Content-Length header is no number.") from None


@sensitive_variables()
def _write_grant(grant: sessions.Grant) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access": grant.access,
        "refresh": grant.refresh,
        "token_type": get_settings().header_prefix,
        "expires_in": grant.expires_in,
        "refresh_expires_in": grant.refresh_expires_in,
        "session": str(grant.session_id),
    }
    if grant.refresh is None:
        del body["refresh"]  # "keep the one that you have"
    return body


@sensitive_variables()
def _answer(request: HttpRequest, grant: sessions.Grant, transport: str, **more: object) -> Response:
    """Write the tokens into the body or, of a session by cookie, where no script can read them."""
    body = _write_grant(grant)
    if transport == COOKIE:
        body.pop("refresh", None)
        if get_settings().access_cookie:
            del body["access"], body["token_type"]
    response = Response({**body, **more})
    if transport == COOKIE:
        set_cookies(request, response, grant, path=find_cookie_path())
    return response


def find_cookie_path() -> str:
    """Give the path of the refresh cookie: ``COOKIE_PATH``, or where the views stand that read it."""
    return get_settings().cookie_path or find_directory(reads_refresh_cookie) or "/"


def reads_refresh_cookie(view: type[Any]) -> bool:
    """Tell whether a browser has to send the refresh cookie to this view."""
    return issubclass(view, RefreshView | RevokeView)


class LoginView(TokenView):
    """Exchange a user name or an e-mail and a password for an access and a refresh token.

    ``transport`` chooses between header and cookie, as far as ``PROFILE`` has both. A login by cookie
    has to come from the site itself: else another site could log its visitors in as somebody else.
    """

    throttle_classes = (LoginAccountThrottle, LoginAddressThrottle)
    serializer_class = LoginSerializer

    @property
    def account_fields(self) -> tuple[str, ...]:
        """Give the names that the throttle looks for in the body."""
        return account_fields()

    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Log in."""
        credentials = _read_body(self.serializer_class, request)
        transport = choose_transport(credentials.pop("transport", None))
        if transport == COOKIE:
            check_site(request._request)
        client = describe_client(
            request._request, proxies=count_proxies(), label=credentials.pop("device", "")
        )
        user, grant = log_in(request._request, client=client, transport=transport, **credentials)
        shown = load_user_serializer()(user, context={"request": request, "view": self})
        return _answer(request._request, grant, transport, user=shown.data)


class RefreshView(TokenView):
    """Exchange a refresh token for a new access token and, as a rule, a new refresh token.

    An answer without ``refresh`` means: keep the one that you have. A refresh token in the body goes
    before one in the cookie, and each comes only the way that it was given out. ``with_user`` costs one
    query, and adds ``user``.
    """

    serializer_class = RefreshSerializer

    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Refresh."""
        body = _read_body(self.serializer_class, request)
        text, transport = body.get("refresh"), HEADER
        if text is None:
            text, transport = read_refresh_cookie(request._request, find_cookie_path()), COOKIE
        if text is None:
            raise RefreshMissing
        if transport not in get_settings().transports:
            raise TransportMismatch
        more = self._show_user(request, text) if body.get("with_user") else {}
        grant = sessions.refresh(text, transport=transport)
        return _answer(request._request, grant, transport, **more)

    @sensitive_variables()
    def _show_user(self, request: Request, text: str) -> dict[str, Any]:
        """Write the user before the token is spent, so that a serializer which fails has cost nothing."""
        try:
            user = load_user(read_refresh_token(text).login)
        except Refusal:
            return {}  # the refresh refuses too, by its own rule and for its own reason
        return {"user": load_user_serializer()(user, context={"request": request, "view": self}).data}


class VerifyView(TokenView):
    """Tell whether an access token would be accepted now, and what it says."""

    serializer_class = VerifySerializer

    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Verify."""
        token = verify_access_token(_read_body(self.serializer_class, request)["token"])
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

    @sensitive_variables()
    def post(self, request: Request) -> Response:
        """Log out."""
        body = _read_body(self.serializer_class, request)
        only = body.get("session")
        if body.get("refresh") is not None:
            revoked = sessions.revoke_by_refresh_token(body["refresh"], transport=HEADER, only=only)
            return Response({"revoked": revoked})
        if not has_bearer_token(request._request):
            cookie = read_refresh_cookie(request._request, find_cookie_path())
            if cookie is not None:
                return self._end_by_cookie(request._request, cookie, only)
        found = StrictJWTAuthentication().authenticate(request)
        if found is None:
            return self._answer_nobody()
        session_id = found[1].session_id
        if only not in (None, session_id):
            return Response({"revoked": False})
        response = Response({"revoked": sessions.revoke(session_id)})
        _clear_up(request._request, response, lambda login: login.session_id == session_id)
        return response

    @sensitive_variables()
    def _end_by_cookie(self, request: HttpRequest, text: str, only: UUID | None) -> Response:
        login = peek_cookie_login(request, find_cookie_path())
        if only is not None and login is not None and login.session_id != only:
            return Response({"revoked": False})  # and the cookie stays: it is of a login that came between
        try:
            revoked = sessions.revoke_by_refresh_token(text, transport=COOKIE, only=only)
        except Refusal:
            revoked = False  # no token of ours, so there is nothing to end; but the cookie has to go
        response = Response({"revoked": revoked})
        delete_cookies(request, response, find_cookie_path())
        return response

    def _answer_nobody(self) -> Response:
        """Tell a browser without a cookie that nobody is logged in; a client that forgot its token, so."""
        if COOKIE in get_settings().transports:
            return Response({"revoked": False})
        raise TokenMissing


def _clear_up(request: HttpRequest, response: Response, ended: Callable[[Login], bool]) -> None:
    """Delete the cookies of a session that this request has ended.

    It may have come with the cookies of another one, which are left alone: a page can have a session
    by header and one by cookie.
    """
    path = find_cookie_path()
    login = peek_cookie_login(request, path)
    by_cookie = get_settings().access_cookie and not has_bearer_token(request)
    if by_cookie or (login is not None and ended(login)):
        delete_cookies(request, response, path)


class SessionView(TokenView):
    """What the endpoints of a user's own sessions share: an access token is needed.

    They ask the database in any case, so they ask after the caller's session too: whoever was logged
    out elsewhere a moment ago ends nothing here.
    """

    authentication_classes = (StrictJWTAuthentication,)
    permission_classes = (IsAuthenticated,)

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
        _clear_up(request._request, response, lambda login: login.sub == sub)
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
            _clear_up(request._request, response, lambda login: login.session_id == named)
        return response

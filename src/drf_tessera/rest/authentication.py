"""Authentication classes for ``REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"]`` or a view."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from drf_tessera import http
from drf_tessera.conf import enter_tenant, get_settings
from drf_tessera.exceptions import CsrfFailed, Refusal, TemporarilyUnavailable
from drf_tessera.http import (
    name_vary,
    read_authorization,
    read_cookie_token,
    read_header_token,
    remember_failure,
)
from drf_tessera.issuers import ForeignToken, Principal, find_account
from drf_tessera.rest.errors import (
    LateRefusal,
    to_api_exception,
    to_late_refusal,
    write_challenge,
)
from drf_tessera.rest.reports import report_refused_token
from drf_tessera.rest.requests import get_django_request
from drf_tessera.tokens import AccessToken, recall_access_token
from drf_tessera.tracing import AUTHENTICATE, traced
from drf_tessera.users import lazy_user, load_user


class JWTAuthentication(BaseAuthentication):
    """Authenticate by ``Authorization: Bearer <access token>``, or with ``ACCESS_COOKIE`` by the cookie.

    ``request.user`` is the user, and ``request.auth`` is the verified
    :class:`~drf_tessera.tokens.AccessToken`. Authentication needs no query, because the user's row is
    loaded at the first access to a field, and ended sessions are known from memory. (``USER = "database"``
    makes a query on every request.)

    A token of an entry of ``ISSUERS`` is accepted in the header only. Then ``request.auth`` is a
    :class:`~drf_tessera.issuers.ForeignToken`, and ``request.user`` is a user or a
    :class:`~drf_tessera.issuers.Principal`.

    A request without the header, or with another scheme, is left to the next class. A bad token is a 401
    with a code. The cookie is read only if there is no such header. A request with the cookie that changes
    something must come from the site itself. Otherwise the answer is a 403 with a code.

    The request may also be Django's own, for example in a middleware. Then no view answers an error: a bad
    token becomes Django's 400, unless the middleware catches the error (``docs/howto/use.md``).
    """

    accepts_personal_tokens = False
    """Whether the class accepts personal access tokens (``tsk_...``) too."""

    def authenticate(self, request: Request | HttpRequest) -> tuple[AbstractBaseUser, AccessToken] | None:
        """Return the user and the token, or ``None`` if the request has no token for this class."""
        django_request = get_django_request(request)
        enter_tenant(django_request)
        try:
            return self._find_pair(request)
        except Refusal as error:
            remember_failure(django_request, error)
            report_refused_token(error.code, django_request)
            self.refuse(error, request)
            return None
        except (TemporarilyUnavailable, CsrfFailed) as error:
            raise to_api_exception(error, request) from error

    @traced(AUTHENTICATE, lambda pair: http.trace_token(pair and pair[1]))
    def _find_pair(self, request: Request | HttpRequest) -> tuple[AbstractBaseUser, AccessToken] | None:
        django_request = get_django_request(request)
        # Do not store the header in a local variable, because an error report shows local variables.
        token: AccessToken | ForeignToken | None = recall_access_token(_to_text(self.get_header(request)))
        if token is None:
            token = read_header_token(
                _to_text(self.get_header(request)), personal=self.accepts_personal_tokens
            )
        vary(request, without_header=token is None)
        if token is None and get_settings().access_cookie:
            token = read_cookie_token(django_request)
        if isinstance(token, ForeignToken):
            # A project with ISSUERS names both kinds of tokens in its annotations, and no other project.
            pair: Any = (self.find_foreign_user(django_request, token), token)
            return cast("tuple[AbstractBaseUser, AccessToken]", pair)
        return None if token is None else (self.find_user(django_request, token), token)

    def get_header(self, request: Request | HttpRequest) -> str | bytes | None:
        """Return the header that carries the scheme and the token: the header of ``HEADER_NAME``.

        A subclass may read the same text from another place. ``None`` means that the request has no token.
        """
        return read_authorization(get_django_request(request))

    def find_user(self, request: HttpRequest, token: AccessToken) -> AbstractBaseUser:
        """Return the user of a verified token."""
        return lazy_user(token, refuse=LateRefuser(request), fail=to_api_exception)

    def find_foreign_user(self, request: HttpRequest, token: ForeignToken) -> AbstractBaseUser | Principal:
        """Return the user, or the principal, of a verified token of another issuer (``ISSUERS``)."""
        return find_account(token, refuse=LateRefuser(request), fail=to_api_exception)

    def refuse(self, error: Refusal, request: Request | HttpRequest) -> None:
        """Refuse a bad token. A subclass may return instead, so that the request is anonymous."""
        raise to_api_exception(error, request) from None

    def authenticate_header(self, request: Request | HttpRequest) -> str:
        """Return the challenge of a 401. Without a challenge REST framework would answer 403."""
        return write_challenge(request)


class PersonalTokenAuthentication(JWTAuthentication):
    """Authenticate like :class:`JWTAuthentication`, and by personal access tokens too.

    ``request.auth`` is a :class:`~drf_tessera.tokens.PersonalToken` then. Use this class for views that
    scripts may call, together with ``HasScope``. Views without this class refuse personal tokens, so a token
    that may read notes does not open everything else.
    """

    accepts_personal_tokens = True


class StrictJWTAuthentication(JWTAuthentication):
    """Authenticate like :class:`JWTAuthentication`, but load user and session in one query per request.

    Use this class for views where an ended session must be refused at once and not within a second. The
    class ignores ``USER``.
    """

    def find_user(self, request: HttpRequest, token: AccessToken) -> AbstractBaseUser:
        """Load and return the user of a verified token."""
        return load_user(token)

    def find_foreign_user(self, request: HttpRequest, token: ForeignToken) -> AbstractBaseUser | Principal:
        """Load and return the user of a verified token of another issuer."""
        return find_account(token, refuse=None)


class OptionalJWTAuthentication(JWTAuthentication):
    """Authenticate like :class:`JWTAuthentication`, for public views.

    A request with a bad token is anonymous, and not a 401. ``request.token_error`` is the error, with its
    ``code``, or ``None`` if no token was refused.
    """

    def authenticate(self, request: Request | HttpRequest) -> tuple[AbstractBaseUser, AccessToken] | None:
        """Return the user and the token. Return ``None`` if there is no token or a bad token."""
        remember_failure(get_django_request(request), None)
        return super().authenticate(request)

    def refuse(self, error: Refusal, request: Request | HttpRequest) -> None:
        """Return, so that the request continues without a user."""


@sensitive_variables()
def _to_text(authorization: str | bytes | None) -> str:
    return authorization if isinstance(authorization, str) else (authorization or b"").decode("latin-1")


def vary(request: Request | HttpRequest, *, without_header: bool) -> None:
    """Set ``Vary``, so that a cache never sends the answer of one user to another user.

    A request of Django has no view to set the header in.
    """
    view: Any = (getattr(request, "parser_context", None) or {}).get("view")
    headers = getattr(view, "headers", None)
    if isinstance(headers, dict):
        names, others = name_vary(without_header=without_header), headers.get("Vary")
        headers["Vary"] = f"{others}, {names}" if others else names


class LateRefuser(http.LateRefuser):
    """Refuses a lazy user that turns out to be gone, with a 401 and the reason in the challenge."""

    __slots__ = ()

    @staticmethod
    def make(error: Refusal) -> LateRefusal:
        """Return the exception that the user raises."""
        return to_late_refusal(error)

"""Authentication classes for ``REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"]`` or a view."""

from __future__ import annotations

import weakref
from typing import Any, Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import CsrfFailed, Refusal, TemporarilyUnavailable, TokenMalformed
from drf_tessera.http import check_bearer_token, check_site, read_access_cookie, read_bearer_token
from drf_tessera.rest.errors import (
    LateRefusal,
    remember_failure,
    to_api_exception,
    to_late_refusal,
    write_challenge,
)
from drf_tessera.tokens import AccessToken, recall_access_token, verify_access_token
from drf_tessera.users import Refuse, lazy_user, load_user

_COOKIE_MARK: Final = "\n"
"""Before a cookie's token in the memory of verified ones: no header can hold it, so none is taken for one."""


class JWTAuthentication(BaseAuthentication):
    """Authenticate by ``Authorization: Bearer <access token>``, or with ``ACCESS_COOKIE`` by its cookie.

    ``request.user`` is the user and ``request.auth`` the verified
    :class:`~drf_tessera.tokens.AccessToken`. No query: the user's row is loaded when it is looked at,
    and sessions that ended are known from memory (``USER = "database"`` asks on every request). No
    header, or one of another scheme, is left to the next class; a bad token is a 401 with a code. The
    cookie counts only where there is no such header, and then a request that changes something has to come
    from the site itself: else it is a 403 with a code.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, AccessToken] | None:
        """Give the user and the token, or ``None`` if this request carries no token for us."""
        django_request: HttpRequest = request._request
        try:
            # The header is in no variable of this frame, which a report of an error would show.
            token = recall_access_token(django_request.META.get("HTTP_AUTHORIZATION", ""))
            if token is None:
                token = _read_header(django_request)
            if token is None and get_settings().access_cookie:
                _vary_on_cookie(request)
                token = _read_cookie(django_request)
            return None if token is None else (self.find_user(django_request, token), token)
        except Refusal as error:
            remember_failure(django_request, error)
            self.refuse(error)
            return None
        except (TemporarilyUnavailable, CsrfFailed) as error:
            raise to_api_exception(error) from error

    def find_user(self, request: HttpRequest, token: AccessToken) -> AbstractBaseUser:
        """Give the user of a verified token."""
        return lazy_user(token, refuse=_LateRefuser(request))

    def refuse(self, error: Refusal) -> None:
        """Answer a bad token. Subclasses may let the request go on as anonymous by returning."""
        raise to_api_exception(error) from None

    def authenticate_header(self, request: Request) -> str:
        """Write the challenge of a 401; without one REST framework would answer 403."""
        return write_challenge(request)


class StrictJWTAuthentication(JWTAuthentication):
    """The same, but the user is loaded and the session asked after on every request, by one query.

    For views where a second is too long, whatever ``USER`` is.
    """

    def find_user(self, request: HttpRequest, token: AccessToken) -> AbstractBaseUser:
        """Load the user of a verified token."""
        return load_user(token)


class OptionalJWTAuthentication(JWTAuthentication):
    """The same for public views: a bad token makes the request anonymous instead of a 401.

    Why it was refused stays on the request: ``request.token_error`` is the error, with its ``code``, or
    ``None`` where no token was refused.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, AccessToken] | None:
        """Give the user and the token, or ``None``: nobody, for whatever reason."""
        remember_failure(request._request, None)
        return super().authenticate(request)

    def refuse(self, error: Refusal) -> None:
        """Let the request go on without a user."""


@sensitive_variables()
def _read_header(request: HttpRequest) -> AccessToken | None:
    header = request.META.get("HTTP_AUTHORIZATION", "")
    prefix = get_settings().header_prefix
    text = read_bearer_token(header, prefix)
    if text is None:
        return None
    # One spelling alone: else one token could fill the memory, with spaces or with spellings.
    usual = header == f"{prefix} {text}"
    try:
        return verify_access_token(text, remember_as=header if usual else None)
    except TokenMalformed:
        check_bearer_token(text)
        raise


@sensitive_variables()
def _read_cookie(request: HttpRequest) -> AccessToken | None:
    text = read_access_cookie(request)
    if text is None:
        return None
    key = _COOKIE_MARK + text
    token = recall_access_token(key) or verify_access_token(text, remember_as=key)
    check_site(request)  # browsers send cookies with what other sites make them send
    return token


def _vary_on_cookie(request: Request) -> None:
    """Tell caches, Django's ``cache_page`` among them, that somebody else's answer may be another one."""
    view: Any = (request.parser_context or {}).get("view")
    headers = getattr(view, "headers", None)
    if isinstance(headers, dict):
        headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Cookie")))


class _LateRefuser(weakref.ref[HttpRequest]):
    """Refuses a user who is looked at and gone: with a 401, and its reason in the challenge.

    The request is held weakly: a user that outlives it should not keep it, and one that is pickled
    does without.
    """

    __slots__ = ()

    def __call__(self, error: Refusal) -> LateRefusal:  # type: ignore[override]
        request = super().__call__()
        if request is not None:
            remember_failure(request, error)
            request.user = AnonymousUser()  # what looks next, such as a middleware, finds nobody
        return to_late_refusal(error)

    def __reduce__(self) -> tuple[Any, ...]:
        return _get_requestless_refuser, ()


def _get_requestless_refuser() -> Refuse:
    return to_late_refusal

"""The user and the token of a request, for code without REST framework.

A coroutine never waits for a lock and makes no query here. The usual case is answered from memory: this
process has verified the token before, and knows that its session has not ended. In every other case a thread
does the work: a new token, a pull of the notices of ended sessions that is due, and a user who is loaded at
once. Django's own ORM needs a thread for each query, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from drf_tessera import http
from drf_tessera.conf import enter_tenant, get_settings
from drf_tessera.exceptions import Refusal, ScopeMissing, TesseraError, Unauthenticated
from drf_tessera.http import (
    has_credentials,
    name_vary,
    read_authorization,
    read_cookie_token,
    read_header_token,
    recall_access,
    recall_failure,
    report_refused_token,
)
from drf_tessera.issuers import ForeignToken, Principal, find_account
from drf_tessera.tokens import AccessToken, recall_access_token
from drf_tessera.tracing import AUTHENTICATE, Facts, traced
from drf_tessera.users import is_loaded, lazy_user, load_now, recall_user


class Authenticated(NamedTuple):
    """The user of a request, and the token that names the user."""

    user: AbstractBaseUser | Principal
    token: AccessToken | ForeignToken
    by_header: bool
    """Whether the token came in the header. A browser sends a cookie by itself, and a header never."""


def _trace(found: Authenticated | None) -> Facts:
    return http.trace_token(found and found.token)


class LateRefusal(SuspiciousOperation):
    """The row of the user was read late, and the user is gone or inactive, or cannot be read at the moment.

    ``TokenMiddleware`` and ``token_required`` answer it, with the status and the code of ``error``. If
    neither is there, Django answers 400 and not 500.
    """

    def __init__(self, error: TesseraError) -> None:
        super().__init__(error.detail)
        self.error = error
        self.extensions: dict[str, str] = {"code": error.code}
        """Servers of GraphQL copy this into their error."""


class LateRefuser(http.LateRefuser):
    """Refuses a lazy user that turns out to be gone, with a :class:`LateRefusal`."""

    __slots__ = ()

    @staticmethod
    def make(error: Refusal) -> LateRefusal:
        """Return the exception that the user raises."""
        return LateRefusal(error)


@traced(AUTHENTICATE, _trace)
def authenticate(request: HttpRequest, *, personal: bool = False) -> Authenticated | None:
    """Return the user and the token of a request, or ``None`` if it has no token.

    The header is read first, and then the cookie of ``ACCESS_COOKIE``. The tenant of the request is entered.
    A refusal is reported (:data:`~drf_tessera.signals.token_refused`).

    Args:
        request: Django's request.
        personal: whether to accept personal access tokens too.

    Raises:
        Refusal: the token is bad, its session has ended, or its user is gone.
        CsrfFailed: the token is in the cookie, and another site may have made the request.
        TemporarilyUnavailable: the token cannot be judged at the moment.
    """
    try:
        return find(request, personal=personal)
    except Refusal as error:
        report_refused_token(error.code, request)
        raise


@traced(AUTHENTICATE, _trace)
async def aauthenticate(request: HttpRequest, *, personal: bool = False) -> Authenticated | None:
    """Return what :func:`authenticate` returns, from memory if that is possible, without a thread.

    Args:
        request: Django's request.
        personal: whether to accept personal access tokens too.

    Raises:
        Refusal, CsrfFailed, TemporarilyUnavailable: see :func:`authenticate`.
    """
    return await afind(request, authenticate, personal=personal)


@traced(AUTHENTICATE, _trace)
def find(request: HttpRequest, *, personal: bool) -> Authenticated | None:
    """Return what :func:`authenticate` returns. Leave the report of a refusal to the caller.

    Raises:
        Refusal, CsrfFailed, TemporarilyUnavailable: see :func:`authenticate`.
    """
    enter_tenant(request)
    # Do not store the header in a local variable, because an error report shows local variables.
    token: AccessToken | ForeignToken | None = recall_access_token(read_authorization(request))
    token = token or read_header_token(read_authorization(request), personal=personal)
    by_header = token is not None
    if token is None and get_settings().access_cookie:
        token = read_cookie_token(request)
    if token is None:
        return None
    refuse = LateRefuser(request)
    if isinstance(token, ForeignToken):
        account = find_account(token, refuse=refuse, fail=LateRefusal)
        return Authenticated(account, token, by_header=by_header)
    user = lazy_user(token, refuse=refuse, fail=LateRefusal)
    return Authenticated(user, token, by_header=by_header)


@traced(AUTHENTICATE, _trace)
async def afind(
    request: HttpRequest, find_slowly: Callable[..., Authenticated | None] = find, *, personal: bool
) -> Authenticated | None:
    """Return what :func:`find` returns, from memory if that is possible.

    Args:
        request: Django's request.
        find_slowly: is called in a thread if the memory does not know the answer.
        personal: whether to accept personal access tokens too.

    Raises:
        Refusal, CsrfFailed, TemporarilyUnavailable: see :func:`authenticate`.
    """
    token = recall_access(request, personal=personal)
    if token is not None:
        user = recall_user(token, refuse=LateRefuser(request), fail=LateRefusal)
        if user is not None:
            return Authenticated(user, token, by_header=has_credentials(request, cookie=False))
    elif not has_credentials(request):
        if get_settings().tenant is not None:
            await sync_to_async(enter_tenant)(request)  # the function of the project may make a query
        return None
    return await sync_to_async(find_slowly)(request, personal=personal)


def attach(request: Any, found: Authenticated) -> None:
    """Set ``request.user``, ``request.auser`` and ``request.auth``."""
    request.auth = found.token
    set_user(request, found.user)


def set_user(request: Any, user: Any) -> None:
    """Set ``request.user`` and ``request.auser``."""
    request.user = user
    request.auser = partial(load_lazily, user)


def explain(error: Exception) -> Exception:
    """Return the error of this package that was noticed late, or the error itself."""
    return error.error if isinstance(error, LateRefusal) else error


def vary(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Add the headers that the answer depends on to ``Vary``, and return the answer."""
    by_header = has_credentials(request, cookie=False)
    patch_vary_headers(response, name_vary(without_header=not by_header).split(", "))
    return response


def find_refusal(request: Any, scopes: Iterable[str] = ()) -> TesseraError | None:
    """Return why a request behind ``TokenMiddleware`` is refused, or ``None``. For protocols of their own.

    Args:
        request: Django's request.
        scopes: the scopes that its token needs.
    """
    token = getattr(request, "auth", None)
    if token is None:
        return recall_failure(request) or Unauthenticated()
    try:
        check_scopes(token, scopes)
    except ScopeMissing as error:
        return error
    return None


async def load_lazily(user: Any) -> Any:
    """Return a user whose row is loaded, because a coroutine cannot read a field that needs a query.

    Raises:
        LateRefusal: the user is gone or inactive, or the database cannot be used.
    """
    if not is_loaded(user):
        await sync_to_async(load_now)(user)
    return user


def check_scopes(token: AccessToken | ForeignToken, scopes: Iterable[str]) -> None:
    """Return if a token has all of ``scopes``.

    Raises:
        ScopeMissing: a scope is missing.
    """
    wanted = tuple(scopes)
    if not token.scopes.issuperset(wanted):
        raise ScopeMissing(wanted)

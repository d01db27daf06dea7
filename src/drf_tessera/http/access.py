"""The access token of a request: from the header, or with ``ACCESS_COOKIE`` from the cookie.

:func:`read_access_token` may wait and may make a query. :func:`recall_access` does neither, so it is for
coroutines.
"""

from __future__ import annotations

from typing import Final

from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import Settings, get_settings, per_settings
from drf_tessera.exceptions import TokenMalformed
from drf_tessera.http.bearer import check_bearer_token, read_authorization, read_bearer_token
from drf_tessera.http.cookies import read_access_cookie
from drf_tessera.http.csrf import SAFE, check_site
from drf_tessera.issuers import ForeignToken, is_foreign, recall_foreign_token, verify_foreign_token
from drf_tessera.sessions import verify_personal_token
from drf_tessera.tokens import (
    PERSONAL_MARK,
    PERSONAL_PREFIX,
    AccessToken,
    recall_access_token,
    verify_access_token,
)
from drf_tessera.tracing import Facts

_COOKIE_MARK: Final = "\n"
"""Prefix of cookie tokens in the cache key.

A header cannot contain a newline, so a header can never hit a cookie's entry.
"""


@sensitive_variables()
def read_header_token(authorization: str, *, personal: bool = False) -> AccessToken | ForeignToken | None:
    """Return the verified token of the text of a header, or ``None`` if the header has another scheme.

    Args:
        authorization: the text of the header.
        personal: whether to accept personal access tokens too.

    Raises:
        Refusal: the token is not valid, or the header is malformed.
        TemporarilyUnavailable: the token cannot be judged at the moment.
    """
    prefix = get_settings().header_prefix
    token = read_bearer_token(authorization, prefix)
    if token is None:
        return None
    # Cache only the usual spelling. Otherwise one token could fill the cache, with many spellings of the
    # scheme or many spaces.
    credentials = authorization if authorization == f"{prefix} {token}" else None
    if personal and token.startswith(PERSONAL_PREFIX):
        mark = None if credentials is None else PERSONAL_MARK + credentials
        known = None if mark is None else recall_access_token(mark)
        return known or verify_personal_token(token, credentials=mark)
    if get_settings().issuers:
        found = recall_foreign_token(authorization)
        if found is not None or is_foreign(token):
            return found or verify_foreign_token(token, credentials=credentials)
    try:
        return verify_access_token(token, credentials=credentials)
    except TokenMalformed:
        check_bearer_token(token)
        raise


@sensitive_variables()
def read_cookie_token(request: HttpRequest) -> AccessToken | None:
    """Return the verified token of the access cookie, or ``None`` without a cookie.

    Raises:
        Refusal: the token is not valid.
        CsrfFailed: another site may have made the request, or there are several cookies.
        TemporarilyUnavailable: the token cannot be judged at the moment.
    """
    cookie = read_access_cookie(request)
    if cookie is None:
        return None
    credentials = _COOKIE_MARK + cookie
    token = recall_access_token(credentials) or verify_access_token(cookie, credentials=credentials)
    check_site(request)  # browsers also send cookies with requests that other sites start
    return token


def recall_access(request: HttpRequest, *, personal: bool = False) -> AccessToken | None:
    """Return the access token of a request if this process has verified it before. Nothing is waited for.

    ``None`` means that :func:`read_header_token` and :func:`read_cookie_token` have to be asked, in a thread.
    With ``TENANT`` this is always so, because the function of the project may make a query.

    Args:
        request: Django's request.
        personal: whether to accept personal access tokens too.

    Raises:
        CsrfFailed: see :func:`read_cookie_token`.
    """
    settings = get_settings()
    if settings.tenant is not None:
        return None
    # Do not store the header in a local variable, because an error report shows local variables.
    try:
        found = recall_access_token(read_authorization(request))
    except SynchronousOnlyOperation:
        return None  # this process has not read its keys yet
    if found is None and personal:
        found = recall_access_token(PERSONAL_MARK + read_authorization(request))
    if found is not None or not settings.access_cookie or has_credentials(request, cookie=False):
        return found
    return _recall_cookie(request)


@sensitive_variables()
def _recall_cookie(request: HttpRequest) -> AccessToken | None:
    cookie = read_access_cookie(request)
    token = None if cookie is None else recall_access_token(_COOKIE_MARK + cookie)
    if token is None or not (
        request.method in SAFE or {"HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"} & request.META.keys()
    ):
        return None  # an old browser needs the CSRF token, which may be in a session of the database
    check_site(request)
    return token


@sensitive_variables()
def has_credentials(request: HttpRequest, *, cookie: bool = True) -> bool:
    """Return whether a request has a header of our scheme, or, if ``cookie`` is set, an access cookie.

    Raises:
        CookieAmbiguous: there are several cookies.
    """
    settings = get_settings()
    if read_bearer_token(read_authorization(request), settings.header_prefix) is not None:
        return True
    return cookie and settings.access_cookie and read_access_cookie(request) is not None


@per_settings
def _find_vary(settings: Settings) -> tuple[str, str]:
    name = settings.header_name
    return name, f"{name}, Cookie" if settings.access_cookie else name


def name_vary(*, without_header: bool) -> str:
    """Return the request headers that ``Vary`` names, so that no cache sends one user's answer to another.

    HTTP keeps answers to requests with ``Authorization`` out of shared caches. But Django's own cache does
    not, and no cache does for another header.

    Args:
        without_header: whether the request came without a token in the header, so that cookies count.
    """
    return _find_vary()[without_header]


def trace_token(token: AccessToken | ForeignToken | None) -> Facts:
    """Return the facts of a token for the span of its authentication."""
    return {"session.id": str(token.session_id)} if isinstance(token, AccessToken) else {}

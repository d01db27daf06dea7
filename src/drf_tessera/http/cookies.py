"""The cookie transport: the names and attributes of its cookies, and safe reading of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from http.cookies import Morsel
from typing import Any, Final

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.http.cookie import parse_cookie
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import COOKIE, current_tenant, get_settings
from drf_tessera.exceptions import CookieAmbiguous, RefreshInvalid
from drf_tessera.http.bearer import has_bearer_token
from drf_tessera.http.csrf import check_site
from drf_tessera.http.routes import find_cookie_path
from drf_tessera.sessions import Grant
from drf_tessera.tokens import SessionFacts, read_refresh_token

REFRESH: Final = "tessera_refresh_token"
ACCESS: Final = "tessera_access_token"
"""The names contain "token", because Django's error reports blank such cookies."""

MARKER: Final = "tessera_signed_in"
"""The cookie that scripts can read. It has no token, and the server never reads it.

A page without this cookie has no session, so the browser client does not ask the server for one.
"""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""The names of tenants that a name of a cookie can contain unchanged."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class _PartitionedMorsel(Morsel[str]):
    """A cookie with the attribute ``Partitioned`` (CHIPS), which Python's own class has only from 3.14 on."""

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 - the name that Django calls
        """Return the value of the header."""
        return f"{super().OutputString(attrs)}; Partitioned"


def is_secure(request: HttpRequest) -> bool:
    """Return whether cookies are ``Secure``. They always are, except in development on the same machine.

    ``COOKIE_SECURE = None`` makes them plain only under ``DEBUG`` and for a loopback name without TLS, so a
    setting for a laptop cannot weaken a server. The scheme of the request does not count otherwise, because
    behind a proxy a request often seems to have come without TLS.
    """
    chosen = get_settings().cookie_secure
    if chosen is not None:
        return chosen
    host = request.META.get("HTTP_HOST", "").lower()
    name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return not (
        django_settings.DEBUG
        and request.scheme == "http"
        and (name in _LOOPBACK or name.endswith(".localhost"))
    )


def name_refresh_cookie(*, secure: bool, path: str) -> str:
    """Return the name of the refresh cookie, with the prefix that makes a browser enforce its attributes.

    ``__Host-`` proves that no subdomain has set the cookie, and needs the path ``/``. With another path the
    prefix is ``__Secure-``.
    """
    return _prefix(secure=secure, path=path) + REFRESH + _suffix()


def name_access_cookie(*, secure: bool) -> str:
    """Return the name of the access cookie, which is for all paths."""
    return _prefix(secure=secure, path="/") + ACCESS + _suffix()


def name_cookies() -> tuple[str, str]:
    """Return the names of the refresh cookie and of the access cookie of a server with TLS."""
    secure = get_settings().cookie_secure is not False
    return name_refresh_cookie(secure=secure, path=find_cookie_path()), name_access_cookie(secure=secure)


def _prefix(*, secure: bool, path: str) -> str:
    if not secure:
        return ""
    return "__Host-" if path == "/" else "__Secure-"


def _suffix() -> str:
    """Return the part of a name that tells the tenants of one host apart.

    Otherwise a login at one tenant would replace the cookie of another one. A name with other characters has
    a digest, after a dot, which no plain name has.
    """
    tenant = current_tenant()
    if not tenant:
        return ""
    if _PLAIN.fullmatch(tenant):
        return f"_{tenant}"
    return f"_.{hashlib.sha256(tenant.encode()).hexdigest()[:32]}"


def read_refresh_cookie(request: HttpRequest, path: str) -> str | None:
    """Return the refresh token of the cookie, or ``None`` without a cookie.

    Raises:
        CookieAmbiguous: there are several cookies. See :func:`_read`.
    """
    return _read(request, name_refresh_cookie(secure=is_secure(request), path=path))


def read_access_cookie(request: HttpRequest) -> str | None:
    """Return the access token of the cookie, or ``None`` without a cookie.

    Raises:
        CookieAmbiguous: there are several cookies. See :func:`_read`.
    """
    return _read(request, name_access_cookie(secure=is_secure(request)))


@sensitive_variables()
def _read(request: HttpRequest, name: str) -> str | None:
    """Read a cookie that must not have several values.

    Another host of the same domain can set a cookie of the same name that contains the attacker's token
    ("cookie tossing"). The victim would then work in the attacker's account. The header does not say which of
    two cookies is ours, so neither is accepted.
    """
    cookie = request.META.get("HTTP_COOKIE", "")
    if name not in cookie:
        return None
    token: set[str] = set()
    for credentials in cookie.split(";"):
        written, _, secret = credentials.partition("=")
        # Strip the same characters as browsers do. Django's parse_cookie also strips Unicode spaces. For a
        # browser a name that begins with such a space has no prefix, so any subdomain may set the cookie.
        if written.strip(" \t") == name:
            token.add(_unquote(secret))
    token.discard("")  # a client that ignores Max-Age keeps an empty value of a deleted cookie
    if len(token) > 1:
        raise CookieAmbiguous(name)
    return next(iter(token), None)


def _unquote(secret: str) -> str:
    """Return the value of a cookie as Django reads it.

    No token of ours has a backslash. Such a value is not unquoted, because Python (before 3.11.10) takes half
    a second for 8 kB of backslashes.
    """
    return secret if "\\" in secret else parse_cookie(f"x={secret}").get("x", "")


def set_refresh_cookie(
    request: HttpRequest, response: HttpResponse, token: str, *, path: str, seconds: int | None
) -> None:
    """Set the refresh cookie and its marker for so many seconds. ``None``: until the browser is closed."""
    secure = is_secure(request)
    name = name_refresh_cookie(secure=secure, path=path)
    _set(response, name, token, path=path, secure=secure, seconds=seconds)
    _mark(response, "1", secure=secure, seconds=seconds)


def set_access_cookie(
    request: HttpRequest, response: HttpResponse, token: str, *, seconds: int | None
) -> None:
    """Set the access cookie for so many seconds. ``None``: until the browser is closed."""
    secure = is_secure(request)
    _set(response, name_access_cookie(secure=secure), token, path="/", secure=secure, seconds=seconds)


def delete_cookies(request: HttpRequest, response: HttpResponse, path: str) -> None:
    """Delete the cookies with the same attributes that they were set with.

    A browser deletes a cookie only for the same name, path and partition, and accepts a prefixed name only
    with the attributes that the prefix requires.
    """
    secure = is_secure(request)
    _set(response, name_refresh_cookie(secure=secure, path=path), "", path=path, secure=secure, seconds=0)
    _mark(response, "", secure=secure, seconds=0)
    if get_settings().access_cookie:
        _set(response, name_access_cookie(secure=secure), "", path="/", secure=secure, seconds=0)


def delete_stray_cookies(request: HttpRequest, response: HttpResponse, path: str) -> None:
    """Delete refresh cookies that were set under another path, because they make the cookie ambiguous.

    A cookie that another host has set for the whole domain stays, and so does ours. If ours were deleted, the
    other one would be accepted next.
    """
    secure = is_secure(request)
    name = name_refresh_cookie(secure=secure, path=path)
    steps = request.path.split("/")[:-1]
    for stray in ("/".join(steps[: index + 1]) + "/" for index in range(len(steps))):
        if stray != path and name_refresh_cookie(secure=secure, path=stray) == name:
            _set(response, name, "", path=stray, secure=secure, seconds=0)
            # The deletion has its own key, because this dict has one cookie for each key and Django writes
            # every value.
            dict.__setitem__(response.cookies, f"{name} {stray}", response.cookies.pop(name))


def _mark(response: HttpResponse, mark: str, *, secure: bool, seconds: int | None) -> None:
    """Set or delete the marker, which scripts of all pages of this host can read."""
    name = _prefix(secure=secure, path="/") + MARKER + _suffix()
    _set(response, name, mark, path="/", secure=secure, seconds=seconds)
    response.cookies[name]["httponly"] = ""


def _set(
    response: HttpResponse, name: str, token: str, *, path: str, secure: bool, seconds: int | None
) -> None:
    settings = get_settings()
    response.set_cookie(
        name,
        token,
        max_age=seconds,
        # For clients that ignore Max-Age: a past date deletes the cookie.
        expires=None if seconds != 0 else "Thu, 01 Jan 1970 00:00:00 GMT",
        path=path,
        secure=secure,
        httponly=True,
        samesite=settings.cookie_samesite,
    )
    # Without Partitioned, browsers that block third-party cookies would drop a cookie for pages of another
    # site.
    if settings.cookie_samesite == "None" and secure:
        _partition(response, name)


def _partition(response: HttpResponse, name: str) -> None:
    plain = response.cookies[name]
    marked = _PartitionedMorsel()
    marked.set(name, plain.value, plain.coded_value)
    marked.update(plain)
    # An assignment is not possible, because SimpleCookie would convert the value to a plain Morsel.
    dict.__setitem__(response.cookies, name, marked)


# -- The transport ---------------------------------------------------------------------------------


class CookieTransport:
    """The refresh token travels in a cookie that no script can read.

    With ``ACCESS_COOKIE`` the access token has a cookie too. See
    :class:`~drf_tessera.http.transport.Transport`.
    """

    ambient = True
    in_body = False

    def read(self, request: HttpRequest, credentials: dict[str, Any]) -> str | None:
        """Return the refresh token of the cookie, or ``None``. Without the profile no cookie is read.

        Raises:
            CsrfFailed: there is a cookie, and another site may have made the request.
            CookieAmbiguous: there are several cookies.
        """
        if COOKIE not in get_settings().transports:
            return None
        token = read_refresh_cookie(request, find_cookie_path())
        if token is not None:
            check_site(request)
        return token

    @sensitive_variables()
    def deliver(
        self, request: HttpRequest, response: HttpResponse, grant: Grant, credentials: dict[str, Any]
    ) -> None:
        """Set the cookies, and take their tokens out of the body.

        Within the grace window there is no new refresh token, and its cookie stays as it is.
        """
        credentials.pop("refresh", None)
        if grant.refresh is not None:
            path, seconds = find_cookie_path(), grant.refresh_expires_in if grant.persistent else None
            set_refresh_cookie(request, response, grant.refresh, path=path, seconds=seconds)
        if get_settings().access_cookie:
            del credentials["access"], credentials["token_type"]
            seconds = grant.expires_in if grant.persistent else None
            set_access_cookie(request, response, grant.access, seconds=seconds)

    def clear(
        self, request: HttpRequest, response: HttpResponse, ended: Callable[[SessionFacts], bool] | None
    ) -> None:
        """Delete the cookies, if their session is among the ``ended`` ones."""
        if ended is None or self._belongs(request, ended):
            delete_cookies(request, response, find_cookie_path())

    def _belongs(self, request: HttpRequest, ended: Callable[[SessionFacts], bool]) -> bool:
        """Return whether the cookies of a request belong to an ended session.

        They may belong to another session, because a page can have one session by header and one by cookie.
        """
        if COOKIE not in get_settings().transports:
            return False
        if get_settings().access_cookie and not has_bearer_token(request):
            return True
        try:
            token = read_refresh_cookie(request, find_cookie_path())
            return token is not None and ended(read_refresh_token(token).facts)
        except (CookieAmbiguous, RefreshInvalid):
            return False

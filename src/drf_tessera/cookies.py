"""The two cookies: their names and attributes, set and deleted alike, and read without being fooled."""

from __future__ import annotations

from http.cookies import Morsel
from typing import Any, Final

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.http.cookie import parse_cookie

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import CookieAmbiguous

REFRESH: Final = "tessera_refresh_token"
ACCESS: Final = "tessera_access_token"
"""With "token" in the name: Django's reports of errors blank the cookies that are called so."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class _PartitionedMorsel(Morsel[str]):
    """A cookie with ``Partitioned`` (CHIPS), which Python's own knows only from 3.14 on."""

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 - the name that Django calls
        """Write the header's value."""
        return f"{super().OutputString(attrs)}; Partitioned"


def is_secure(request: HttpRequest) -> bool:
    """Tell whether cookies are to be ``Secure``: always, but for development on this very machine.

    ``COOKIE_SECURE = None`` makes them plain only under ``DEBUG`` and for a loopback name without TLS,
    so that nothing which works on a laptop weakens the server. Whether the request came by TLS is not
    asked: behind a proxy it often seems not to, while the browser knows that it did.
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
    """Give the name of the refresh cookie, with the prefix that makes a browser enforce its attributes.

    ``__Host-`` (no subdomain can have set it) wants the path ``/``; else it is ``__Secure-``.
    """
    return _prefix(secure=secure, path=path) + REFRESH


def name_access_cookie(*, secure: bool) -> str:
    """Give the name of the access cookie, which is for all paths."""
    return _prefix(secure=secure, path="/") + ACCESS


def _prefix(*, secure: bool, path: str) -> str:
    if not secure:
        return ""
    return "__Host-" if path == "/" else "__Secure-"


def read_refresh_cookie(request: HttpRequest, path: str) -> str | None:
    """Give the refresh token of the cookie; ``None`` if there is no such cookie.

    Raises:
        CookieAmbiguous: there are several. See :func:`_read`.
    """
    return _read(request, name_refresh_cookie(secure=is_secure(request), path=path))


def read_access_cookie(request: HttpRequest) -> str | None:
    """Give the access token of the cookie; ``None`` if there is no such cookie.

    Raises:
        CookieAmbiguous: there are several. See :func:`_read`.
    """
    return _read(request, name_access_cookie(secure=is_secure(request)))


def _read(request: HttpRequest, name: str) -> str | None:
    """Read a cookie that must be there once.

    Another host of the same domain can plant a cookie of the same name ("cookie tossing"), with a token
    of the attacker's: the victim would then work in the attacker's account. Nothing in the header tells
    which of two is ours, so neither is taken.
    """
    header = request.META.get("HTTP_COOKIE", "")
    if name not in header:
        return None
    found: set[str] = set()
    for pair in header.split(";"):
        written, _, value = pair.partition("=")
        # As browsers strip names: Django's parse_cookie takes Unicode spaces away too, and with one of
        # those before it a name has no prefix to the browser, so any subdomain may set it.
        if written.strip(" \t") == name:
            found.update(parse_cookie(f"x={value}").values())
    found.discard("")  # what a client that ignores Max-Age keeps of a deleted one
    if len(found) > 1:
        raise CookieAmbiguous(name)
    return next(iter(found), None)


def set_refresh_cookie(
    request: HttpRequest, response: HttpResponse, token: str, *, path: str, seconds: int
) -> None:
    """Give the browser the refresh token, until its session's idle limit."""
    secure = is_secure(request)
    name = name_refresh_cookie(secure=secure, path=path)
    _set(response, name, token, path=path, secure=secure, seconds=seconds)


def set_access_cookie(request: HttpRequest, response: HttpResponse, token: str, *, seconds: int) -> None:
    """Give the browser the access token, until it expires."""
    secure = is_secure(request)
    _set(response, name_access_cookie(secure=secure), token, path="/", secure=secure, seconds=seconds)


def delete_cookies(request: HttpRequest, response: HttpResponse, path: str) -> None:
    """Delete both cookies, with the very attributes that they were set with.

    A browser deletes a cookie only for the same name, path and partition, and takes a prefixed name
    only with what the prefix asks for.
    """
    secure = is_secure(request)
    _set(response, name_refresh_cookie(secure=secure, path=path), "", path=path, secure=secure, seconds=0)
    if get_settings().access_cookie:
        _set(response, name_access_cookie(secure=secure), "", path="/", secure=secure, seconds=0)


def delete_stray_cookies(request: HttpRequest, response: HttpResponse, path: str) -> None:
    """Delete the refresh cookies that were set while ``path`` was another one, above or below.

    They make ours ambiguous. What another host has planted for the whole domain stays, as does ours: if it
    went, the planted one would be taken next.
    """
    secure = is_secure(request)
    name = name_refresh_cookie(secure=secure, path=path)
    steps = request.path.split("/")[:-1]
    for stray in ("/".join(steps[: index + 1]) + "/" for index in range(len(steps))):
        if stray != path and name_refresh_cookie(secure=secure, path=stray) == name:
            _set(response, name, "", path=stray, secure=secure, seconds=0)
            # Under a key of its own: Django writes every value of this dict, and names one cookie a key.
            dict.__setitem__(response.cookies, f"{name} {stray}", response.cookies.pop(name))


def _set(response: HttpResponse, name: str, value: str, *, path: str, secure: bool, seconds: int) -> None:
    settings = get_settings()
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        # For what knows no Max-Age; a date that has passed is what deletes.
        expires=None if seconds else "Thu, 01 Jan 1970 00:00:00 GMT",
        path=path,
        secure=secure,
        httponly=True,
        samesite=settings.cookie_samesite,
    )
    if settings.cookie_partitioned and secure:
        _partition(response, name)


def _partition(response: HttpResponse, name: str) -> None:
    plain = response.cookies[name]
    marked = _PartitionedMorsel()
    marked.set(name, plain.value, plain.coded_value)
    marked.update(plain)
    # Not by assignment: SimpleCookie would make a plain one of it again.
    dict.__setitem__(response.cookies, name, marked)

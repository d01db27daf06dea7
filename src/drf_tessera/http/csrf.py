"""Check that the site itself sent a request that a cookie authenticates (CSRF).

A browser also sends cookies with requests that other sites start. A browser never adds a header such as
``Authorization`` by itself, so a request that a header authenticates needs no check.
``docs/explanation/cookies.md`` has the table of cases. Each case is a test.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from drf_tessera.exceptions import CsrfTokenRefused, FetchSiteRefused, OriginRefused

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""

_OWN: Final = frozenset({"same-origin", "none"})
"""``Sec-Fetch-Site`` of a request from a page of this origin, or directly from the user of the browser."""

_MAX_ORIGIN_LENGTH: Final = 300
"""In characters: a scheme, a host name of at most 253 characters, and a port."""


def check_site(request: HttpRequest) -> None:
    """Check that the site itself sent the request. A safe method is always accepted.

    The browser reports the source of a request in ``Origin`` and ``Sec-Fetch-Site``, and no page can
    change these headers. A browser that sends neither header (before 2020) needs Django's CSRF token.

    Raises:
        OriginRefused, FetchSiteRefused, CsrfTokenRefused: the check of that name failed.
    """
    # Django's test client sets this attribute, unless the test enforces the CSRF checks.
    if request.method in SAFE or getattr(request, "_dont_enforce_csrf_checks", False):
        return
    origin, site = request.META.get("HTTP_ORIGIN"), request.META.get("HTTP_SEC_FETCH_SITE")
    if origin is not None:
        _check_origin(request, origin, site)
    elif site is not None:
        if site not in _OWN:
            raise FetchSiteRefused(site)
    else:
        _check_token(request)


def _check_origin(request: HttpRequest, origin: str, site: str | None) -> None:
    own = _strip_default_port(f"{request.scheme}://{request.get_host()}")
    if _is_trusted(origin):
        return
    if origin == "null" and site == "same-origin":
        return  # a form under `Referrer-Policy: no-referrer`; a sandboxed frame would send cross-site
    if origin != own:
        raise OriginRefused(same_host=origin.partition("://")[2] == own.partition("://")[2])
    if site is not None and site not in _OWN:
        # With DNS rebinding another site can use this host name. The browser knows the real site.
        raise FetchSiteRefused(site)


def _strip_default_port(origin: str) -> str:
    """Return an origin in the form of browsers, without the default port that a proxy may add to ``Host``."""
    scheme, _, _ = origin.partition(":")
    return origin.removesuffix({"https": ":443", "http": ":80"}.get(scheme, ""))


def _is_trusted(origin: str) -> bool:
    """Return whether ``CSRF_TRUSTED_ORIGINS`` has this origin or a matching pattern."""
    if len(origin) > _MAX_ORIGIN_LENGTH:
        return False  # urlsplit converts letters to another form
    try:
        given = urlsplit(origin)
    except ValueError:
        return False
    for trusted in django_settings.CSRF_TRUSTED_ORIGINS:
        allowed = urlsplit(trusted)
        if "*" not in trusted:
            if origin == trusted:
                return True
        elif allowed.scheme == given.scheme and given.netloc.endswith(allowed.netloc.lstrip("*")):
            return True
    return False


class _TokenCheck(CsrfViewMiddleware):
    """Django's own CSRF check. It returns the reason for a refusal and not an answer."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _check_token(request: HttpRequest) -> None:
    # The endpoints are exempt from Django's middleware, so this function runs the check. The middleware
    # needs a view as an argument, but never calls the view.
    check = _TokenCheck(HttpResponse)
    check.process_request(request)
    reason = check.process_view(request, HttpResponse, (), {})
    if reason is not None:
        raise CsrfTokenRefused(str(reason))

"""Whether a request that a cookie authenticates was made by the site itself (CSRF).

Browsers send cookies with requests that other sites make them send. A header such as ``Authorization``
they do not send along by themselves, so where a header authenticates nothing has to be asked.
``docs/explanation/cookies.md`` has the table of cases; each is a test.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from drf_tessera.exceptions import CsrfTokenRefused, FetchSiteRefused, OriginRefused

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""

_OWN: Final = frozenset({"same-origin", "none"})
"""``Sec-Fetch-Site`` of a page of this origin, or of the person at the browser."""


def check_site(request: HttpRequest) -> None:
    """Let pass what the site itself sent, and every safe method.

    The browser says where a request comes from, and no page can make it say something else: ``Origin``,
    then ``Sec-Fetch-Site``. A browser that sends neither (before 2020) has to show Django's CSRF token.

    Raises:
        OriginRefused, FetchSiteRefused, CsrfTokenRefused: which of the three said no, and what it wants.
    """
    # Django's own mark, that its test client sets, unless it is told to enforce these checks.
    if request.method in _SAFE or getattr(request, "_dont_enforce_csrf_checks", False):
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
        return  # a form under `Referrer-Policy: no-referrer`; of a sandboxed frame it would be cross-site
    if origin != own:
        raise OriginRefused(origin, own)
    if site is not None and site not in _OWN:
        # The host may be ours by a trick of names (DNS rebinding); the browser knows better.
        raise FetchSiteRefused(site)


def _strip_default_port(origin: str) -> str:
    """Write an origin as browsers do, whatever a proxy writes into ``Host``."""
    scheme, _, _ = origin.partition(":")
    return origin.removesuffix({"https": ":443", "http": ":80"}.get(scheme, ""))


def _is_trusted(origin: str) -> bool:
    """Tell whether ``CSRF_TRUSTED_ORIGINS`` has this origin, or a pattern for it."""
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
    """Django's own check, which tells why and answers nothing itself."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _check_token(request: HttpRequest) -> None:
    # The endpoints are exempt from the middleware, and this asks in its place. It wants to be told of a view
    # behind it, and calls none.
    check = _TokenCheck(HttpResponse)
    check.process_request(request)
    reason = check.process_view(request, HttpResponse, (), {})
    if reason is not None:
        raise CsrfTokenRefused(str(reason))

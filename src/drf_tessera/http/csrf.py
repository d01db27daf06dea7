"""Whether a request that a cookie authenticates was made by the site itself (CSRF).

A browser also sends cookies with requests that another site causes. A browser never sends a header such as
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

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""

_OWN: Final = frozenset({"same-origin", "none"})
"""The values of ``Sec-Fetch-Site`` for requests from a page of this origin, or from the user directly."""


def check_site(request: HttpRequest) -> None:
    """Return if the site itself made the request, or if the method is safe.

    The headers ``Origin`` and ``Sec-Fetch-Site`` tell which site made the request. The browser writes them,
    and a page cannot change them. ``Origin`` is checked first. If a browser sends neither header (before
    2020), the request needs Django's CSRF token.

    Raises:
        OriginRefused, FetchSiteRefused, CsrfTokenRefused: that check failed. The error explains what the
            check needs.
    """
    # Django's test client sets this attribute, unless it is told to enforce the checks.
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
        return  # a form under `Referrer-Policy: no-referrer`; for a sandboxed frame, site is "cross-site"
    if origin != own:
        raise OriginRefused(origin, own)
    if site is not None and site not in _OWN:
        # The hosts may be equal because of DNS rebinding, but the browser still knows the other site.
        raise FetchSiteRefused(site)


def _strip_default_port(origin: str) -> str:
    """Return an origin as browsers write it. A proxy may write the default port into ``Host``."""
    scheme, _, _ = origin.partition(":")
    return origin.removesuffix({"https": ":443", "http": ":80"}.get(scheme, ""))


def _is_trusted(origin: str) -> bool:
    """Return whether ``CSRF_TRUSTED_ORIGINS`` contains this origin, or a pattern that matches it."""
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
    """Django's own check. It returns the reason of a refusal instead of a response."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _check_token(request: HttpRequest) -> None:
    # The endpoints are exempt from the middleware, so this function makes the check in its place. The
    # middleware's arguments include a view, but the middleware calls no view here.
    check = _TokenCheck(HttpResponse)
    check.process_request(request)
    reason = check.process_view(request, HttpResponse, (), {})
    if reason is not None:
        raise CsrfTokenRefused(str(reason))

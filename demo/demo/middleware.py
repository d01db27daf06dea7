"""One header for every page."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""Whatever a page loads or talks to is this server; nothing inline runs."""


class ContentSecurityPolicyMiddleware(MiddlewareMixin):
    """Send the policy: a text that got into a page as markup could still load and run nothing."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Add the header."""
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

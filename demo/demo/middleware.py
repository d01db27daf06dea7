"""Headers for every answer: what a page may load, and how many queries the answer took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db import connection
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


class QueryCountMiddleware:
    """Tell in ``X-Queries`` how many SQL statements an answer took, for the page to show.

    The pull of the revocation feed is one of them: about once a second, whoever asks then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and count."""
        count = 0

        def note(execute: Callable[..., Any], *arguments: Any) -> Any:
            nonlocal count
            count += 1
            return execute(*arguments)

        with connection.execute_wrapper(note):
            response = self.get_response(request)
        response.headers["X-Queries"] = str(count)
        return response

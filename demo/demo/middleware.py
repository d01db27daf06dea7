"""Headers for every answer: the content security policy, and the number of SQL queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

POLICY: Final = (
    "default-src 'self'; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""A page may load files only from this server and connect only to this machine. Inline scripts never run.

Sockets are named, because in some browsers ``'self'`` does not include them.
"""


class ContentSecurityPolicyMiddleware(MiddlewareMixin):
    """Sends the policy. Even if a text became markup in a page, this markup could load and run nothing."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Add the header to the answer."""
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class QueryCountMiddleware:
    """Counts the SQL statements of an answer in ``X-Queries``. The page shows this number.

    The query of the revocation feed counts too. About once a second, one request makes this query.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, with the number of statements."""
        count = 0

        def note(execute: Callable[..., Any], *arguments: Any) -> Any:
            nonlocal count
            count += 1
            return execute(*arguments)

        with connection.execute_wrapper(note):
            response = self.get_response(request)
        response.headers["X-Queries"] = str(count)
        return response

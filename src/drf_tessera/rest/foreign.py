"""The common part of the authentication classes under the names of other packages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from drf_tessera.conf import enter_tenant
from drf_tessera.exceptions import TokenError
from drf_tessera.http import point_to_metadata, trace_token
from drf_tessera.issuers import ForeignToken
from drf_tessera.rest.authentication import LateRefuser
from drf_tessera.rest.errors import to_late_refusal
from drf_tessera.rest.reports import report_refused_token
from drf_tessera.rest.requests import get_django_request
from drf_tessera.tokens import AccessToken, verify_access_token
from drf_tessera.tracing import AUTHENTICATE, traced

_Authenticate = TypeVar("_Authenticate", bound=Callable[..., Any])


class ForeignAuthentication(BaseAuthentication):
    """The parent of such a class. Its ``authenticate`` is decorated with :func:`reporting_refusals`."""

    refuse_late: Any = staticmethod(to_late_refusal)
    """Refuses a lazy user that turns out to be gone. The decorator replaces it for each request."""

    @sensitive_variables()
    def find_verified(self, credentials: Any) -> AccessToken | None:
        """Return our verified token behind ``request.auth``, or ``None`` for a token of the other package.

        Args:
            credentials: the value of ``request.auth``: an object of the other package, or the text of a token
                that this class has accepted.
        """
        if not isinstance(credentials, str | bytes):
            found = getattr(credentials, "verified", None)
            return found if isinstance(found, AccessToken) else None
        try:
            return verify_access_token(
                credentials if isinstance(credentials, str) else credentials.decode("ascii", "replace")
            )
        except TokenError:
            return None


def reporting_refusals(authenticate: _Authenticate) -> _Authenticate:
    """Return ``authenticate`` as a method that acts on the tenant of the request and reports each refusal."""

    @sensitive_variables()
    @traced(AUTHENTICATE, lambda token: trace_token(getattr(token and token[1], "verified", None)))
    @wraps(authenticate)
    def report(self: ForeignAuthentication, request: Request) -> Any:
        enter_tenant(request)
        self.refuse_late = LateRefuser(get_django_request(request))
        try:
            return authenticate(self, request)
        except AuthenticationFailed as error:
            report_refused_token(read_code(error), request)
            raise

    return cast("_Authenticate", report)


def find_token(request: Request) -> AccessToken | ForeignToken | None:
    """Return the verified token of a request, accepted by any of our classes."""
    found: Any = request.auth
    if isinstance(found, AccessToken | ForeignToken) or found is None:
        return found
    authenticator: Any = request.successful_authenticator
    return authenticator.find_verified(found) if isinstance(authenticator, ForeignAuthentication) else None


def challenge_by(scheme: str, realm: str, request: Request) -> str:
    """Return the challenge of a package with another name. With ``RESOURCE``, it names the metadata, too."""
    path: str = getattr(request, "path", "")  # a project may ask for the challenge of no request
    parts = [f'realm="{realm}"', *point_to_metadata(path)]
    return f"{scheme} {', '.join(parts)}"


def read_code(error: AuthenticationFailed) -> str:
    """Return the exact code of a refusal: its ``reason``, that of its first message, or its code."""
    detail: Any = error.detail
    if not isinstance(detail, dict):
        return str(error.get_codes())
    reasons = [detail.get("reason"), *(message["reason"] for message in detail.get("messages", ()))]
    return str(next(filter(None, reasons), detail["code"]))

"""Authentication for the asynchronous views of adrf: ``drf_tessera.contrib.adrf.AsyncJWTAuthentication``.

``JWTAuthentication`` works there, too. The views of adrf 0.1 authenticate in a thread in any case, so this
class is for views of your own that await their authentication classes, and for a later adrf.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from rest_framework.request import Request

from drf_tessera.exceptions import CsrfFailed
from drf_tessera.http import has_credentials, recall_access, trace_token
from drf_tessera.rest.authentication import JWTAuthentication, LateRefuser, vary
from drf_tessera.rest.errors import to_api_exception
from drf_tessera.rest.requests import get_django_request
from drf_tessera.tokens import AccessToken
from drf_tessera.tracing import AUTHENTICATE, traced
from drf_tessera.users import recall_user


class AsyncJWTAuthentication(JWTAuthentication):
    """Authenticate like ``JWTAuthentication``, as a coroutine.

    A token that this process has verified before needs no thread. Every other case is left to the parent in a
    thread, and so is a subclass with a ``get_header`` or ``find_user`` of its own.
    """

    @traced(AUTHENTICATE, lambda pair: trace_token(pair and pair[1]))
    async def authenticate(  # type: ignore[override]  # a coroutine in place of its result
        self, request: Request | HttpRequest
    ) -> tuple[AbstractBaseUser, AccessToken] | None:
        """Return the user and the token, or ``None`` if the request has no token for this class."""
        plain = get_django_request(request)
        try:
            token = recall_access(plain, personal=self.accepts_personal_tokens) if self._is_usual() else None
        except CsrfFailed as error:
            raise to_api_exception(error, request) from error
        if token is not None:
            user = recall_user(token, refuse=LateRefuser(plain), fail=to_api_exception)
            if user is not None:
                vary(request, without_header=not has_credentials(plain, cookie=False))
                return user, token
        return await sync_to_async(super().authenticate)(request)

    def _is_usual(self) -> bool:
        kind, parent = type(self), JWTAuthentication
        return kind.get_header is parent.get_header and kind.find_user is parent.find_user

"""The limits of ``limits/`` as throttles of REST framework.

A throttle is called before the body is read, so the limit of the address stands before every other step. The
limits of an account are part of the login itself (:func:`drf_tessera.limits.login_attempt`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from drf_tessera.exceptions import LoginFailed, TooManyAttempts
from drf_tessera.http import count_proxies, read_address
from drf_tessera.limits import TokenRequest, admit_address, login_attempt
from drf_tessera.rest.requests import find_client, get_django_request
from drf_tessera.users import MAX_NAME_LENGTH

if TYPE_CHECKING:
    # REST framework's views import the authentication classes of the settings. A class of a project may
    # import the serializers of this package, and they import this module.
    from rest_framework.views import APIView

Post = Callable[..., Response]


def account_fields() -> tuple[str, ...]:
    """Return the fields that may name the account of a login. All except ``email`` mean the user name."""
    return tuple(dict.fromkeys(("username", get_user_model().USERNAME_FIELD, "email")))


def proxies_are_counted() -> bool:
    """Return whether the project has set the number of proxies in front of the server."""
    return api_settings.NUM_PROXIES is not None


class _Throttle(BaseThrottle):
    """A throttle that remembers when the next attempt is allowed."""

    def __init__(self) -> None:
        self._retry_after: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Return whether the request is within the limit."""
        try:
            self.count(request, view)
        except TooManyAttempts as error:
            self._retry_after = error.retry_after
            return False
        return True

    @abstractmethod
    def count(self, request: Request, view: APIView) -> None:
        """Count the request.

        Raises:
            TooManyAttempts: the limit is reached.
        """

    def wait(self) -> float | None:
        """Return the seconds until the next attempt is allowed."""
        return self._retry_after


class LoginAddressThrottle(_Throttle):
    """``LOGIN_RATE_PER_ADDRESS``: the limit of failed logins from one address, for all accounts.

    A login that succeeds is not counted, if its answer is made by :func:`drf_tessera.http.deliver_grant` or
    within :func:`drf_tessera.limits.login_attempt`.
    """

    def count(self, request: Request, view: APIView) -> None:
        """Count the request as a failed login, until it succeeds."""
        admit_address(get_django_request(request), find_client(request))


class TokenAddressThrottle(_Throttle):
    """``TOKEN_RATE_PER_ADDRESS``: the limit of requests from one address whose token is not authentic.

    Each class of views has limits of its own.
    :meth:`~drf_tessera.rest.endpoints.TokenView.count_for` moves the request to its session.
    """

    def count(self, request: Request, view: Any) -> None:
        """Count the request for its address."""
        address = read_address(get_django_request(request), proxies=count_proxies())
        view.token_request = TokenRequest(type(view).__name__, address)


class TokenThrottle(TokenAddressThrottle):
    """The limits of :class:`TokenAddressThrottle`, and of the session of a token in the body.

    This is for a view whose serializer reads the token.
    """

    def count(self, request: Request, view: Any) -> None:
        """Count the request for its address, or for the session of its token."""
        super().count(request, view)
        for name in ("refresh", "token"):
            view.count_token(read_field(request, name))


def counted_login(post: Post) -> Post:
    """Make a method of a view that counts failed logins.

    This is for a view whose serializer checks the password, because the serializer may be the project's own.
    The method raises ``TooManyAttempts`` if a limit is reached.
    """

    @wraps(post)
    def count_and_post(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer()
        own, fields = getattr(serializer, "username_field", ""), getattr(serializer, "fields", ())
        # Only the names that the serializer reads: a stranger may add others, which would be counted instead.
        given = [_read_name(read_field(request, name)) for name in (own, *account_fields()) if name in fields]
        names = [name for name in given if name]
        refusals = (LoginFailed, APIException)
        with login_attempt(
            get_django_request(request), names, client=find_client(request), refusals=refusals
        ):
            return post(self, request, *args, **kwargs)

    return count_and_post


def read_field(request: Request, name: str) -> object:
    """Return a field of the body as it was sent, or ``None``."""
    return request.data.get(name) if isinstance(request.data, Mapping) else None


def _read_name(value: object) -> str:
    """Return the text of a name, or an empty text if the serializer will refuse the value."""
    # A number must share the limit of its text, because the serializer converts a number to its text.
    text = str(value) if isinstance(value, str | int | float) else ""
    return text if len(text) <= MAX_NAME_LENGTH else ""

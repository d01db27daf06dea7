"""The two kinds of requests, their clients, and the types of requests for annotations.

:func:`get_django_request` accepts a request of REST framework or of Django. The classes are for annotations.
REST framework passes a plain ``Request`` at run time, and a type checker learns which user and which token
the request has::

    def get(self, request: AuthenticatedRequest[User]) -> Response:
        return Response({"email": request.user.email, "session": str(request.auth.session_id)})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.request import Request

from drf_tessera.exceptions import Refusal
from drf_tessera.http import count_proxies, describe_client
from drf_tessera.sessions import Client
from drf_tessera.tokens import AccessToken

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # type checkers know it without an installation

    UserT = TypeVar("UserT", bound=AbstractBaseUser, default=AbstractBaseUser)
else:
    from typing import TypeVar

    UserT = TypeVar("UserT", bound=AbstractBaseUser)


def get_django_request(request: Request | HttpRequest) -> HttpRequest:
    """Return Django's request: the given one, or the one inside a request of REST framework."""
    found: HttpRequest = getattr(request, "_request", request)
    return found


def find_client(request: Request | HttpRequest, *, label: str = "") -> Client:
    """Return where a login comes from: address and user agent, and a ``label`` that the client gives itself.

    REST framework's ``NUM_PROXIES`` says how many proxies are in front of the server.
    """
    return describe_client(get_django_request(request), proxies=count_proxies(), label=label)


class AuthenticatedRequest(Request, Generic[UserT]):
    """The request of a view that only authenticated users reach.

    ``AuthenticatedRequest[User]`` names the project's user model.
    """

    user: UserT  # type: ignore[assignment]  # the permission classes of the view exclude anonymous users
    auth: AccessToken


class PublicRequest(Request, Generic[UserT]):
    """The request of a view that uses ``OptionalJWTAuthentication``."""

    user: UserT | AnonymousUser  # type: ignore[assignment]  # the stubs expect AbstractBaseUser
    auth: AccessToken | None
    token_error: Refusal | None
    """The reason why a token was refused. ``None`` if no token was refused."""

"""The responses that hand out tokens. Every login ends in :func:`respond`, ours and those of projects."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.cache import add_never_cache_headers
from django.views.decorators.debug import sensitive_variables
from rest_framework.request import Request
from rest_framework.response import Response

from drf_tessera import sessions
from drf_tessera.exceptions import CsrfFailed
from drf_tessera.http import admit_login, deliver_grant
from drf_tessera.rest.errors import translate_error
from drf_tessera.rest.requests import get_django_request
from drf_tessera.rest.serializers import UserSerializer


@sensitive_variables()
def respond(
    request: Request | HttpRequest,
    user: AbstractBaseUser,
    grant: sessions.Grant,
    *,
    status: int = 200,
    user_data: object = None,
) -> Response:
    """Return the answer to a login: the tokens of ``grant`` as they travel, and the user.

    A registration, a social login, an invitation or a magic link ends in these lines::

        grant = sessions.start(user, client=find_client(request))
        return respond(request, user, grant)

    With the transport "cookie" the response sets the cookies. No cache may store the response.

    Args:
        request: the request of the login.
        user: the user who has logged in.
        grant: the result of :func:`drf_tessera.sessions.start`.
        status: the status of the response, for example 201 after a registration.
        user_data: the value of ``user`` in the body. By default that of our own login.

    Raises:
        Forbidden: the tokens travel in cookies, and another site may have made the request. The session has
            been ended: otherwise another site could log its visitors in as another user.
    """
    try:
        admit_login(get_django_request(request), grant.transport)
    except CsrfFailed as error:
        sessions.revoke(grant.session_id)
        raise translate_error(error) from None  # REST framework's own handler answers it with 403
    if user_data is None:
        user_data = UserSerializer(user, context={"request": request}).data
    response = write_grant(request, grant, user=user_data)
    response.status_code = status
    add_never_cache_headers(response)
    return response


@sensitive_variables()
def write_grant(request: Request | HttpRequest, grant: sessions.Grant, **more: object) -> Response:
    """Return a response with the tokens of ``grant`` as they travel, and ``more`` fields."""
    response = Response()
    response.data = {**deliver_grant(get_django_request(request), response, grant), **more}
    return response

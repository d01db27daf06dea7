from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera import OptionalJWTAuthentication, StrictJWTAuthentication


class Me(APIView):
    """A protected view, as in a project."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"id": str(request.user.pk)})


class Name(APIView):
    """A protected view that reads a column of the user."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"name": str(getattr(request.user, request.user.USERNAME_FIELD))})


class StrictMe(Me):
    """A protected view that refuses an ended session at once."""

    authentication_classes = (StrictJWTAuthentication,)


class Public(APIView):
    """A public view that greets a known user."""

    authentication_classes = (OptionalJWTAuthentication,)
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        error = getattr(request, "token_error", None)
        return Response(
            {
                "id": str(request.user.pk) if request.user.is_authenticated else None,
                "reason": error.code if error else None,
            }
        )


def note_user(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return a middleware that reads the user after the view, for example for a log."""

    def note(request: HttpRequest) -> HttpResponse:
        answer = get_response(request)
        answer["X-User"] = request.user.get_username()
        return answer

    return note

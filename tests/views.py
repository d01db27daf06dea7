from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera import OptionalJWTAuthentication, StrictJWTAuthentication


class Me(APIView):
    """A protected view, as a project would write it."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"id": str(request.user.pk)})


class Name(APIView):
    """A protected view that looks at the user."""

    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"name": str(request.user.get_username())})


class StrictMe(Me):
    """A protected view that lets nobody in for even a second too long."""

    authentication_classes = (StrictJWTAuthentication,)


class Public(APIView):
    """A public view that greets whom it knows."""

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
    """A middleware that looks at the user after the view, as one for a log would."""

    def note(request: HttpRequest) -> HttpResponse:
        answer = get_response(request)
        answer["X-User"] = request.user.get_username()
        return answer

    return note

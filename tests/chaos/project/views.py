"""The views of an operator, and a middleware that a deployment needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count

from django.contrib.auth import get_user_model
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera import sessions
from drf_tessera.exceptions import TemporarilyUnavailable
from tests.chaos import tempo


def name_process(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Write the server, the process and the time that it took into each answer, for the log of a breach.

    A request that waits for a thread of the server is not here yet, so that time does not count. The answer
    also has the number of the statements that the request sent on its own connection.
    """
    name = os.environ.get("TESSERA_CHAOS_SERVER", "")

    def write(request: HttpRequest) -> HttpResponse:
        began, statements = time.monotonic(), count()

        def note(execute: Callable[..., object], *arguments: object) -> object:
            next(statements)
            return execute(*arguments)

        with connection.execute_wrapper(note):
            response = get_response(request)
        response["X-Statements"] = str(next(statements))
        response["X-Process"] = f"{name} {os.getpid()}"
        response["X-Took"] = f"{time.monotonic() - began:.3f}"
        return response

    return write


def shed_old_requests(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Refuse a request that waited in the queue of this server for too long.

    The refresh rule assumes this (docs/explanation/refresh.md). The balancer writes the time of arrival. All
    processes of this machine share one monotonic clock.
    """

    def shed(request: HttpRequest) -> HttpResponse:
        arrived = float(request.headers.get("X-Request-Start", "inf"))
        if time.monotonic() - arrived < tempo.GIVE_UP or arrived == float("inf"):
            return get_response(request)
        body = {"detail": "The request waited for too long.", "code": "queued_too_long"}
        return JsonResponse(body, status=503, headers={"Retry-After": "1"})

    return shed


class EndEverywhere(APIView):
    """End all sessions of a user, as an operator does."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        try:
            user = get_user_model()._default_manager.get_by_natural_key(request.data["user"])
            return Response({"revoked": sessions.revoke_all(user)})
        except (Error, TemporarilyUnavailable):  # an error of a project's own view is not the package's
            body = {"detail": "Try again.", "code": "operator_unavailable"}
            return Response(body, status=503, headers={"Retry-After": "1"})

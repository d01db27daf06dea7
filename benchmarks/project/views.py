"""The measured views. All views answer the same bytes, so that only the authentication differs."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

ANSWER = {"ok": True, "text": "The same for everybody."}


class PingView(APIView):
    """A view that the peer's authentication and ``IsAuthenticated`` protect, as the project's defaults."""

    def get(self, request: Request) -> Response:
        """Return the answer."""
        return Response(ANSWER)


class OpenView(PingView):
    """The same view without authentication. It is the floor."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class TouchedView(PingView):
    """A protected view that reads a column of the user's row, as most views with a user do."""

    def get(self, request: Request) -> Response:
        """Read the column, and return the answer."""
        if not request.user.email:  # type: ignore[union-attr]  # nobody is anonymous behind IsAuthenticated
            raise ValueError("Every user of the benchmarks has an address.")
        return super().get(request)


class FloorView(APIView):
    """The least work of a rotation: read a JSON body, make one keyed ``UPDATE`` with its commit, answer.

    This view uses the ORM, on the same table and columns as the real refresh. Its answer has the same size.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Update the row that the body names."""
        now = timezone.now()
        key = request.data["refresh"]  # type: ignore[call-overload]  # the body is an object, and no list
        self.write(key, now, now + timedelta(days=14))
        return Response(
            {
                "access": "a" * 420,
                "refresh": "r" * 190,
                "token_type": "Bearer",
                "expires_in": 300,
                "refresh_expires_in": 1_209_600,
                "session": request.data["refresh"],  # type: ignore[call-overload]  # the same
            }
        )

    def write(self, key: str, now: Any, later: Any) -> None:
        """Write with the ORM."""
        # Import here, because the environments of the other peers do not have this model.
        from drf_tessera.models import Session

        Session.objects.filter(pk=uuid.UUID(key)).update(
            generation=1, parent=0, recoveries=0, rotated_at=now, idle_expires_at=later
        )


class BareFloorView(FloorView):
    """The same view with plain SQL. Only the work of REST framework and the database remains."""

    def write(self, key: str, now: Any, later: Any) -> None:
        """Write with a cursor."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE tessera_session SET generation = 1, parent = 0, recoveries = 0,"
                " rotated_at = %s, idle_expires_at = %s WHERE id = %s",
                [now, later, uuid.UUID(key)],
            )

"""The views that are measured. All answer the same bytes, so that only the authentication differs."""

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
    """Protected by the peer's authentication and ``IsAuthenticated``, the project's defaults."""

    def get(self, request: Request) -> Response:
        """Answer."""
        return Response(ANSWER)


class OpenView(PingView):
    """The same without authentication: the floor."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class TouchedView(PingView):
    """Protected, and it looks at a column of the user's row, as most views that have a user do."""

    def get(self, request: Request) -> Response:
        """Look and answer."""
        if not request.user.email:
            raise ValueError("Every user of the benchmarks has an address.")
        return super().get(request)


class FloorView(APIView):
    """The least that a rotation can be: read a JSON body, one keyed ``UPDATE`` with its commit, answer.

    By the ORM, on the table and with the columns of the real refresh, and an answer of its size.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        """Update the row that the body names."""
        now = timezone.now()
        self.write(request.data["refresh"], now, now + timedelta(days=14))
        return Response(
            {
                "access": "a" * 420,
                "refresh": "r" * 190,
                "token_type": "Bearer",
                "expires_in": 300,
                "refresh_expires_in": 1_209_600,
                "session": request.data["refresh"],
            }
        )

    def write(self, key: str, now: Any, later: Any) -> None:
        """Write by the ORM."""
        # Here, because the other peers' environments have no such model.
        from drf_tessera.models import Session

        Session.objects.filter(pk=uuid.UUID(key)).update(
            generation=1, parent=0, recoveries=0, rotated_at=now, idle_expires_at=later
        )


class BareFloorView(FloorView):
    """The same with the statement written by hand: what is left is REST framework and the database."""

    def write(self, key: str, now: Any, later: Any) -> None:
        """Write by a cursor."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE tessera_session SET generation = 1, parent = 0, recoveries = 0,"
                " rotated_at = %s, idle_expires_at = %s WHERE id = %s",
                [now, later, uuid.UUID(key)],
            )

"""The events for the page, and its time lapse."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera.models import Session
from drf_tessera.rest.shapes import ErrorSerializer, InvalidSerializer
from timeline import events
from timeline.serializers import LapseSerializer, TimelineSerializer


class TimelineView(APIView):
    """The events after event ``since``, for the sessions of all users.

    Everybody may read the events, so that the page can draw them after a logout. The answer contains no
    token. This view is only for the demo: a real server should show such events only to its staff.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        parameters=[OpenApiParameter("since", int, description="The number of an event.")],
        responses={200: TimelineSerializer, 400: ErrorSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return the events and the users of their sessions."""
        since = request.query_params.get("since", "0")
        if not since.isascii() or not since.isdigit() or len(since) > 15:
            raise exceptions.ParseError(_("since must be the number of an event."))
        found = _without_personal(events.list_since(int(since)))
        sessions = {event["session"] for event in found if event["kind"] == "started"}
        return Response(
            {"now": time.time_ns() // 1_000_000, "events": found, "sessions": _describe(sessions)}
        )


class LapseView(APIView):
    """The time lapse of the page, so that nobody has to wait for the end of a grace window.

    It moves the last rotation of the session of the request into the past. This view is only for the demo: in
    a project, only drf-tessera writes its tables.
    """

    serializer_class = LapseSerializer

    @extend_schema(request=LapseSerializer, responses={200: LapseSerializer, 400: InvalidSerializer})
    def post(self, request: Request) -> Response:
        """Move the last rotation of the session of the access token into the past."""
        body = LapseSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        seconds = body.validated_data["seconds"]
        session_id = request.auth.session_id
        passed = F("rotated_at") - timedelta(seconds=seconds)
        Session.objects.filter(pk=session_id).update(rotated_at=passed)
        events.note_lapse(session_id, seconds)
        return Response({"seconds": seconds})


def _without_personal(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events without those of personal access tokens, which have no refresh tokens to draw."""
    ids = {UUID(event["session"]) for event in found}
    rows = Session.objects.filter(pk__in=ids, personal=True)
    personal = {str(pk) for pk in rows.values_list("pk", flat=True)}
    return [event for event in found if event["session"] not in personal]


def _describe(sessions: set[str]) -> dict[str, dict[str, str]]:
    if not sessions:
        return {}
    rows = Session.objects.filter(pk__in=[UUID(text) for text in sessions])
    return {
        str(row["pk"]): {"user": row["name"], "device": row["label"] or row["device"]}
        for row in rows.values("pk", "label", "device", name=F("user__username"))
    }

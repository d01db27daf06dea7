"""The messages to an address."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from postbox import backend
from postbox.serializers import MessageSerializer


class PostboxView(APIView):
    """The messages that the demo has sent to an address since its start, newest first.

    This view is only for the demo, so that the page can show a mailbox. Everybody may read it.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        parameters=[OpenApiParameter("to", str, required=True, description="The address.")],
        responses={200: MessageSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        """Return the messages."""
        return Response(backend.list_messages(request.query_params.get("to", "")))

"""A Django API that is the resource of MCP clients, in as few lines as the protocol needs."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from drf_tessera import JWTAuthentication
from drf_tessera.rest.permissions import HasScope

TOOL = {"name": "whoami", "description": "Who calls.", "inputSchema": {"type": "object", "properties": {}}}


class Mcp(APIView):
    """The transport "streamable HTTP" without streams: each message has one answer, in JSON."""

    authentication_classes = (JWTAuthentication,)
    permission_classes = (HasScope("read"),)
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return self.get_renderers()[0], JSONRenderer.media_type

    def post(self, request: Request) -> Response:
        message: Any = request.data
        if "id" not in message:
            return Response(status=202)
        method, params = message["method"], message.get("params", {})
        if method == "initialize":
            result: dict[str, Any] = {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "notes", "version": "1"},
            }
        elif method == "tools/list":
            result = {"tools": [TOOL]}
        else:
            text = f"{request.user} with {' '.join(sorted(request.auth.scopes))}"
            result = {"content": [{"type": "text", "text": text}]}
        return Response({"jsonrpc": "2.0", "id": message["id"], "result": result})


urlpatterns = [
    path("", include("drf_tessera.rest.metadata")),
    path("mcp", Mcp.as_view()),
]

"""The tests of the page about clients of MCP. They run as the tests of its project."""

import json

from django.contrib.auth import get_user_model
from django.test import TestCase

from drf_tessera import sessions

INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}


class Server(TestCase):
    def setUp(self):
        user = get_user_model().objects.create_user(
            "anna", "anna@example.com", "correct horse battery staple"
        )
        access = sessions.start(user, scope="notes:read").access
        self.headers = {"Authorization": f"Bearer {access}"}

    def post(self, body):
        return self.client.post("/mcp", json.dumps(body), "application/json", headers=self.headers)

    def call(self, method):
        answer = self.post({"jsonrpc": "2.0", "id": 7, "method": method})
        assert answer.status_code == 200
        assert answer.json()["id"] == 7
        return answer.json()

    def test_the_view_answers_what_a_client_sends(self):
        assert self.post(INITIALIZE).json()["result"]["protocolVersion"] == "2025-06-18"
        assert self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
        assert self.call("tools/list")["result"]["tools"][0]["name"] == "whoami"
        assert self.call("tools/call")["result"]["content"][0]["text"] == "anna"
        assert self.call("prompts/list")["error"]["code"] == -32601

    def test_no_body_is_a_500(self):
        for body in ([], [INITIALIZE], 1, None, "x", {}, {"id": 1}):
            assert self.post(body).status_code == 400, body
        for method in (5, None, [], "initialize"):
            assert self.call(method)

    def test_a_client_finds_its_way(self):
        challenge = self.client.get("/mcp").headers["WWW-Authenticate"]
        address = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
        assert f'resource_metadata="{address}"' in challenge
        document = self.client.get("/.well-known/oauth-protected-resource/mcp")
        assert document.json()["scopes_supported"] == ["notes:read"]
        assert document.headers["Access-Control-Allow-Origin"] == "*"

"""A client of the Model Context Protocol: ``python mcp_client.py ADDRESS ISSUER``.

It knows the address of the server and its own name and secret at the issuer. It finds everything else by the
challenge and the metadata. It prints its requests, and what the tool has answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx2
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client


class Memory:
    """The place where the client keeps its tokens."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client: Any) -> None:
        self.client = client


async def main(address: str, issuer: str) -> None:
    seen: list[list[Any]] = []

    async def note(response: httpx2.Response) -> None:
        seen.append([response.request.method, str(response.request.url), response.status_code])

    secret = "the secret of a robot in the tests"
    auth = ClientCredentialsOAuthProvider(address, Memory(), "robot", secret, issuer=issuer)
    async with (
        httpx2.AsyncClient(auth=auth, event_hooks={"response": [note]}) as http,
        Client(streamable_http_client(address, http_client=http), mode="legacy") as client,
    ):
        tools = await client.list_tools()
        answer = await client.call_tool("whoami", {})
    names = [tool.name for tool in tools.tools]
    sys.stdout.write(json.dumps({"seen": seen, "tools": names, "answer": answer.content[0].text}))


asyncio.run(main(*sys.argv[1:]))

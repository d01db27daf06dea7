"""A client of MCP that others wrote finds its way from a 401 to an answer, by the metadata alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.environments import install_mcp, install_packages
from tests.issuers.material import make_jwk
from tests.issuers.test_real_providers import NODE, Real
from tests.servers import PATIENCE, require

pytestmark = [pytest.mark.once, pytest.mark.server, pytest.mark.urls("tests.issuers.mcp_urls")]

CLIENT = Path(__file__).parent / "mcp_client.py"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Real]:
    (node,) = require("node")
    install_packages(NODE)
    found = Real([node, str(NODE / "provider.mjs")], tmp_path)
    found.start(make_jwk("one", "RS256"))
    try:
        yield found
    finally:
        found.stop()


@pytest.mark.long
def test_from_the_challenge_to_an_answer(provider: Real, live_server: Any, settings: Any) -> None:
    address = f"{live_server.url}/mcp"
    settings.TESSERA = {
        "RESOURCE": address,
        "ISSUERS": [{"issuer": provider.issuer, "audience": address}],
    }
    command = [install_mcp(), str(CLIENT), address, provider.issuer]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["tools"], found["answer"]) == (["whoami"], "robot with read")
    seen = [tuple(request) for request in found["seen"]]
    assert seen[0] == ("POST", address, 401)
    assert seen[1] == ("GET", f"{live_server.url}/.well-known/oauth-protected-resource/mcp", 200)
    assert ("POST", f"{provider.issuer}/token", 200) in seen
    assert all(
        status in {200, 202} for method, place, status in seen[3:] if (method, place) == ("POST", address)
    )

"""The requests of the tests of outages, and the table of the answers.

``docs/explanation/outages.md`` shows :data:`TABLE`, and test_page.py compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from tests.conftest import PASSWORD
from tests.servers import call

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One request. Each endpoint has a user of its own, because some of them end all sessions of a user."""

    name: str
    column: str
    """The column of the table."""
    path: str
    method: str = "POST"
    sends: str = ""
    """The token in the body: ``refresh`` or ``token``. Otherwise the access token is in the header."""
    succeeds: int = 200

    @property
    def user(self) -> str:
        return self.name.replace(" ", "_")

    def send(self, server: str, grant: Mapping[str, Any]) -> Answer:
        url = server + self.path.replace("<session>", str(grant.get("session")))
        if self.name == "login":
            return call(url, {"username": self.user, "password": PASSWORD})
        if self.sends:
            return call(url, {self.sends: grant["refresh" if self.sends == "refresh" else "access"]})
        return call(url, token=grant["access"], method=self.method)


ENDPOINTS: Final = (
    Endpoint("login", "login", "/api/token/"),
    Endpoint("refresh", "refresh", "/api/token/refresh/", sends="refresh"),
    Endpoint("verify", "verify, list", "/api/token/verify/", sends="token"),
    Endpoint("list", "verify, list", "/api/token/sessions/", "GET"),
    Endpoint("revoke by refresh token", "revoke", "/api/token/revoke/", sends="refresh"),
    Endpoint("revoke by access token", "revoke", "/api/token/revoke/"),
    Endpoint("end one", "revoke", "/api/token/sessions/<session>/", "DELETE", succeeds=204),
    Endpoint("end others", "revoke", "/api/token/sessions/others/", "DELETE"),
    Endpoint("end all", "revoke", "/api/token/sessions/", "DELETE"),
    Endpoint("call", "call", "/me/", "GET"),
    Endpoint("call that reads the user", "call that reads the user", "/name/", "GET"),
    Endpoint("strict call", "call that reads the user", "/strict/", "GET"),
)

NAMES: Final = [endpoint.user for endpoint in ENDPOINTS]
COLUMNS: Final = tuple(dict.fromkeys(endpoint.column for endpoint in ENDPOINTS))

_FINE: Final = dict.fromkeys(COLUMNS, "200")
_AWAY: Final = {**dict.fromkeys(COLUMNS, "503 `database_unavailable`"), "call": "200"}
_READS: Final = {**_AWAY, "verify, list": "200", "call that reads the user": "200"}

TABLE: Final[Mapping[str, Mapping[str, str]]] = {
    "down": _AWAY,
    "restarted": _FINE,
    "read-only": _READS,
    "out of connections": _AWAY,
    "disk full": _READS,
    "deadlock": _FINE,
    "behind PgBouncer in transaction mode": _FINE,
    "behind PgBouncer, which has no connection to spare": _AWAY,
    "behind PgBouncer, and down": _AWAY,
    "failed over, and commits are lost": _FINE,
}
"""The answers by situation and column. ``200`` stands for any success."""


def log_in(server: str, name: str) -> dict[str, Any]:
    """Log a user in. Return the tokens and the id of the session."""
    status, body = call(f"{server}/api/token/", {"username": name, "password": PASSWORD})
    assert status == 200, body
    status, found = call(f"{server}/api/token/sessions/", token=body["access"], method="GET")
    assert status == 200, found
    current = [item["id"] for item in found if item["current"]]  # type: ignore[index]  # a list
    return {**body, "session": current[0]}


def log_everybody_in(server: str) -> dict[str, dict[str, Any]]:
    """Log in the user of each endpoint, and let the process read the list of ended sessions."""
    grants = {endpoint.name: log_in(server, endpoint.user) for endpoint in ENDPOINTS}
    assert call(f"{server}/me/", token=grants["call"]["access"], method="GET")[0] == 200
    return grants


def ask(server: str, grants: Mapping[str, Mapping[str, Any]], situation: str, *, at_once: int = 1) -> None:
    """Send each request, some at once. Fail if an answer differs from the table."""
    with ThreadPoolExecutor(at_once) as threads:
        answers = threads.map(lambda endpoint: endpoint.send(server, grants[endpoint.name]), ENDPOINTS)
        found = {
            endpoint.name: _describe(answer) for endpoint, answer in zip(ENDPOINTS, answers, strict=True)
        }
    assert found == {endpoint.name: TABLE[situation][endpoint.column] for endpoint in ENDPOINTS}


def _describe(answer: Answer) -> str:
    """Return the answer as the table has it. A 503 has a code in JSON, and says when to come again."""
    status, body = answer
    if status in (200, 204):
        return "200"
    assert {"detail", "code", "headers"} == body.keys(), answer
    assert status != 503 or int(body["headers"]["Retry-After"]) > 0
    assert body["headers"]["Content-Type"] == "application/json"
    return f"{status} `{body['code']}`"


def repeat(
    server: str,
    grants: Mapping[str, Mapping[str, Any]],
    *,
    before: Callable[[], object] = lambda: None,
    done: Collection[str] = (),
) -> None:
    """Send each request again, and fail if one does not succeed: then something was spent.

    Args:
        before: called before each request.
        done: the names of requests that are left out.
    """
    for endpoint in ENDPOINTS:
        if endpoint.name in done:
            continue
        before()
        status, body = endpoint.send(server, grants[endpoint.name])
        assert status == endpoint.succeeds, (endpoint.name, body)
        assert "revoked" not in body or body["revoked"] is not False, (endpoint.name, body)


def log_in_until_full(server: str, fill: Callable[[], object] = lambda: None) -> None:
    """Log in until no login succeeds. The pages of the tables still have some room, so the first ones may."""
    statuses: list[int] = []
    while statuses[-20:] != [503] * 20:
        status, body = call(f"{server}/api/token/", {"username": "login", "password": PASSWORD})
        assert status in (200, 503), body
        assert status == 200 or body["code"] == "database_unavailable"
        statuses.append(status)
        fill()


def ask_full(server: str, grants: Mapping[str, Mapping[str, Any]], situation: str) -> set[str]:
    """Send all requests but the login to a full database. Return the names of the logouts that succeeded.

    The pages of the tables may still have some room. So a write succeeds, or its answer is that of the table.
    """
    done = set[str]()
    for endpoint in ENDPOINTS:
        if endpoint.name == "login":
            continue  # log_in_until_full() has asked
        found, expected = _describe(endpoint.send(server, grants[endpoint.name])), TABLE[situation]
        assert found in {"200", expected[endpoint.column]}, (endpoint.name, found)
        if endpoint.column == "revoke" and found == "200":
            done.add(endpoint.name)
    return done

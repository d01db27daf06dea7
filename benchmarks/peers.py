"""The measured peers: each peer, its environment, and the settings of its variants."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
HOME: Final = ROOT / ".bench"
"""All files of a run except its results: environments, databases and scratch files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One way to authenticate a request."""

    name: str
    """The name in the command line and of databases."""
    title: str
    environment: str
    scheme: str
    """The name of the authentication in ``benchmarks.project``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The Django settings of this variant."""
    touched: bool = False
    """Whether the view reads a column of the user's row."""

    def describe(self, database: str, *, name: str = "", connections: int | None = None) -> dict[str, str]:
        """Return the environment variables with which ``benchmarks.project`` becomes this peer's project.

        Args:
            database: ``sqlite`` or ``postgres``.
            name: the name of the database, if it is not the peer's own.
            connections: Django's ``CONN_MAX_AGE``.
        """
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONHASHSEED": "0",
            "DJANGO_SETTINGS_MODULE": "benchmarks.project.settings",
            "BENCH_SCHEME": self.scheme,
            "BENCH_SETTINGS": json.dumps(dict(self.settings)),
            "BENCH_DATABASE": database,
            "BENCH_DATABASE_NAME": f"tessera_bench_{name or self.name}".replace("-", "_"),
            "BENCH_CONN_MAX_AGE": json.dumps(connections),
        }


def _tessera(**settings: Any) -> dict[str, Any]:
    # A run takes longer than five minutes. The lifetime of a token does not change any cost.
    return {"TESSERA": {"ACCESS_LIFETIME": 7200, **settings}}


TESSERA: Final = Peer(
    name="tessera", title="drf-tessera", environment="tessera", scheme="tessera", settings=_tessera()
)
TOUCHED: Final = Peer(
    name="tessera-touched",
    title="drf-tessera, user's row touched",
    environment="tessera",
    scheme="tessera",
    settings=_tessera(),
    touched=True,
)
SIMPLEJWT: Final = Peer(name="simplejwt", title="simplejwt", environment="simplejwt", scheme="simplejwt")
BLACKLIST: Final = Peer(
    name="simplejwt-blacklist",
    title="simplejwt, rotation and blacklist",
    environment="simplejwt",
    scheme="simplejwt-blacklist",
)
LAST_LOGIN: Final = Peer(
    name="simplejwt-last-login",
    title="simplejwt, rotation, blacklist and last_login",
    environment="simplejwt",
    scheme="simplejwt-blacklist",
    settings={"SIMPLE_JWT": {"UPDATE_LAST_LOGIN": True}},
)
"""This variant stores as much at a login as drf-tessera: the login and its time. Use it only for logins."""

PEERS: Final = (
    TESSERA,
    TOUCHED,
    Peer(
        name="tessera-database",
        title='drf-tessera, USER = "database"',
        environment="tessera",
        scheme="tessera",
        settings=_tessera(USER="database"),
    ),
    Peer(
        name="tessera-eddsa",
        title="drf-tessera, EdDSA",
        environment="tessera",
        scheme="tessera",
        settings=_tessera(KEYS=[{"alg": "EdDSA", "file": str(HOME / "keys" / "EdDSA.pem")}]),
    ),
    SIMPLEJWT,
    BLACKLIST,
    Peer(
        name="simplejwt-stateless",
        title="simplejwt, stateless",
        environment="simplejwt",
        scheme="simplejwt-stateless",
    ),
    Peer(name="knox", title="django-rest-knox", environment="knox", scheme="knox"),
    Peer(
        name="drf-token", title="REST framework's TokenAuthentication", environment="drf", scheme="drf-token"
    ),
    Peer(
        name="dj-rest-auth",
        title="dj-rest-auth, JWT cookie",
        environment="dj-rest-auth",
        scheme="dj-rest-auth",
    ),
    Peer(name="allauth", title="allauth headless, JWT", environment="allauth", scheme="allauth"),
    Peer(
        name="oauth-toolkit",
        title="django-oauth-toolkit",
        environment="oauth-toolkit",
        scheme="oauth-toolkit",
    ),
    Peer(name="session", title="Django's session", environment="drf", scheme="session"),
)

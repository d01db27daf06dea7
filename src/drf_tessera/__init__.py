"""Token authentication for Django REST Framework.

The access token is a JWT, the refresh token rotates and cannot be replayed, and a session can be
ended. Settings: ``TESSERA``. Start with the README.

The package consists of rooms. A room imports only rooms that stand above it in this list, and only the
names that their doors offer. The door of a room is its ``__init__.py``; its docstring lists the modules
of the room, in order, too. ``tests/architecture`` holds the code to these lists.

- texts: messages in English that know their translation
- exceptions: every error, each class with a stable code
- rotation: the refresh rule, a pure function
- networks: the networks of client addresses
- forks: the hooks that a forked process calls
- jose: keys, signatures, and a strict codec for compact JWS
- conf: the settings of the project, typed and read live
- moments: ``datetime`` and seconds since the epoch, and the step between both
- tracing: spans around the steps that cost time, for a tracer of the project
- signals: the events of sessions, for receivers of the project
- models: the tables
- outages: a database that cannot be used at the moment, and mistakes of the project
- database: the database of the sessions, its transactions and its contention
- workers: the threads that read from the database, and what becomes of them when it hangs
- installation: the id of this installation, which binds access tokens to it
- keys: the keys that sign access tokens: where they come from, and their life
- tokens: access tokens and refresh tokens, in and out
- revocation: the notices of sessions that ended early
- users: from a token to its user
- issuers: tokens of other issuers
- sessions: the life of a session, from its start to its last row
- audit: a structured log record of each event
- tickets: one-time tickets, for a connection that cannot send a header
- limits: how often a login or a token may be tried
- receivers: the signals of Django that end sessions
- backends: login with an e-mail address
- challenges: the second step of a login, for a second factor
- login: from credentials to a session
- legacy: settings, names and tokens of other packages
- http: requests and answers, without REST framework
- plain: authentication for plain views of Django, sync and async
- rest: authentication, endpoints and errors for REST framework
- testing: clients and bad tokens for the tests of projects
- contrib: integrations, one file for each foreign package
- checks: the system checks of ``manage.py check``
- admin_keys: keys in Django's admin
- admin: sessions in Django's admin
- apps: the Django app
- management: the commands of ``manage.py``

Below stand the names that every project needs. They are loaded when they are first used, because
``import drf_tessera`` loads no Django.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from drf_tessera.rest.authentication import JWTAuthentication as JWTAuthentication
    from drf_tessera.rest.authentication import OptionalJWTAuthentication as OptionalJWTAuthentication
    from drf_tessera.rest.authentication import StrictJWTAuthentication as StrictJWTAuthentication
    from drf_tessera.rest.errors import exception_handler as exception_handler
    from drf_tessera.tokens import AccessToken as AccessToken

__version__ = "0.1.0"

_HOMES: Final = {
    "AccessToken": "drf_tessera.tokens",
    "JWTAuthentication": "drf_tessera.rest.authentication",
    "OptionalJWTAuthentication": "drf_tessera.rest.authentication",
    "StrictJWTAuthentication": "drf_tessera.rest.authentication",
    "exception_handler": "drf_tessera.rest.errors",
}

__all__ = [
    "AccessToken",
    "JWTAuthentication",
    "OptionalJWTAuthentication",
    "StrictJWTAuthentication",
    "exception_handler",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

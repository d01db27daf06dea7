"""Token authentication for Django REST Framework.

The access token is a JWT, the refresh token rotates and cannot be replayed, and a session can be
ended. Settings: ``TESSERA``. Start with the README.

The architecture is this list. A module imports only modules that stand above it, wherever the
import stands; ``tests/test_architecture.py`` holds the code to it.

1.  exceptions: every error, each class with a stable code
2.  jose.encoding: base64url and JSON, strictly
3.  jose.algorithms: the algorithms, and the keys that each takes; the home of the JOSE library
4.  jose.keys: a key, and the ring of keys in force
5.  jose.codec: compact JWS in and out
6.  rotation: the refresh rule, a pure function
7.  lru: a map of bounded size
8.  readers: one value of a setting, or what is wrong with it
9.  conf: the settings, typed and live
10. contrib.pyjwt: tokens and keys of packages that came before, read by PyJWT; its only home
11. former: the setting of a package that came before
12. signals: what happened, for others to hear
13. models: columns, constraints, querysets
14. database: which one, and whether a transaction is open there
15. keystore: the keys in force now
16. tokens: access and refresh tokens, in and out
17. stores: where the news of ended sessions is kept
18. revocation: which sessions ended early; the only writer of Revocation
19. users: from a token to its user
20. statements: an UPDATE that is compiled once
21. ledger: the statements on Session rows, for sessions and adoption alone
22. sessions: start, refresh, revoke, prune; the writer of Session
23. inspection: a session's tokens beside a refresh
24. adoption: refresh tokens of other packages, taken over
25. receivers: what ends sessions from outside
26. backends: log in with an e-mail address
27. login: from credentials to a session
28. routes: where views are mounted
29. verdicts: what becomes of other packages' settings and names
30. csrf: whether the site itself made a request
31. cookies: the two cookies, set and deleted alike
32. transports: how tokens travel
33. rest.errors: one shape for every error
34. rest.authentication: the authentication classes
35. rest.throttling: limits on guessing passwords
36. rest.serializers: what the endpoints read and write
37. rest.views: the endpoints
38. rest.urls: their addresses
39. checks: what manage.py check says
40. admin: sessions in Django's admin
41. apps: the Django app
42. management.commands.tessera_prune: delete the sessions that have ended
43. management.commands.tessera_migrate_check: what would change for a project

The packages ``contrib``, ``jose``, ``rest``, ``management`` and ``migrations`` hold modules and no code
of their own (a migration imports what Django writes into it). Below, the public names, loaded when they are
first asked for: ``import drf_tessera`` loads no Django.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from drf_tessera.rest.authentication import JWTAuthentication as JWTAuthentication
    from drf_tessera.rest.authentication import OptionalJWTAuthentication as OptionalJWTAuthentication
    from drf_tessera.rest.authentication import StrictJWTAuthentication as StrictJWTAuthentication
    from drf_tessera.rest.views import exception_handler as exception_handler
    from drf_tessera.tokens import AccessToken as AccessToken

__version__ = "0.1.0"

_HOMES: Final = {
    "AccessToken": "drf_tessera.tokens",
    "JWTAuthentication": "drf_tessera.rest.authentication",
    "OptionalJWTAuthentication": "drf_tessera.rest.authentication",
    "StrictJWTAuthentication": "drf_tessera.rest.authentication",
    "exception_handler": "drf_tessera.rest.views",
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

"""What ``manage.py check`` says of a project that has moved here from djangorestframework-jwt."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from drf_tessera import legacy
from drf_tessera.legacy.pyjwt import load_key
from rest_framework_jwt.settings import IMPORT_STRINGS, api_settings

PREFIX: Final = "tessera_jwt"
ORIGINALS: Final = ("djangorestframework-jwt", "drf-jwt")
"""Both own the import name."""

_REFUSED: Final = {
    "JWT_VERIFY": "tokens that nobody signed are never let in",
    "JWT_VERIFY_EXPIRATION": "a token that never expires is a password that never changes",
}


def check_distribution(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E001: the original is installed beside us."""
    return legacy.find_originals(PREFIX, "drf-tessera-jwt", "rest_framework_jwt", ORIGINALS)


def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E002 (unknown), E003 (refused), W001 (without effect on new tokens) and W002."""
    raw = api_settings.user_settings
    found = legacy.find_unknown(PREFIX, api_settings) + legacy.find_unloadable(
        PREFIX, api_settings, IMPORT_STRINGS
    )
    for key, reason in _REFUSED.items():
        if not raw.get(key, True):
            text = f"JWT_AUTH[{key!r}] is switched off: {reason}. It counts as on."
            found.append(
                Error(text, hint="Leave it out; JWT_EXPIRATION_DELTA may be long.", id="tessera_jwt.E003")
            )
    algorithm = str(raw.get("JWT_ALGORITHM", "HS256"))
    if not algorithm.startswith("HS") and not (raw.get("JWT_PRIVATE_KEY") and raw.get("JWT_PUBLIC_KEY")):
        text = f"JWT_AUTH['JWT_ALGORITHM'] is {algorithm!r} without JWT_PRIVATE_KEY and JWT_PUBLIC_KEY."
        found.append(Error(text, hint="Give both.", id="tessera_jwt.E003"))
    found += legacy.find_bad_key(
        PREFIX,
        api_settings,
        "JWT_PUBLIC_KEY",
        partial(load_key, algorithm),
    )
    if raw.get("JWT_GET_USER_SECRET_KEY"):
        text = "JWT_AUTH['JWT_GET_USER_SECRET_KEY'] counts for tokens issued before the move alone."
        hint = "New tokens end with their session: drf_tessera.sessions.revoke_all(user) logs a user out."
        found.append(Caution(text, hint=hint, id="tessera_jwt.W001"))
    if not api_settings.uses_default("JWT_ENCODE_HANDLER"):
        text = "JWT_AUTH['JWT_ENCODE_HANDLER'] is the project's own."
        hint = (
            "Unless it calls jwt_encode_handler, its tokens belong to no session: no logout and no new "
            "password ends them."
        )
        found.append(Caution(text, hint=hint, id="tessera_jwt.W002"))
    return found

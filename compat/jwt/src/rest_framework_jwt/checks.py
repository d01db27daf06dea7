"""What ``manage.py check`` says of a project that has moved here from djangorestframework-jwt."""

from __future__ import annotations

import difflib
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from rest_framework_jwt.settings import DEFAULTS, read_raw

ORIGINALS: Final = ("djangorestframework-jwt", "drf-jwt")
"""Both own the import name."""

_REFUSED: Final = {
    "JWT_VERIFY": "tokens that nobody signed are never let in",
    "JWT_VERIFY_EXPIRATION": "a token that never expires is a password that never changes",
}


def check_distribution(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E001: two distributions own one import name, and files of both lie about."""
    found: list[CheckMessage] = []
    for name in ORIGINALS:
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(
            Error(
                f"{name} is installed beside drf-tessera-jwt, and both own rest_framework_jwt.",
                hint=f"pip uninstall {name}; pip install --force-reinstall --no-deps drf-tessera-jwt",
                id="tessera_jwt.E001",
            )
        )
    return found


def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E002 (unknown), E003 (refused) and W001 (without effect on new tokens)."""
    raw = read_raw()
    found: list[CheckMessage] = [_name_unknown(key) for key in raw if key not in DEFAULTS]
    for key, reason in _REFUSED.items():
        if not raw.get(key, True):
            text = f"JWT_AUTH[{key!r}] is switched off: {reason}. It counts as on."
            found.append(
                Error(text, hint="Leave it out; JWT_EXPIRATION_DELTA may be long.", id="tessera_jwt.E003")
            )
    algorithm = str(raw.get("JWT_ALGORITHM", "HS256"))
    if not algorithm.startswith("HS") and not (raw.get("JWT_PRIVATE_KEY") and raw.get("JWT_PUBLIC_KEY")):
        text = f"JWT_AUTH['JWT_ALGORITHM'] is {algorithm!r} without JWT_PRIVATE_KEY and JWT_PUBLIC_KEY."
        found.append(Error(text, hint="Give both keys, in PEM.", id="tessera_jwt.E003"))
    if raw.get("JWT_GET_USER_SECRET_KEY"):
        text = "JWT_AUTH['JWT_GET_USER_SECRET_KEY'] counts for tokens issued before the move alone."
        hint = "New tokens end with their session: drf_tessera.sessions.revoke_all(user) logs a user out."
        found.append(Caution(text, hint=hint, id="tessera_jwt.W001"))
    return found


def _name_unknown(key: object) -> CheckMessage:
    near = difflib.get_close_matches(str(key).upper(), DEFAULTS, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"The keys are: {', '.join(DEFAULTS)}."
    return Error(f"JWT_AUTH has no key {key!r}.", hint=hint, id="tessera_jwt.E002")

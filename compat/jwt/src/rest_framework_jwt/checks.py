"""System checks for a project that moves from djangorestframework-jwt to drf-tessera."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera import legacy
from drf_tessera.legacy.pyjwt import load_key
from rest_framework_jwt.settings import IMPORT_STRINGS, api_settings

PREFIX: Final = "tessera_jwt"
_REFUSED: Final = {
    "JWT_VERIFY": gettext_noop("a token without a valid signature is never accepted"),
    "JWT_VERIFY_EXPIRATION": gettext_noop("a token that never expires is like a password that never changes"),
}


def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report the problems of ``JWT_AUTH``.

    These are E002 (a misspelt key), E003 (a refused value), E004 (a key of drf-jwt), W001 (a key without
    effect on new tokens), W002 (an encode handler of the project) and W005 (an unknown key).
    """
    raw = api_settings.user_settings
    theirs = sorted(legacy.DRF_JWT & raw.keys())
    if theirs:
        text = _("JWT_AUTH has keys of drf-jwt, which this package does not replace: %(keys)s.")
        text %= {"keys": ", ".join(theirs)}
        return [Error(text, hint=legacy.ABOUT_DRF_JWT.shown, id="tessera_jwt.E004")]
    found = legacy.find_unknown(PREFIX, api_settings)
    found += legacy.find_unloadable(PREFIX, api_settings, IMPORT_STRINGS)
    for key, reason in _REFUSED.items():
        if not raw.get(key, True):
            text = _("JWT_AUTH[%(key)r] is off, but it counts as on: %(reason)s.")
            text %= {"key": key, "reason": _(reason)}
            hint = _("Remove the key. JWT_EXPIRATION_DELTA may be long.")
            found.append(Error(text, hint=hint, id="tessera_jwt.E003"))
    algorithm = str(raw.get("JWT_ALGORITHM", "HS256"))
    pair = ("JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY")
    found += legacy.find_missing_pair(PREFIX, api_settings, "JWT_ALGORITHM", *pair)
    found += legacy.find_bad_key(PREFIX, api_settings, "JWT_PUBLIC_KEY", partial(load_key, algorithm))
    if raw.get("JWT_GET_USER_SECRET_KEY"):
        text = _("JWT_AUTH['JWT_GET_USER_SECRET_KEY'] applies only to tokens issued before the move.")
        hint = _("New tokens end with their session. To log a user out: sessions.revoke_all(user).")
        found.append(Caution(text, hint=hint, id="tessera_jwt.W001"))
    if not api_settings.uses_default("JWT_ENCODE_HANDLER"):
        text = _("JWT_AUTH['JWT_ENCODE_HANDLER'] is a function of your project.")
        hint = _("Call jwt_encode_handler in it. Otherwise no logout and no new password ends its tokens.")
        found.append(Caution(text, hint=hint, id="tessera_jwt.W002"))
    return found

"""System checks for a project that moves from simplejwt to drf-tessera."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.utils.translation import gettext as _

from drf_tessera import legacy
from drf_tessera.http import find_view_class, walk_views
from drf_tessera.legacy.pyjwt import load_key
from drf_tessera.tokens import REGISTERED_CLAIMS
from rest_framework_simplejwt import views
from rest_framework_simplejwt.authentication import is_access_class
from rest_framework_simplejwt.refusals import SLIDING
from rest_framework_simplejwt.settings import IMPORT_STRINGS, SERIALIZERS, api_settings

PREFIX = "tessera_simplejwt"
SLIDING_VIEWS = (views.TokenObtainSlidingView, views.TokenRefreshSlidingView)


def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report the problems of ``SIMPLE_JWT``.

    These are E002 (a misspelt key), E003 (a refused value), W002 (a key without effect) and W005 (an
    unknown key).
    """
    raw = api_settings.user_settings
    found = legacy.find_unknown(PREFIX, api_settings)
    found += legacy.find_unloadable(PREFIX, api_settings, IMPORT_STRINGS | SERIALIZERS)
    found += [Error(text, hint=hint, id="tessera_simplejwt.E003") for text, hint in _list_refused(raw)]
    found += legacy.find_missing_pair(PREFIX, api_settings, "ALGORITHM", "SIGNING_KEY", "VERIFYING_KEY")
    algorithm = str(raw.get("ALGORITHM", "HS256"))
    if not algorithm.startswith("HS"):  # an HMAC algorithm does not use VERIFYING_KEY
        found += legacy.find_bad_key(PREFIX, api_settings, "VERIFYING_KEY", partial(load_key, algorithm))
    idle = sorted(key for key in raw if str(key).startswith("SLIDING_"))
    if raw.get("BLACKLIST_AFTER_ROTATION") is False:
        idle.append("BLACKLIST_AFTER_ROTATION")
    if idle:
        text = _("SIMPLE_JWT: %(keys)s has no effect.") % {"keys": ", ".join(idle)}
        hint = _("drf-tessera has no sliding tokens, and always detects the reuse of a refresh token.")
        found.append(Caution(text, hint=hint, id="tessera_simplejwt.W002"))
    return found


def _judge_rotation(raw: Mapping[str, Any]) -> list[CheckMessage]:
    if "ROTATE_REFRESH_TOKENS" not in raw:
        text = _("SIMPLE_JWT has no ROTATE_REFRESH_TOKENS: tokens rotate; clients may ignore the new ones.")
        hint = _(
            "If a client ignores the new tokens, a copy of its token is not detected. If your clients keep "
            "the `refresh` of each answer, write True: sessions that are used then last 90 days at most. If "
            "your clients must not get a new refresh token, write False."
        )
        return [Caution(text, hint=hint, id="tessera_simplejwt.W001")]
    if raw["ROTATE_REFRESH_TOKENS"]:
        return []
    text = _("SIMPLE_JWT['ROTATE_REFRESH_TOKENS'] is False, so a copy of a refresh token is not detected.")
    hint = _("Change your clients to keep the `refresh` of each answer, then write True.")
    return [Caution(text, hint=hint, id="tessera_simplejwt.W003")]


def _list_refused(raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if raw.get("JWK_URL"):
        found.append((_("SIMPLE_JWT['JWK_URL'] is not supported."), _("Set VERIFYING_KEY to a public key.")))
    if raw.get("CHECK_USER_IS_ACTIVE") is False:
        text = _("SIMPLE_JWT['CHECK_USER_IS_ACTIVE'] is False, but inactive users are always refused.")
        found.append((text, _("Remove the key, and activate each user who should have access.")))
    if "SlidingToken" in str(raw.get("AUTH_TOKEN_CLASSES")):
        found.append((_("SIMPLE_JWT['AUTH_TOKEN_CLASSES'] has SlidingToken."), _(SLIDING)))
    elif not all(map(is_access_class, _load_classes())):
        text = _("SIMPLE_JWT['AUTH_TOKEN_CLASSES'] has a class that is not an AccessToken. It is ignored.")
        found.append((text, _("Derive the class from rest_framework_simplejwt.tokens.AccessToken.")))
    claim, field = str(raw.get("USER_ID_CLAIM")), str(raw.get("USER_ID_FIELD", "id"))
    names = {"pk"} | {name for it in get_user_model()._meta.fields for name in (it.name, it.attname)}
    if field not in names:
        text = _("SIMPLE_JWT['USER_ID_FIELD'] is %(field)r, but the user model has no such column.")
        hint = _("The user model has: %(names)s.") % {"names": ", ".join(sorted(names))}
        found.append((text % {"field": field}, hint))
    if claim in REGISTERED_CLAIMS - {"sub"} or (claim == "sub" and field not in {"id", "pk"}):
        text = _("SIMPLE_JWT['USER_ID_CLAIM'] is %(claim)r, but this claim has another meaning here.")
        found.append((text % {"claim": claim}, _("Use 'user_id'. 'sub' is always the primary key.")))
    return found


def _load_classes() -> list[Any]:
    found = None
    with suppress(ImportError, ValueError):  # find_unloadable reports these errors
        found = api_settings.AUTH_TOKEN_CLASSES
    return found if isinstance(found, list) else []


def check_urls(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E004 for a view of sliding tokens, and W001 or W003 if a refresh view exists."""
    mounted = [(route, find_view_class(callback)) for route, callback in walk_views()]
    sliding = [route for route, kind in mounted if kind is not None and issubclass(kind, SLIDING_VIEWS)]
    text, hint = _("The view at %(route)r uses sliding tokens."), _(SLIDING)
    found: list[CheckMessage] = [
        Error(text % {"route": route}, hint=hint, id="tessera_simplejwt.E004") for route in sliding
    ]
    refreshes = any(kind is not None and issubclass(kind, views.TokenRefreshView) for _, kind in mounted)
    return found + (_judge_rotation(api_settings.user_settings) if refreshes else [])

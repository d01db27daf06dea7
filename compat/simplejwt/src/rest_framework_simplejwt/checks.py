"""What ``manage.py check`` says of a project that has moved here from simplejwt."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from drf_tessera import legacy
from drf_tessera.http import find_view_class, walk_views
from drf_tessera.legacy.pyjwt import load_key
from drf_tessera.tokens import REGISTERED_CLAIMS
from rest_framework_simplejwt import views
from rest_framework_simplejwt.authentication import is_access_class
from rest_framework_simplejwt.settings import IMPORT_STRINGS, SERIALIZERS, api_settings
from rest_framework_simplejwt.tokens import SLIDING

PREFIX = "tessera_simplejwt"
SLIDING_VIEWS = (views.TokenObtainSlidingView, views.TokenRefreshSlidingView)


def check_distribution(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E001: the original is installed beside us."""
    owned, originals = "rest_framework_simplejwt", ("djangorestframework-simplejwt",)
    return legacy.find_originals(PREFIX, "drf-tessera-simplejwt", owned, originals)


def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E002 (unknown), E003 (refused) and W002 (without effect)."""
    raw = api_settings.user_settings
    found = legacy.find_unknown(PREFIX, api_settings)
    found += legacy.find_unloadable(PREFIX, api_settings, IMPORT_STRINGS | SERIALIZERS)
    found += [Error(text, hint=hint, id="tessera_simplejwt.E003") for text, hint in _list_refused(raw)]
    algorithm = str(raw.get("ALGORITHM", "HS256"))
    if not algorithm.startswith("HS"):  # else nothing reads it
        found += legacy.find_bad_key(PREFIX, api_settings, "VERIFYING_KEY", partial(load_key, algorithm))
    idle = sorted(key for key in raw if str(key).startswith("SLIDING_"))
    if raw.get("BLACKLIST_AFTER_ROTATION") is False:
        idle.append("BLACKLIST_AFTER_ROTATION")
    if idle:
        text = f"SIMPLE_JWT: {', '.join(idle)} has no effect."
        hint = "There are no sliding tokens, and a refresh token that was replaced is never taken again."
        found.append(Caution(text, hint=hint, id="tessera_simplejwt.W002"))
    return found


def _judge_rotation(raw: Mapping[str, Any]) -> list[CheckMessage]:
    if "ROTATE_REFRESH_TOKENS" not in raw:
        text = "SIMPLE_JWT does not say ROTATE_REFRESH_TOKENS: refresh tokens rotate, and need not be kept."
        hint = (
            "A copied token of a client that ignores the new ones is not noticed. When yours keep the "
            "`refresh` of each answer, write True (sessions then live on while they are used, 90 days at "
            "most); if they must not get one, write False."
        )
        return [Caution(text, hint=hint, id="tessera_simplejwt.W001")]
    if raw["ROTATE_REFRESH_TOKENS"]:
        return []
    text = "SIMPLE_JWT['ROTATE_REFRESH_TOKENS'] is False: a copied refresh token is not noticed."
    hint = "Have your clients keep the `refresh` of each answer, then write True."
    return [Caution(text, hint=hint, id="tessera_simplejwt.W003")]


def _list_refused(raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if raw.get("JWK_URL"):
        found.append(("SIMPLE_JWT['JWK_URL'] is not served.", "Give the public key in VERIFYING_KEY."))
    if raw.get("CHECK_USER_IS_ACTIVE") is False:
        text = "SIMPLE_JWT['CHECK_USER_IS_ACTIVE'] is False, and inactive users are never let in."
        found.append((text, "Leave it out, and activate whoever should get in."))
    if "SlidingToken" in str(raw.get("AUTH_TOKEN_CLASSES")):
        found.append(("SIMPLE_JWT['AUTH_TOKEN_CLASSES'] has SlidingToken.", SLIDING))
    elif not all(map(is_access_class, _load_classes())):
        text = "SIMPLE_JWT['AUTH_TOKEN_CLASSES'] has a class that is no AccessToken; it is passed over."
        found.append((text, "Derive it from rest_framework_simplejwt.tokens.AccessToken."))
    claim, field = str(raw.get("USER_ID_CLAIM")), str(raw.get("USER_ID_FIELD", "id"))
    names = {"pk"} | {name for it in get_user_model()._meta.fields for name in (it.name, it.attname)}
    if field not in names:
        text = f"SIMPLE_JWT['USER_ID_FIELD'] is {field!r}, and the user model has no such column."
        found.append((text, f"It has: {', '.join(sorted(names))}."))
    if claim in REGISTERED_CLAIMS - {"sub"} or (claim == "sub" and field not in {"id", "pk"}):
        text = f"SIMPLE_JWT['USER_ID_CLAIM'] is {claim!r}, which says something else in every token here."
        found.append((text, "Take the default, 'user_id'; 'sub' is always the primary key."))
    algorithm = str(raw.get("ALGORITHM", "HS256"))
    if not algorithm.startswith("HS") and not (raw.get("SIGNING_KEY") and raw.get("VERIFYING_KEY")):
        text = f"SIMPLE_JWT['ALGORITHM'] is {algorithm!r} without SIGNING_KEY and VERIFYING_KEY."
        found.append((text, "Give both, in PEM. A service that only verifies stays on the original."))
    return found


def _load_classes() -> list[Any]:
    found = None
    with suppress(ImportError, ValueError):  # which are reported elsewhere
        found = api_settings.AUTH_TOKEN_CLASSES
    return found if isinstance(found, list) else []


def check_urls(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E004 (a view of sliding tokens is mounted), W001 and W003 (rotation, at a refresh view)."""
    mounted = [(route, find_view_class(callback)) for route, callback in walk_views()]
    found: list[CheckMessage] = [
        Error(f"{route!r} serves sliding tokens.", hint=SLIDING, id="tessera_simplejwt.E004")
        for route, kind in mounted
        if kind is not None and issubclass(kind, SLIDING_VIEWS)
    ]
    refreshes = any(kind is not None and issubclass(kind, views.TokenRefreshView) for _, kind in mounted)
    return found + (_judge_rotation(api_settings.user_settings) if refreshes else [])

"""What ``manage.py check`` says of a project that has moved here from simplejwt."""

from __future__ import annotations

import difflib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from drf_tessera.routes import find_view_class, walk_views
from drf_tessera.tokens import REGISTERED_CLAIMS
from rest_framework_simplejwt import views
from rest_framework_simplejwt.settings import DEFAULTS, read_raw

ORIGINAL = "djangorestframework-simplejwt"
SLIDING_VIEWS = (views.TokenObtainSlidingView, views.TokenRefreshSlidingView)


def check_distribution(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E001: two distributions own one import name, and files of both lie about."""
    try:
        version(ORIGINAL)
    except PackageNotFoundError:
        return []
    return [
        Error(
            f"{ORIGINAL} is installed beside drf-tessera-simplejwt, and both own rest_framework_simplejwt.",
            hint=f"pip uninstall {ORIGINAL}; pip install --force-reinstall --no-deps drf-tessera-simplejwt",
            id="tessera_simplejwt.E001",
        )
    ]


def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E002 (unknown), E003 (refused) and W002 (without effect)."""
    raw = read_raw()
    found: list[CheckMessage] = [_name_unknown(key) for key in raw if key not in DEFAULTS]
    found += [Error(text, hint=hint, id="tessera_simplejwt.E003") for text, hint in _list_refused(raw)]
    idle = sorted(key for key in raw if key.startswith("SLIDING_"))
    if raw.get("BLACKLIST_AFTER_ROTATION") is False:
        idle.append("BLACKLIST_AFTER_ROTATION")
    if idle:
        text = f"SIMPLE_JWT: {', '.join(idle)} has no effect."
        hint = "There are no sliding tokens, and a refresh token that was replaced is never taken again."
        found.append(Caution(text, hint=hint, id="tessera_simplejwt.W002"))
    return found


def _judge_rotation(raw: Any) -> list[CheckMessage]:
    if "ROTATE_REFRESH_TOKENS" not in raw:
        text = "SIMPLE_JWT does not say ROTATE_REFRESH_TOKENS, and refresh tokens rotate here."
        hint = (
            "Clients must keep the `refresh` of each answer of the refresh view. If yours do, write True; "
            "until they do, write False."
        )
        return [Caution(text, hint=hint, id="tessera_simplejwt.W001")]
    if raw["ROTATE_REFRESH_TOKENS"]:
        return []
    text = "SIMPLE_JWT['ROTATE_REFRESH_TOKENS'] is False: a copied refresh token is not noticed."
    hint = "Have your clients keep the `refresh` of each answer, then write True."
    return [Caution(text, hint=hint, id="tessera_simplejwt.W003")]


def _name_unknown(key: object) -> CheckMessage:
    near = difflib.get_close_matches(str(key).upper(), DEFAULTS, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"The keys are: {', '.join(DEFAULTS)}."
    return Error(f"SIMPLE_JWT has no key {key!r}.", hint=hint, id="tessera_simplejwt.E002")


def _list_refused(raw: Any) -> list[tuple[str, str]]:
    found = []
    if raw.get("JWK_URL"):
        found.append(("SIMPLE_JWT['JWK_URL'] is not served.", "Give the public key in VERIFYING_KEY."))
    if raw.get("CHECK_USER_IS_ACTIVE") is False:
        text = "SIMPLE_JWT['CHECK_USER_IS_ACTIVE'] is False, and inactive users are never let in."
        found.append((text, "Leave it out, and activate whoever should get in."))
    if any("SlidingToken" in str(name) for name in raw.get("AUTH_TOKEN_CLASSES", ())):
        found.append(("SIMPLE_JWT['AUTH_TOKEN_CLASSES'] has SlidingToken.", views_hint()))
    claim = raw.get("USER_ID_CLAIM")
    if claim in REGISTERED_CLAIMS - {"sub"} or (
        claim == "sub" and raw.get("USER_ID_FIELD", "id") not in {"id", "pk"}
    ):
        text = f"SIMPLE_JWT['USER_ID_CLAIM'] is {claim!r}, which says something else in every token here."
        found.append((text, "Take the default, 'user_id'; 'sub' is always the primary key."))
    algorithm = str(raw.get("ALGORITHM", "HS256"))
    if not algorithm.startswith("HS") and not (raw.get("SIGNING_KEY") and raw.get("VERIFYING_KEY")):
        text = f"SIMPLE_JWT['ALGORITHM'] is {algorithm!r} without SIGNING_KEY and VERIFYING_KEY."
        found.append((text, "Give both keys, in PEM."))
    return found


def check_urls(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Report E004 (a view of sliding tokens is mounted), W001 and W003 (rotation, at a refresh view)."""
    mounted = [(route, find_view_class(callback)) for route, callback in walk_views()]
    found: list[CheckMessage] = [
        Error(f"{route!r} serves sliding tokens.", hint=views_hint(), id="tessera_simplejwt.E004")
        for route, kind in mounted
        if kind is not None and issubclass(kind, SLIDING_VIEWS)
    ]
    refreshes = any(kind is not None and issubclass(kind, views.TokenRefreshView) for _, kind in mounted)
    return found + (_judge_rotation(read_raw()) if refreshes else [])


def views_hint() -> str:
    """Give the way out of sliding tokens."""
    return "Use TokenObtainPairView and TokenRefreshView: what renews itself does not travel in each request."

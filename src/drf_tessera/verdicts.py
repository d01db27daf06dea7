"""What becomes of the settings and names of other packages: same, better or refused, and why.

``docs/migrate/`` has it as tables, ``manage.py tessera_migrate_check`` says it of a project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What becomes of a name."""

    SAME = "same"
    BETTER = "better"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one name, and how or why."""

    kind: Kind
    text: str = ""


_SAME: Final = Verdict(Kind.SAME)


def _better(text: str) -> Verdict:
    return Verdict(Kind.BETTER, text)


def _refused(text: str) -> Verdict:
    return Verdict(Kind.REFUSED, text)


_NO_SLIDING: Final = _refused(
    "What renews itself should not travel with each request. Use the pair of access and refresh token."
)
_ON: Final = "always on"

SIMPLE_JWT: Final[Mapping[str, Verdict]] = {
    "ACCESS_TOKEN_LIFETIME": _SAME,
    "REFRESH_TOKEN_LIFETIME": _better(
        "the session's idle limit, anew at each refresh, and an absolute limit of 90 days besides; 14 days "
        "by default"
    ),
    "ROTATE_REFRESH_TOKENS": _better(
        "on by default, with a grace window and reuse detection; clients must keep the new token. False is "
        "honoured, and check warns"
    ),
    "BLACKLIST_AFTER_ROTATION": _better(_ON + ", and a replaced token that comes back ends its session"),
    "UPDATE_LAST_LOGIN": _SAME,
    "ALGORITHM": _better("with its SIGNING_KEY; a key fixes its algorithm, whatever a token says"),
    "SIGNING_KEY": _better("never SECRET_KEY itself: without one of its own, a key is derived from it"),
    "VERIFYING_KEY": _better("for tokens issued before the move; new ones are verified by SIGNING_KEY's own"),
    "AUDIENCE": _SAME,
    "ISSUER": _SAME,
    "JSON_ENCODER": _SAME,
    "JWK_URL": _refused("A server that fetches keys stands and falls with another one. Give VERIFYING_KEY."),
    "LEEWAY": _better("for iat and nbf; exp is exp. Tokens issued before the move keep it"),
    "AUTH_HEADER_TYPES": _SAME,
    "AUTH_HEADER_NAME": _SAME,
    "USER_ID_FIELD": _better("for the claim; `sub` is always the primary key"),
    "USER_ID_CLAIM": _better("any name but those that RFC 7519 and 9068 register"),
    "USER_AUTHENTICATION_RULE": _better(
        "asked at login and refresh; whoever is inactive is refused in any case"
    ),
    "AUTH_TOKEN_CLASSES": _better("subclasses of AccessToken; SlidingToken is refused"),
    "TOKEN_TYPE_CLAIM": _better("still in the tokens; what counts is the header's `typ`"),
    "JTI_CLAIM": _better("for tokens issued before the move; new ones have `jti`"),
    "TOKEN_USER_CLASS": _SAME,
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM": _NO_SLIDING,
    "SLIDING_TOKEN_LIFETIME": _NO_SLIDING,
    "SLIDING_TOKEN_REFRESH_LIFETIME": _NO_SLIDING,
    "TOKEN_OBTAIN_SERIALIZER": _SAME,
    "TOKEN_REFRESH_SERIALIZER": _SAME,
    "TOKEN_VERIFY_SERIALIZER": _SAME,
    "TOKEN_BLACKLIST_SERIALIZER": _SAME,
    "SLIDING_TOKEN_OBTAIN_SERIALIZER": _NO_SLIDING,
    "SLIDING_TOKEN_REFRESH_SERIALIZER": _NO_SLIDING,
    "CHECK_REVOKE_TOKEN": _better(
        _ON + ": a new password ends all sessions at once; no digest of it travels"
    ),
    "REVOKE_TOKEN_CLAIM": _better("compared in tokens issued before the move"),
    "CHECK_USER_IS_ACTIVE": _refused("Inactive users are never let in. Activate whoever should get in."),
}

_HANDLER: Final = _SAME

JWT_AUTH: Final[Mapping[str, Verdict]] = {
    "JWT_ENCODE_HANDLER": _HANDLER,
    "JWT_DECODE_HANDLER": _HANDLER,
    "JWT_PAYLOAD_HANDLER": _HANDLER,
    "JWT_PAYLOAD_GET_USER_ID_HANDLER": _HANDLER,
    "JWT_PAYLOAD_GET_USERNAME_HANDLER": _HANDLER,
    "JWT_RESPONSE_PAYLOAD_HANDLER": _HANDLER,
    "JWT_PRIVATE_KEY": _better("a key fixes its algorithm, whatever a token says"),
    "JWT_PUBLIC_KEY": _better(
        "for tokens issued before the move; new ones are verified by JWT_PRIVATE_KEY's own"
    ),
    "JWT_SECRET_KEY": _better("never SECRET_KEY itself: without one of its own, a key is derived from it"),
    "JWT_GET_USER_SECRET_KEY": _better(
        "for tokens issued before the move; new ones end with their session: sessions.revoke_all(user)"
    ),
    "JWT_ALGORITHM": _better("never `none`"),
    "JWT_VERIFY": _refused("False would let in tokens that nobody signed. It counts as True."),
    "JWT_VERIFY_EXPIRATION": _refused(
        "False would make a token a password that never changes. It counts as True; JWT_EXPIRATION_DELTA "
        "may be long."
    ),
    "JWT_LEEWAY": _better("for iat and nbf; exp is exp. Tokens issued before the move keep it"),
    "JWT_EXPIRATION_DELTA": _SAME,
    "JWT_AUDIENCE": _SAME,
    "JWT_ISSUER": _SAME,
    "JWT_ALLOW_REFRESH": _better("a refresh is one more token of the same session, which can be ended"),
    "JWT_REFRESH_EXPIRATION_DELTA": _better(
        "the session's absolute limit; 7 days by default where refresh is allowed"
    ),
    "JWT_AUTH_HEADER_PREFIX": _SAME,
    "JWT_AUTH_COOKIE": _better("Secure and SameSite, and what other sites send by it is refused (403)"),
}

_SIMPLEJWT: Final = "rest_framework_simplejwt"
_JWT: Final = "rest_framework_jwt"

NAMES: Final[Mapping[str, Verdict]] = {
    f"{_SIMPLEJWT}.views.TokenObtainPairView": _better("throttled, and never a 500"),
    f"{_SIMPLEJWT}.views.TokenRefreshView": _better("one statement instead of 13, and no replay"),
    f"{_SIMPLEJWT}.views.TokenVerifyView": _better("knows of ended sessions"),
    f"{_SIMPLEJWT}.views.TokenBlacklistView": _better("ends access tokens too, within a second everywhere"),
    f"{_SIMPLEJWT}.views.TokenObtainSlidingView": _NO_SLIDING,
    f"{_SIMPLEJWT}.views.TokenRefreshSlidingView": _NO_SLIDING,
    f"{_SIMPLEJWT}.authentication.JWTAuthentication": _better("no query, and an ended session is refused"),
    f"{_SIMPLEJWT}.authentication.JWTStatelessUserAuthentication": _better("an ended session is refused"),
    f"{_SIMPLEJWT}.authentication.JWTTokenUserAuthentication": _better("the same as the one above"),
    f"{_SIMPLEJWT}.authentication.default_user_authentication_rule": _SAME,
    f"{_SIMPLEJWT}.tokens.RefreshToken": _better(
        "for_user starts a session; raw tokens are looked at, RefreshToken.rotate(raw) spends one; set_exp "
        "is refused: lifetimes are settings"
    ),
    f"{_SIMPLEJWT}.tokens.AccessToken": _better(
        "verified on the way in; its life can be shortened, not lengthened"
    ),
    f"{_SIMPLEJWT}.tokens.UntypedToken": _SAME,
    f"{_SIMPLEJWT}.tokens.SlidingToken": _NO_SLIDING,
    f"{_SIMPLEJWT}.tokens.Token": _better("verify=False is refused"),
    f"{_SIMPLEJWT}.tokens.BlacklistMixin": _refused(
        "Every refresh token can be ended: RefreshToken.blacklist()."
    ),
    f"{_SIMPLEJWT}.serializers.TokenObtainSerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenObtainPairSerializer": _better(
        "claims of get_token() hold for the session"
    ),
    f"{_SIMPLEJWT}.serializers.TokenRefreshSerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenVerifySerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenBlacklistSerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenObtainSlidingSerializer": _NO_SLIDING,
    f"{_SIMPLEJWT}.serializers.TokenRefreshSlidingSerializer": _NO_SLIDING,
    f"{_SIMPLEJWT}.serializers.PasswordField": _SAME,
    f"{_SIMPLEJWT}.settings.api_settings": _better("read live: override_settings works"),
    f"{_SIMPLEJWT}.exceptions.TokenError": _better("with drf-tessera's `code`"),
    f"{_SIMPLEJWT}.exceptions.ExpiredTokenError": _SAME,
    f"{_SIMPLEJWT}.exceptions.InvalidToken": _better("with the exact `reason` beside its one code"),
    f"{_SIMPLEJWT}.exceptions.AuthenticationFailed": _SAME,
    f"{_SIMPLEJWT}.exceptions.TokenBackendError": _SAME,
    f"{_SIMPLEJWT}.models.TokenUser": _SAME,
    f"{_SIMPLEJWT}.state.token_backend": _better("decode() verifies always; encode() is refused"),
    f"{_SIMPLEJWT}.backends.TokenBackend": _refused(
        "A token without a session could not be ended. Use for_user."
    ),
    f"{_SIMPLEJWT}.token_blacklist.models.OutstandingToken": _better("read, and no longer written"),
    f"{_SIMPLEJWT}.token_blacklist.models.BlacklistedToken": _better("read, and no longer written"),
    f"{_JWT}.authentication.JSONWebTokenAuthentication": _better("no query, and an ended session is refused"),
    f"{_JWT}.authentication.BaseJSONWebTokenAuthentication": _SAME,
    f"{_JWT}.views.ObtainJSONWebToken": _better("starts a session, and is throttled"),
    f"{_JWT}.views.RefreshJSONWebToken": _better("one more token of the same session"),
    f"{_JWT}.views.VerifyJSONWebToken": _better("knows of ended sessions"),
    f"{_JWT}.serializers.JSONWebTokenSerializer": _SAME,
    f"{_JWT}.serializers.RefreshJSONWebTokenSerializer": _SAME,
    f"{_JWT}.serializers.VerifyJSONWebTokenSerializer": _SAME,
    f"{_JWT}.settings.api_settings": _better("read live: override_settings works"),
    f"{_JWT}.utils.jwt_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_encode_handler": _better(
        "starts a session for the payload's user, so that it can be ended"
    ),
    f"{_JWT}.utils.jwt_decode_handler": _better("always verifies"),
    f"{_JWT}.utils.jwt_response_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_get_secret_key": _SAME,
    f"{_JWT}.utils.jwt_get_username_from_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_get_user_id_from_payload_handler": _SAME,
    f"{_JWT}.compat.get_username_field": _refused("Say get_user_model().USERNAME_FIELD."),
    f"{_JWT}.blacklist": _refused("drf-jwt's app. A session ends by drf_tessera.sessions.revoke()."),
}

BY_HAND: Final[Mapping[str, str]] = {
    "REST_KNOX": "docs/migrate/from-knox.md",
    "REST_AUTH": "docs/migrate/from-dj-rest-auth.md",
}
"""Settings of packages that are moved from by hand, and the page that tells how."""


def find_name(path: str) -> tuple[str, Verdict] | None:
    """Give the verdict on a dotted name, or on what it stands in, with the name that was found."""
    while path:
        if path in NAMES:
            return path, NAMES[path]
        path = path.rpartition(".")[0]
    return None

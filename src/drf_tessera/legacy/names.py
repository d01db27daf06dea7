"""What becomes of the settings and names of other packages: same, better or refused, and why.

``docs/migrate/`` has it as tables, ``manage.py tessera_migrate_check`` says it of a project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn


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
_LIVE: Final = _refused("It was frozen at import. Ask settings.api_settings.")
_AS_VIEW: Final = _better("as the class of this view")
_TEST_CLIENT: Final = _refused(
    'client.credentials(HTTP_AUTHORIZATION=f"JWT {token}") needs no class of its own.'
)

SIMPLE_JWT: Final[Mapping[str, Verdict]] = {
    "ACCESS_TOKEN_LIFETIME": _SAME,
    "REFRESH_TOKEN_LIFETIME": _better(
        "the session's idle limit, anew at each refresh; its absolute limit too, unless "
        "ROTATE_REFRESH_TOKENS is True: then that is 90 days. Never less than ACCESS_TOKEN_LIFETIME. Not "
        "written: 14 and 90 days"
    ),
    "ROTATE_REFRESH_TOKENS": _better(
        "True: with a grace window and reuse detection. Not written: tokens rotate, and clients that "
        "ignore the new one go on, until theirs expires. False is honoured. check warns of both"
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
    "JTI_CLAIM": _better("for tokens issued before the move, None included; new ones have `jti`"),
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

JWT_AUTH: Final[Mapping[str, Verdict]] = {
    "JWT_ENCODE_HANDLER": _better(
        "one of your own that does not call jwt_encode_handler makes tokens that nothing can end; check warns"
    ),
    "JWT_DECODE_HANDLER": _SAME,
    "JWT_PAYLOAD_HANDLER": _better(
        "exp may not be later than JWT_EXPIRATION_DELTA; claims that RFC 7519 and 9068 register, such as "
        "sub, jti and scope, are drf-tessera's"
    ),
    "JWT_PAYLOAD_GET_USER_ID_HANDLER": _better("asked where there is no user name, or a key to choose"),
    "JWT_PAYLOAD_GET_USERNAME_HANDLER": _better(
        "asked when a token is made, and of tokens issued before the move; new ones say by `sub` whose they "
        "are"
    ),
    "JWT_RESPONSE_PAYLOAD_HANDLER": _SAME,
    "JWT_PRIVATE_KEY": _better("in PEM or an object; a key fixes its algorithm, whatever a token says"),
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
    "JWT_AUTH_COOKIE": _better(
        "Secure and SameSite, and what other sites send by it is refused (403); set for browsers alone"
    ),
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
    f"{_SIMPLEJWT}.authentication.AUTH_HEADER_TYPES": _better("read live"),
    f"{_SIMPLEJWT}.authentication.AUTH_HEADER_TYPE_BYTES": _better("read live"),
    f"{_SIMPLEJWT}.views.TokenViewBase": _better("no transaction, no cache, small bodies"),
    **{
        f"{_SIMPLEJWT}.views.{view}": _AS_VIEW
        for view in ("token_obtain_pair", "token_refresh", "token_verify", "token_blacklist")
    },
    f"{_SIMPLEJWT}.views.token_obtain_sliding": _NO_SLIDING,
    f"{_SIMPLEJWT}.views.token_refresh_sliding": _NO_SLIDING,
    f"{_SIMPLEJWT}.tokens.RefreshToken": _better(
        "for_user starts a session, for an active user alone; raw tokens are looked at, "
        "RefreshToken.rotate(raw) spends one; set_exp() may shorten the session, and a lifetime of a class's "
        "own is refused: it is a setting"
    ),
    f"{_SIMPLEJWT}.tokens.AccessToken": _better(
        "verified on the way in; its life can be shortened, and a longer one is refused; one that is not "
        "signed yet has no jti"
    ),
    f"{_SIMPLEJWT}.tokens.UntypedToken": _better("access and refresh tokens, and no token without a kind"),
    f"{_SIMPLEJWT}.tokens.SlidingToken": _NO_SLIDING,
    f"{_SIMPLEJWT}.tokens.Token": _better(
        "verify=False, tokens without a user, and a token_type of your own are refused: for other purposes "
        "than a login there is django.core.signing; so are claims that RFC 7519 and 9068 register, but scope"
    ),
    f"{_SIMPLEJWT}.tokens.Token.token_backend": _better("decode() verifies always; encode() is refused"),
    f"{_SIMPLEJWT}.tokens.Token.get_token_backend": _better("decode() verifies always; encode() is refused"),
    f"{_SIMPLEJWT}.tokens.Token.verify_token_type": _SAME,
    f"{_SIMPLEJWT}.tokens.BlacklistMixin": _better("ends the session of the token, of an access token too"),
    f"{_SIMPLEJWT}.tokens.AuthUser": _SAME,
    f"{_SIMPLEJWT}.authentication.AuthUser": _SAME,
    f"{_SIMPLEJWT}.serializers.AuthUser": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenObtainSerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenObtainPairSerializer": _better(
        "claims of get_token() hold for the session"
    ),
    f"{_SIMPLEJWT}.serializers.TokenRefreshSerializer": _better(
        "one statement; a token_class of your own is looked at first, and makes the access token. Within the "
        "grace window a view that reads a cookie finds no `refresh` in data: write data.get('refresh')"
    ),
    f"{_SIMPLEJWT}.serializers.TokenVerifySerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenBlacklistSerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenObtainSlidingSerializer": _NO_SLIDING,
    f"{_SIMPLEJWT}.serializers.TokenRefreshSlidingSerializer": _NO_SLIDING,
    f"{_SIMPLEJWT}.serializers.PasswordField": _SAME,
    f"{_SIMPLEJWT}.settings.api_settings": _better("read live: override_settings works"),
    f"{_SIMPLEJWT}.settings.DEFAULTS": _SAME,
    f"{_SIMPLEJWT}.settings.IMPORT_STRINGS": _SAME,
    f"{_SIMPLEJWT}.settings.APISettings": _better("read live: override_settings works"),
    f"{_SIMPLEJWT}.settings.USER_SETTINGS": _refused("Say api_settings.user_settings."),
    f"{_SIMPLEJWT}.settings.REMOVED_SETTINGS": _refused("`check` names what is unknown (E002)."),
    f"{_SIMPLEJWT}.settings.reload_api_settings": _refused("Nothing is kept that could be stale."),
    f"{_SIMPLEJWT}.exceptions.DetailDictMixin": _refused("Subclass exceptions.AuthenticationFailed."),
    f"{_SIMPLEJWT}.exceptions.TokenError": _better("with drf-tessera's `code`"),
    f"{_SIMPLEJWT}.exceptions.ExpiredTokenError": _SAME,
    f"{_SIMPLEJWT}.exceptions.InvalidToken": _better("with the exact `reason` beside its one code"),
    f"{_SIMPLEJWT}.exceptions.AuthenticationFailed": _SAME,
    f"{_SIMPLEJWT}.exceptions.TokenBackendError": _SAME,
    f"{_SIMPLEJWT}.exceptions.TokenBackendExpiredToken": _SAME,
    f"{_SIMPLEJWT}.models.TokenUser": _SAME,
    f"{_SIMPLEJWT}.state.token_backend": _better("decode() verifies always; encode() is refused"),
    f"{_SIMPLEJWT}.backends.TokenBackend": _better(
        "decode() verifies always, by the settings' keys; encode() is refused: use for_user"
    ),
    f"{_SIMPLEJWT}.backends.ALLOWED_ALGORITHMS": _refused("docs/reference/settings.md lists them."),
    **{
        f"{_SIMPLEJWT}.utils.{name}": _SAME
        for name in (
            "get_md5_hash_password",
            "make_utc",
            "aware_utcnow",
            "datetime_to_epoch",
            "datetime_from_epoch",
            "logger",
        )
    },
    f"{_SIMPLEJWT}.utils.format_lazy": _refused("Say django.utils.text.format_lazy."),
    f"{_SIMPLEJWT}.token_blacklist.apps.TokenBlacklistConfig": _SAME,
    f"{_SIMPLEJWT}.token_blacklist.models.OutstandingToken": _better(
        "one row for each login, without the token, and none for each refresh"
    ),
    f"{_SIMPLEJWT}.token_blacklist.models.BlacklistedToken": _better(
        "read, and to write one ends the session at once"
    ),
    f"{_SIMPLEJWT}.token_blacklist.admin.OutstandingTokenAdmin": _better("shows no tokens"),
    f"{_SIMPLEJWT}.token_blacklist.admin.BlacklistedTokenAdmin": _better("to add a row ends its session"),
    f"{_JWT}.authentication.JSONWebTokenAuthentication": _better("no query, and an ended session is refused"),
    f"{_JWT}.authentication.BaseJSONWebTokenAuthentication": _SAME,
    f"{_JWT}.views.ObtainJSONWebToken": _better("starts a session, and is throttled"),
    f"{_JWT}.views.RefreshJSONWebToken": _better("one more token of the same session"),
    f"{_JWT}.views.VerifyJSONWebToken": _better("knows of ended sessions"),
    f"{_JWT}.views.JSONWebTokenAPIView": _better("no transaction, no cache, small bodies"),
    **{
        f"{_JWT}.views.{view}": _AS_VIEW
        for view in ("obtain_jwt_token", "refresh_jwt_token", "verify_jwt_token")
    },
    f"{_JWT}.views.jwt_response_payload_handler": _LIVE,
    **{
        f"{_JWT}.{module}.{name}": _LIVE
        for module, names in (
            ("authentication", ("jwt_decode_handler", "jwt_get_username_from_payload")),
            (
                "serializers",
                (
                    "jwt_payload_handler",
                    "jwt_encode_handler",
                    "jwt_decode_handler",
                    "jwt_get_username_from_payload",
                ),
            ),
        )
        for name in names
    },
    f"{_JWT}.serializers.User": _refused("Say get_user_model()."),
    f"{_JWT}.serializers.VerificationBaseSerializer": _SAME,
    f"{_JWT}.serializers.JSONWebTokenSerializer": _SAME,
    f"{_JWT}.serializers.RefreshJSONWebTokenSerializer": _SAME,
    f"{_JWT}.serializers.VerifyJSONWebTokenSerializer": _SAME,
    f"{_JWT}.settings.api_settings": _better("read live: override_settings works"),
    f"{_JWT}.settings.DEFAULTS": _SAME,
    f"{_JWT}.settings.IMPORT_STRINGS": _SAME,
    f"{_JWT}.settings.USER_SETTINGS": _refused("Say api_settings.user_settings."),
    f"{_JWT}.utils.jwt_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_encode_handler": _better(
        "starts a session for the payload's user, by name, so that it can be ended; an exp beyond "
        "JWT_EXPIRATION_DELTA is refused"
    ),
    f"{_JWT}.utils.jwt_decode_handler": _better("always verifies"),
    f"{_JWT}.utils.jwt_response_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_get_secret_key": _SAME,
    f"{_JWT}.utils.jwt_get_username_from_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_get_user_id_from_payload_handler": _SAME,
    f"{_JWT}.compat.get_username_field": _refused("Say get_user_model().USERNAME_FIELD."),
    f"{_JWT}.compat.get_username": _refused("Say user.get_username()."),
    f"{_JWT}.compat.Serializer": _refused("Say rest_framework.serializers.Serializer."),
    f"{_JWT}.compat.PasswordField": _refused("Say rest_framework.serializers.CharField."),
    f"{_JWT}.test.APIJWTClient": _TEST_CLIENT,
    f"{_JWT}.test.APIJWTTestCase": _TEST_CLIENT,
    f"{_JWT}.blacklist": _refused("drf-jwt's app. A session ends by drf_tessera.sessions.revoke()."),
}

BY_HAND: Final[Mapping[str, str]] = {
    "REST_KNOX": "docs/migrate/from-knox.md",
    "knox": "docs/migrate/from-knox.md",
    "REST_AUTH": "docs/migrate/from-dj-rest-auth.md",
    "dj_rest_auth": "docs/migrate/from-dj-rest-auth.md",
}
"""Settings and apps of packages that are moved from by hand, and the page that tells how."""


def refuse_names(module: str) -> Callable[[str], NoReturn]:
    """Make the ``__getattr__`` of a module: a name that is refused says why, and what to take instead."""

    def refuse(name: str) -> NoReturn:
        known = find_name(f"{module}.{name}")
        if known is not None:
            raise ImportError(f"cannot import name {name!r} from {module!r}: {known[1].text}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return refuse


def find_name(path: str) -> tuple[str, Verdict] | None:
    """Give the verdict on a dotted name, or on what it stands in, with the name that was found."""
    while path:
        if path in NAMES:
            return path, NAMES[path]
        path = path.rpartition(".")[0]
    return None

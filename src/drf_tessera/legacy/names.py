"""A verdict on each setting and each name of other packages: same, better or refused, with the reason.

``docs/migrate/`` shows the verdicts as tables. ``manage.py tessera_migrate_check`` prints the verdicts that
concern a project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

from drf_tessera.texts import Text


class Kind(StrEnum):
    """The kinds of a verdict."""

    SAME = "same"
    BETTER = "better"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one name, and the difference or the reason."""

    kind: Kind
    text: Text = Text("")  # noqa: RUF009 - a text never changes


_SAME: Final = Verdict(Kind.SAME)


def _better(text: Text) -> Verdict:
    return Verdict(Kind.BETTER, text)


def _refused(text: Text) -> Verdict:
    return Verdict(Kind.REFUSED, text)


_NO_SLIDING: Final = _refused(
    Text(
        "A sliding token renews itself and travels with each request, so it is easily stolen. Use an access "
        "token and a refresh token."
    )
)
_LIVE: Final = _better(Text("The value of the settings at the moment of the import."))
_AS_VIEW: Final = _better(Text("As the class of this view."))

_FIXED_ALGORITHM: Final = Text(
    "A key belongs to one algorithm. The `alg` of a token cannot change the algorithm."
)
_OWN_KEY: Final = Text(
    "SECRET_KEY itself is never the signing key. Without a key of your own, the signing key is derived from "
    "SECRET_KEY."
)
_LEEWAY: Final = _better(
    Text(
        "Applies to iat and nbf. exp is checked exactly. For tokens issued before the move, the leeway also "
        "applies to exp."
    )
)
_LIVE_SETTINGS: Final = _better(Text("Read live, so override_settings works."))
_BACKEND: Final = _better(Text("decode() always verifies. encode() is refused."))
_VIEW_BASE: Final = _better(
    Text("No transaction, answers are not cached, and the size of bodies is limited.")
)
_NO_QUERY: Final = _better(Text("No query, and a token of an ended session is refused."))

SIMPLE_JWT: Final[Mapping[str, Verdict]] = {
    "ACCESS_TOKEN_LIFETIME": _SAME,
    "REFRESH_TOKEN_LIFETIME": _better(
        Text(
            "The idle limit of a session; it begins again at each refresh. It is also the absolute limit of "
            "the session, unless ROTATE_REFRESH_TOKENS is True: then the absolute limit is 90 days. It is "
            "never less than ACCESS_TOKEN_LIFETIME. If not set: 14 and 90 days."
        )
    ),
    "ROTATE_REFRESH_TOKENS": _better(
        Text(
            "True: refresh tokens rotate, with a grace window and reuse detection. Not set: refresh tokens "
            "rotate, and clients that ignore the new token can use their old token until it expires. False: "
            "no rotation. check warns if it is False or not set."
        )
    ),
    "BLACKLIST_AFTER_ROTATION": _better(
        Text("Always on. If a replaced token comes back, its session is ended.")
    ),
    "UPDATE_LAST_LOGIN": _SAME,
    "ALGORITHM": _better(Text("Belongs to SIGNING_KEY. %(about)s", about=_FIXED_ALGORITHM)),
    "SIGNING_KEY": _better(_OWN_KEY),
    "VERIFYING_KEY": _better(
        Text(
            "For tokens issued before the move. New tokens are verified with the public part of SIGNING_KEY."
        )
    ),
    "AUDIENCE": _SAME,
    "ISSUER": _SAME,
    "JSON_ENCODER": _SAME,
    "JWK_URL": _refused(
        Text(
            "A server that downloads keys depends on another server. Write the public key into VERIFYING_KEY."
        )
    ),
    "LEEWAY": _LEEWAY,
    "AUTH_HEADER_TYPES": _SAME,
    "AUTH_HEADER_NAME": _SAME,
    "USER_ID_FIELD": _better(Text("The field for the claim USER_ID_CLAIM. `sub` is always the primary key.")),
    "USER_ID_CLAIM": _better(Text("Any name except the claims that RFC 7519 and RFC 9068 register.")),
    "USER_AUTHENTICATION_RULE": _better(
        Text("Called at login and at refresh. An inactive user is always refused.")
    ),
    "AUTH_TOKEN_CLASSES": _better(Text("Subclasses of AccessToken. SlidingToken is refused.")),
    "TOKEN_TYPE_CLAIM": _better(
        Text("Tokens still carry this claim, but only the `typ` of the header is checked.")
    ),
    "JTI_CLAIM": _better(
        Text("For tokens issued before the move, also if it is None. New tokens have `jti`.")
    ),
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
        Text("Always on. A new password ends all sessions at once. Tokens carry no digest of the password.")
    ),
    "REVOKE_TOKEN_CLAIM": _better(Text("Checked only in tokens issued before the move.")),
    "CHECK_USER_IS_ACTIVE": _refused(
        Text("An inactive user is always refused. Activate the users that need access.")
    ),
}

JWT_AUTH: Final[Mapping[str, Verdict]] = {
    "JWT_ENCODE_HANDLER": _better(
        Text(
            "If your own handler does not call jwt_encode_handler, nothing can end its tokens. check warns "
            "about your own handler."
        )
    ),
    "JWT_DECODE_HANDLER": _SAME,
    "JWT_PAYLOAD_HANDLER": _better(
        Text(
            "exp may not be later than JWT_EXPIRATION_DELTA from now. drf-tessera itself sets the claims "
            "that RFC 7519 and RFC 9068 register, such as sub, jti and scope."
        )
    ),
    "JWT_PAYLOAD_GET_USER_ID_HANDLER": _better(
        Text(
            "Called if a payload has no user name, to compare the user id with the user, and to choose a key."
        )
    ),
    "JWT_PAYLOAD_GET_USERNAME_HANDLER": _better(
        Text(
            "Called when a token is made, and for tokens issued before the move. In new tokens `sub` is the "
            "user."
        )
    ),
    "JWT_RESPONSE_PAYLOAD_HANDLER": _SAME,
    "JWT_PRIVATE_KEY": _better(Text("A PEM text or a key object. %(about)s", about=_FIXED_ALGORITHM)),
    "JWT_PUBLIC_KEY": _better(
        Text(
            "For tokens issued before the move. New tokens are verified with the public part of "
            "JWT_PRIVATE_KEY."
        )
    ),
    "JWT_SECRET_KEY": _better(_OWN_KEY),
    "JWT_GET_USER_SECRET_KEY": _better(
        Text(
            "For tokens issued before the move. New tokens end with their session: sessions.revoke_all(user)."
        )
    ),
    "JWT_ALGORITHM": _better(Text("Never `none`.")),
    "JWT_VERIFY": _refused(Text("False would accept tokens that nobody signed. It is read as True.")),
    "JWT_VERIFY_EXPIRATION": _refused(
        Text(
            "With False a token would never expire, like a password that never changes. It is read as True. "
            "JWT_EXPIRATION_DELTA may be long."
        )
    ),
    "JWT_LEEWAY": _LEEWAY,
    "JWT_EXPIRATION_DELTA": _SAME,
    "JWT_AUDIENCE": _SAME,
    "JWT_ISSUER": _SAME,
    "JWT_ALLOW_REFRESH": _better(
        Text("A refresh returns another token of the same session. The session can be ended.")
    ),
    "JWT_REFRESH_EXPIRATION_DELTA": _better(
        Text("The absolute limit of a session, if refresh is allowed. 7 days by default.")
    ),
    "JWT_AUTH_HEADER_PREFIX": _SAME,
    "JWT_AUTH_COOKIE": _better(
        Text(
            "The cookie is Secure and SameSite. A request from another site that uses the cookie is refused "
            "(403). The cookie is set only for browsers."
        )
    ),
}

DRF_JWT: Final = frozenset(
    {
        "JWT_AUTH_COOKIE_DOMAIN",
        "JWT_AUTH_COOKIE_PATH",
        "JWT_AUTH_COOKIE_SAMESITE",
        "JWT_AUTH_COOKIE_SECURE",
        "JWT_DELETE_STALE_BLACKLISTED_TOKENS",
        "JWT_IMPERSONATION_COOKIE",
        "JWT_INSIST_ON_KID",
        "JWT_PAYLOAD_INCLUDE_USER_ID",
        "JWT_TOKEN_ID",
    }
)
"""Keys that only drf-jwt has. It has the same import name and the same setting, but other defaults."""


ABOUT_DRF_JWT: Final = Text(
    "Keep drf-jwt, or move to the endpoints of drf-tessera itself: the section drf-jwt in "
    "docs/migrate/from-djangorestframework-jwt.md."
)

_SIMPLEJWT: Final = "rest_framework_simplejwt"
_JWT: Final = "rest_framework_jwt"

NAMES: Final[Mapping[str, Verdict]] = {
    f"{_SIMPLEJWT}.views.TokenObtainPairView": _better(
        Text("Logins are throttled, and bad input is never a 500.")
    ),
    f"{_SIMPLEJWT}.views.TokenRefreshView": _better(
        Text("One SQL statement instead of 13. A replay is refused.")
    ),
    f"{_SIMPLEJWT}.views.TokenVerifyView": _better(Text("A token of an ended session is refused.")),
    f"{_SIMPLEJWT}.views.TokenBlacklistView": _better(
        Text("Also ends access tokens, within one second in all processes.")
    ),
    f"{_SIMPLEJWT}.views.TokenObtainSlidingView": _NO_SLIDING,
    f"{_SIMPLEJWT}.views.TokenRefreshSlidingView": _NO_SLIDING,
    f"{_SIMPLEJWT}.authentication.JWTAuthentication": _NO_QUERY,
    f"{_SIMPLEJWT}.authentication.JWTStatelessUserAuthentication": _better(
        Text("A token of an ended session is refused.")
    ),
    f"{_SIMPLEJWT}.authentication.JWTTokenUserAuthentication": _better(
        Text("The same as JWTStatelessUserAuthentication.")
    ),
    f"{_SIMPLEJWT}.authentication.default_user_authentication_rule": _SAME,
    f"{_SIMPLEJWT}.authentication.AUTH_HEADER_TYPES": _better(Text("Read live.")),
    f"{_SIMPLEJWT}.authentication.AUTH_HEADER_TYPE_BYTES": _better(Text("Read live.")),
    f"{_SIMPLEJWT}.views.TokenViewBase": _VIEW_BASE,
    **{
        f"{_SIMPLEJWT}.views.{view}": _AS_VIEW
        for view in ("token_obtain_pair", "token_refresh", "token_verify", "token_blacklist")
    },
    f"{_SIMPLEJWT}.views.token_obtain_sliding": _NO_SLIDING,
    f"{_SIMPLEJWT}.views.token_refresh_sliding": _NO_SLIDING,
    f"{_SIMPLEJWT}.tokens.RefreshToken": _better(
        Text(
            "for_user() starts a session, and only for an active user. RefreshToken(raw) checks a token and "
            "does not spend it; RefreshToken.rotate(raw) spends it. A shorter exp shortens the session. A "
            "class with a lifetime of its own is refused, because the lifetime is a setting."
        )
    ),
    f"{_SIMPLEJWT}.tokens.AccessToken": _better(
        Text(
            "AccessToken(raw) always verifies. The lifetime can be shortened, and a longer lifetime is "
            "refused. AccessToken.for_user(user) starts a session that ends with the token."
        )
    ),
    f"{_SIMPLEJWT}.tokens.UntypedToken": _better(
        Text("Accepts access tokens and refresh tokens. A token without a type is refused.")
    ),
    f"{_SIMPLEJWT}.tokens.SlidingToken": _NO_SLIDING,
    f"{_SIMPLEJWT}.tokens.Token": _better(
        Text(
            "verify=False, tokens without a user, a token_type of your own, and claims that RFC 7519 and RFC "
            "9068 register, except scope, are refused. Use django.core.signing for purposes other than a "
            "login."
        )
    ),
    f"{_SIMPLEJWT}.tokens.Token.token_backend": _BACKEND,
    f"{_SIMPLEJWT}.tokens.Token.get_token_backend": _BACKEND,
    f"{_SIMPLEJWT}.tokens.Token.verify_token_type": _SAME,
    f"{_SIMPLEJWT}.tokens.BlacklistMixin": _better(
        Text(
            "Ends the session of the token, with or without the app token_blacklist. This also works with an "
            "access token."
        )
    ),
    f"{_SIMPLEJWT}.tokens.AuthUser": _SAME,
    f"{_SIMPLEJWT}.authentication.AuthUser": _SAME,
    f"{_SIMPLEJWT}.serializers.AuthUser": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenObtainSerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenObtainPairSerializer": _better(
        Text("The claims of get_token() apply to the whole session.")
    ),
    f"{_SIMPLEJWT}.serializers.TokenRefreshSerializer": _better(
        Text(
            "One SQL statement. A token_class of your own checks the token first, and makes the access "
            "token. If refresh tokens rotate, the data always has `refresh`."
        )
    ),
    f"{_SIMPLEJWT}.serializers.TokenVerifySerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenBlacklistSerializer": _SAME,
    f"{_SIMPLEJWT}.serializers.TokenObtainSlidingSerializer": _NO_SLIDING,
    f"{_SIMPLEJWT}.serializers.TokenRefreshSlidingSerializer": _NO_SLIDING,
    f"{_SIMPLEJWT}.serializers.PasswordField": _SAME,
    f"{_SIMPLEJWT}.settings.api_settings": _LIVE_SETTINGS,
    f"{_SIMPLEJWT}.settings.DEFAULTS": _SAME,
    f"{_SIMPLEJWT}.settings.IMPORT_STRINGS": _SAME,
    f"{_SIMPLEJWT}.settings.APISettings": _LIVE_SETTINGS,
    f"{_SIMPLEJWT}.settings.USER_SETTINGS": _better(Text("Read live.")),
    f"{_SIMPLEJWT}.settings.REMOVED_SETTINGS": _better(Text("`check` reports these keys (E002).")),
    f"{_SIMPLEJWT}.settings.reload_api_settings": _better(
        Text("Does nothing, because the settings are read live.")
    ),
    f"{_SIMPLEJWT}.exceptions.DetailDictMixin": _SAME,
    f"{_SIMPLEJWT}.exceptions.TokenError": _better(Text("It has the `code` of drf-tessera.")),
    f"{_SIMPLEJWT}.exceptions.ExpiredTokenError": _SAME,
    f"{_SIMPLEJWT}.exceptions.InvalidToken": _better(
        Text("It has an exact `reason` in addition to its code.")
    ),
    f"{_SIMPLEJWT}.exceptions.AuthenticationFailed": _SAME,
    f"{_SIMPLEJWT}.exceptions.TokenBackendError": _SAME,
    f"{_SIMPLEJWT}.exceptions.TokenBackendExpiredToken": _SAME,
    f"{_SIMPLEJWT}.models.TokenUser": _SAME,
    f"{_SIMPLEJWT}.state.token_backend": _BACKEND,
    f"{_SIMPLEJWT}.backends.TokenBackend": _better(
        Text("decode() always verifies, with the keys of the settings. encode() is refused: use for_user().")
    ),
    f"{_SIMPLEJWT}.backends.ALLOWED_ALGORITHMS": _SAME,
    **{
        f"{_SIMPLEJWT}.backends.TokenBackend.{name}": _refused(
            Text("The server may have several keys, each with one algorithm: docs/reference/settings.md.")
        )
        for name in ("get_verifying_key", "prepared_signing_key", "prepared_verifying_key")
    },
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
    f"{_SIMPLEJWT}.utils.format_lazy": _SAME,
    f"{_SIMPLEJWT}.token_blacklist.apps.TokenBlacklistConfig": _SAME,
    f"{_SIMPLEJWT}.token_blacklist.models.OutstandingToken": _better(
        Text(
            "One row for each login. A refresh adds no row. The column `token` holds a handle, which finds "
            "the session and lets nobody in. A filter by the text of a token finds the row."
        )
    ),
    f"{_SIMPLEJWT}.token_blacklist.models.BlacklistedToken": _better(
        Text("Rows are respected. Adding a row ends the session at once.")
    ),
    f"{_SIMPLEJWT}.token_blacklist.admin.OutstandingTokenAdmin": _better(Text("Shows no tokens.")),
    f"{_SIMPLEJWT}.token_blacklist.admin.BlacklistedTokenAdmin": _better(
        Text("Adding a row ends the session.")
    ),
    f"{_JWT}.authentication.JSONWebTokenAuthentication": _NO_QUERY,
    f"{_JWT}.authentication.BaseJSONWebTokenAuthentication": _SAME,
    f"{_JWT}.views.ObtainJSONWebToken": _better(Text("Starts a session. Logins are throttled.")),
    f"{_JWT}.views.RefreshJSONWebToken": _better(Text("Returns another token of the same session.")),
    f"{_JWT}.views.VerifyJSONWebToken": _better(Text("A token of an ended session is refused.")),
    f"{_JWT}.views.JSONWebTokenAPIView": _VIEW_BASE,
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
    f"{_JWT}.serializers.User": _SAME,
    f"{_JWT}.serializers.VerificationBaseSerializer": _SAME,
    f"{_JWT}.serializers.JSONWebTokenSerializer": _SAME,
    f"{_JWT}.serializers.RefreshJSONWebTokenSerializer": _SAME,
    f"{_JWT}.serializers.VerifyJSONWebTokenSerializer": _SAME,
    f"{_JWT}.settings.api_settings": _LIVE_SETTINGS,
    f"{_JWT}.settings.DEFAULTS": _SAME,
    f"{_JWT}.settings.IMPORT_STRINGS": _SAME,
    f"{_JWT}.settings.USER_SETTINGS": _better(Text("Read live.")),
    f"{_JWT}.utils.jwt_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_encode_handler": _better(
        Text(
            "Starts a session for the user of the payload, found by name, so the token can be ended. An exp "
            "beyond JWT_EXPIRATION_DELTA is refused."
        )
    ),
    f"{_JWT}.utils.jwt_decode_handler": _better(Text("Always verifies.")),
    f"{_JWT}.utils.jwt_response_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_get_secret_key": _SAME,
    f"{_JWT}.utils.jwt_get_username_from_payload_handler": _SAME,
    f"{_JWT}.utils.jwt_get_user_id_from_payload_handler": _SAME,
    **{
        f"{_JWT}.compat.{name}": _SAME
        for name in ("get_username_field", "get_username", "Serializer", "PasswordField")
    },
    f"{_JWT}.test.APIJWTClient": _SAME,
    f"{_JWT}.test.APIJWTTestCase": _SAME,
    f"{_JWT}.blacklist": _refused(
        Text("This is an app of drf-jwt. To end a session, call drf_tessera.sessions.revoke().")
    ),
    **{
        f"{_JWT}.{name}": _refused(Text("This is a name of drf-jwt."))
        for name in (
            "utils.jwt_create_payload",
            "utils.jwt_encode_payload",
            "utils.jwt_decode_token",
            "utils.jwt_create_response_payload",
            "utils.check_payload",
            "utils.check_user",
            "utils.unix_epoch",
            "views.BaseJSONWebTokenAPIView",
            "views.ObtainJSONWebTokenView",
            "views.VerifyJSONWebTokenView",
            "views.RefreshJSONWebTokenView",
            "views.ImpersonateJSONWebTokenView",
            "views.impersonate_jwt_token",
            "permissions",
        )
    },
}

BY_HAND: Final[Mapping[str, str]] = {
    "REST_KNOX": "docs/migrate/from-knox.md",
    "knox": "docs/migrate/from-knox.md",
    "REST_AUTH": "docs/migrate/from-dj-rest-auth.md",
    "dj_rest_auth": "docs/migrate/from-dj-rest-auth.md",
}
"""Settings and apps of packages from which a project moves by hand, and the page that describes the move."""


def refuse_names(module: str) -> Callable[[str], NoReturn]:
    """Return a ``__getattr__`` for a module. It refuses a name with the reason and the replacement."""

    def refuse(name: str) -> NoReturn:
        known = find_name(f"{module}.{name}")
        if known is not None:
            raise ImportError(f"cannot import name {name!r} from {module!r}: {known[1].text}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return refuse


def find_name(path: str) -> tuple[str, Verdict] | None:
    """Return the verdict on a dotted name or on its nearest parent, with the name that was found."""
    while path:
        if path in NAMES:
            return path, NAMES[path]
        path = path.rpartition(".")[0]
    return None

"""The texts of what this package refuses. Each says what to do instead."""

from typing import Final

from django.utils.translation import gettext_noop

ONE_KIND: Final = (
    "A project cannot add its own token_type. For another purpose, such as a link in a mail, use "
    "django.core.signing: dumps(value, salt=...), loads(..., max_age=...)."
)
BY_HAND: Final = "Do not rotate a token by hand. Use RefreshToken.rotate(raw) or TokenRefreshSerializer."
ONE_LIFETIME: Final = (
    "No refresh token may live longer than REFRESH_TOKEN_LIFETIME. Increase this setting, for all tokens. "
    "The claim exp can only shorten the life of a token that for_user() has just made, and not below the "
    "life of an access token that was already signed for it."
)
SLIDING: Final = gettext_noop(
    "Sliding tokens are not supported, because each request would carry a token that renews itself. Use the "
    "pair instead: TokenObtainPairView and TokenRefreshView."
)
NO_USER: Final = "This token has no user. Create the token with for_user(user)."
NOT_VERIFIED: Final = "A token cannot be read without verification. Remove the argument verify."
SHORT_ACCESS: Final = (
    "An access token may live for ACCESS_TOKEN_LIFETIME at most. Increase this setting instead."
)
LATER: Final = "The claim iat of an access token lies in the future, so no server would accept the token."
OWN_ID: Final = (
    "The jti of a refresh token is the id of its session, so a project cannot choose it. Put an id of your "
    "own into another claim."
)
OTHER_USER: Final = (
    "A project cannot give a token of one user to another user. Create the token with for_user(user)."
)
HANDLE: Final = (
    "This is the handle of a session from the table OutstandingToken. blacklist() ends the session, but the "
    "handle is not a token."
)
UNCHANGED: Final = (
    "simplejwt issued this token, so its claims cannot be changed. Create a new token with for_user(user)."
)
LOGIN_TIME: Final = "The iat of a refresh token is the time of the login, so a project cannot choose it."

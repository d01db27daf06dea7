"""Every error that drf-tessera raises, as one tree.

Each class has a ``code``. Clients and log searches may rely on the ``code``, because it never changes.
``detail`` is a text for a person. It contains no secret and no token. The class states the kind of
refusal. Only :mod:`drf_tessera.rest.errors` turns a kind into an HTTP status.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TesseraError(Exception):
    """The root: ``except TesseraError`` catches every error that this package raises on purpose."""

    code: ClassVar[str] = "tessera_error"
    default_detail: ClassVar[str] = "The operation was refused."

    def __init__(self, detail: str | None = None) -> None:
        self.detail: str = detail if detail is not None else self.default_detail
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with the text alone, but some classes have other arguments.
        return _restore, (type(self), self.args, vars(self))


def _restore(kind: type[TesseraError], args: tuple[Any, ...], state: dict[str, Any]) -> TesseraError:
    """Return the error of a pickle."""
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


# -- Mistakes of the project: a person must change code or settings --------------------------------


class ProjectError(TesseraError):
    """The project's code or settings are wrong. A client can neither cause nor repair this error."""

    code = "project_error"


class SettingsError(ProjectError):
    """A setting is not valid. ``manage.py check`` reports each such setting with a hint."""

    code = "settings_invalid"
    default_detail = "The TESSERA settings are not valid; run manage.py check."


class KeyMaterialError(ProjectError):
    """A key cannot be used: it is unreadable, too short, or of the wrong kind for its algorithm."""

    code = "key_invalid"
    default_detail = "A key cannot be used."


class ClaimsHookError(ProjectError):
    """The project's ``CLAIMS`` hook returned something that cannot go into a token."""

    code = "claims_hook_invalid"
    default_detail = "The CLAIMS hook returned something that cannot go into a token."


class MigrationMissing(ProjectError):
    """A table or a column does not exist, because ``manage.py migrate`` was not run. The cause names it."""

    code = "migration_missing"
    default_detail = "A table or a column does not exist in the database. Run manage.py migrate."


# -- The request itself ----------------------------------------------------------------------------


class RequestError(TesseraError):
    """The endpoint cannot understand the request (HTTP 400)."""

    code = "invalid_request"
    default_detail = "The request is not valid."


class EmailLoginUnavailable(RequestError):
    """The body has an ``email``, but no authentication backend of the project accepts an ``email``."""

    code = "email_login_unavailable"
    default_detail = (
        "This server does not support login by e-mail. (For the developer: login by e-mail needs an e-mail "
        "field on the user model, and drf_tessera.backends.EmailBackend in AUTHENTICATION_BACKENDS.)"
    )


class TokenMissing(RequestError):
    """The request has neither an access token in the header nor a refresh token in the body."""

    code = "token_missing"
    default_detail = "Send the refresh token in the body, or the access token in the Authorization header."


class TransportUnavailable(RequestError):
    """The client asked for a transport of refresh tokens that ``PROFILE`` does not allow."""

    code = "transport_unavailable"

    def __init__(self, offered: tuple[str, ...]) -> None:
        super().__init__(f"This server sends refresh tokens only by {' or '.join(map(repr, offered))}.")


class SessionNotFound(TesseraError):
    """The caller has no such session (HTTP 404). The answer is the same if another user has the session."""

    code = "session_not_found"
    default_detail = "You have no such session."


# -- Requests that another site may have made (HTTP 403) -------------------------------------------


class CsrfFailed(TesseraError):
    """A cookie would authenticate this request, but nothing proves that the site itself sent the request."""

    code = "csrf_failed"
    default_detail = "The request does not seem to come from this site."


class OriginRefused(CsrfFailed):
    """``Origin`` is neither the server's own origin nor an entry of ``CSRF_TRUSTED_ORIGINS``."""

    code = "csrf_origin"

    def __init__(self, *, same_host: bool) -> None:
        hint = ""
        if same_host:
            hint = " (For the developer: a server behind a proxy may need SECURE_PROXY_SSL_HEADER.)"
        super().__init__(
            "The header Origin names another origin. A request with cookies must come from the origin of "
            f"this server or from an origin in CSRF_TRUSTED_ORIGINS.{hint}"
        )


class FetchSiteRefused(CsrfFailed):
    """``Sec-Fetch-Site`` shows that another site sent the request."""

    code = "csrf_fetch_site"

    def __init__(self, site: str) -> None:
        shown = site if site in {"cross-site", "same-site"} else "of an unknown kind"
        super().__init__(
            f"The header Sec-Fetch-Site says that the request is {shown}. A request with cookies must be "
            "same-origin, or must have an Origin that is in CSRF_TRUSTED_ORIGINS."
        )


class CsrfTokenRefused(CsrfFailed):
    """The request has no ``Origin`` and no ``Sec-Fetch-Site``, and its CSRF token is missing or wrong."""

    code = "csrf_token"

    def __init__(self, reason: str) -> None:
        super().__init__(
            "A request with cookies, but without Origin and Sec-Fetch-Site, needs Django's CSRF token. "
            f"{reason.partition(' - ')[0].rstrip('.')}."
        )


class CookieAmbiguous(CsrfFailed):
    """Several cookies have the expected name. Perhaps another host of the domain planted one of them."""

    code = "cookie_ambiguous"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There are several cookies named {name!r} with different values. "
            "Delete the cookies of this site."
        )


# -- Refusals of a person or of a token (HTTP 401) -------------------------------------------------


class Refusal(TesseraError):
    """The server refuses access to the sender of the request."""

    code = "refused"
    default_detail = "Access was refused."


class LoginFailed(Refusal):
    """The login failed.

    The text and the code are the same for an unknown name, a wrong password and an inactive account,
    because the answer must not show which accounts exist.
    """

    code = "login_failed"
    default_detail = (
        "The user name or the password is wrong, the account is not active, or there were too many attempts."
    )


class LoginRefused(Refusal):
    """The password is right, and the project does not let the account in. ``CHALLENGE`` may raise it.

    Args:
        detail: the text for the person, for example "Confirm your e-mail address first."
        code: a stable code for clients.
    """

    code = "login_refused"
    default_detail = "This account may not log in at the moment."

    def __init__(self, detail: str | None = None, code: str | None = None) -> None:
        super().__init__(detail)
        if code is not None:
            vars(self)["code"] = code  # in place of the code of the class


class ChallengeRequired(Refusal):
    """The password is right, and the user has to show something else, too (``CHALLENGE``)."""

    code = "challenge_required"
    default_detail = "One more step is needed to log in."

    def __init__(self, user: Any, challenge: Any) -> None:
        super().__init__()
        self.user = user
        self.challenge = challenge
        """The :class:`~drf_tessera.challenges.Challenge`."""


class ChallengeFailed(LoginFailed):
    """The answer to a challenge is wrong. The ticket can be used again."""

    code = "challenge_failed"
    default_detail = "This answer is wrong."


class TicketInvalid(Refusal):
    """The ticket of a login has expired, was used, or never existed."""

    code = "ticket_invalid"
    default_detail = "This step took too long, or was done before. Log in again."


class HeaderMalformed(Refusal):
    """The ``Authorization`` header has the expected scheme, but the rest is wrong (RFC 6750, section 2.1)."""

    code = "header_malformed"
    default_detail = "The Authorization header must consist of the scheme, one space and one token."


class TokenError(Refusal):
    """The access token is not accepted."""

    code = "token_invalid"
    default_detail = "The access token is not valid."


class TokenMalformed(TokenError):
    """The token is not a compact JWS with a JSON header and JSON claims (RFC 7515, section 7.1)."""

    code = "token_malformed"
    default_detail = "The access token is not a well-formed JWT."


class TokenTooLarge(TokenError):
    """The token is longer than any token that this server issues. The token was not parsed."""

    code = "token_too_large"
    default_detail = "The access token is too long."


class TokenUnsupported(TokenError):
    """The token's header names an algorithm, or an extension (``crit``), that is not accepted."""

    code = "token_unsupported"
    default_detail = "The access token uses an algorithm or extension that is not accepted here."


class TokenWrongType(TokenError):
    """The token is not an access token (RFC 9068, section 2.1)."""

    code = "token_wrong_type"
    default_detail = "This token is not an access token."


class TokenKeyUnknown(TokenError):
    """No key in force has this ``kid``."""

    code = "token_key_unknown"
    default_detail = "The access token was signed with a key that this server does not know."


class TokenBadSignature(TokenError):
    """The signature does not match the token's header and claims."""

    code = "token_bad_signature"
    default_detail = "The signature of the access token is wrong."


class TokenClaimInvalid(TokenError):
    """A claim is missing, or its type or value is not allowed.

    ``claim`` is the name of the claim.
    """

    code = "token_claim_invalid"

    def __init__(self, claim: str) -> None:
        self.claim = claim
        super().__init__(f"The claim {claim!r} of the access token is missing or not valid.")


class TokenWrongIssuer(TokenError):
    """``iss`` is not the issuer that this server accepts."""

    code = "token_wrong_issuer"
    default_detail = "The access token comes from another issuer."


class TokenWrongAudience(TokenError):
    """``aud`` contains none of this server's audiences."""

    code = "token_wrong_audience"
    default_detail = "The access token is meant for another audience."


class TokenExpired(TokenError):
    """``exp`` has passed. The client should refresh and then repeat the request."""

    code = "token_expired"
    default_detail = "The access token has expired."


class TokenNotYetValid(TokenError):
    """``nbf`` or ``iat`` lies further in the future than ``CLOCK_SKEW`` allows."""

    code = "token_not_yet_valid"
    default_detail = "The access token is not valid yet. Perhaps the clock of a server is wrong."


class RefreshInvalid(Refusal):
    """The text is not a refresh token of this server: it is malformed, forged or truncated."""

    code = "refresh_invalid"
    default_detail = "The refresh token is not valid."


class RefreshMissing(Refusal):
    """There is no refresh token, neither in a cookie nor in the body. Nobody is logged in."""

    code = "refresh_missing"
    default_detail = "There is no refresh token; log in."


class TransportMismatch(Refusal):
    """The token came by another transport than the one it was issued for.

    No honest client sends the token of a cookie in a body, because no script can read the token.
    """

    code = "transport_mismatch"
    default_detail = "This refresh token was issued for another transport; log in again."


class RefreshReused(Refusal):
    """A refresh token came back after it had been replaced. Somebody else holds a copy.

    The session was ended, both for the thief and for the owner. The owner must log in again.
    """

    code = "refresh_reused"
    default_detail = "This refresh token was used before. Its session has been ended; log in again."


class RefreshLost(Refusal):
    """Too many answers with a new refresh token were lost in a row.

    Perhaps a brownout of an hour has cut the answers. Perhaps a thief has used the recoveries. No token that
    came back proves a theft. The session was ended, and the owner must log in again.
    """

    code = "refresh_lost"
    default_detail = (
        "Too many answers to this client were lost in a row, so its session has been ended; log in again."
    )


class SessionEnded(Refusal):
    """The session of the token has ended."""

    code = "session_ended"
    default_detail = "The session has ended; log in again."


class SessionUnknown(SessionEnded):
    """The session does not exist. Its user was deleted, or the session ended long ago and was pruned."""

    code = "session_unknown"
    default_detail = "The session no longer exists; log in again."


class SessionRevoked(SessionEnded):
    """The session was ended early: by a logout, a password change, a theft, lost answers or an eviction."""

    code = "session_revoked"
    default_detail = "The session was ended; log in again."


class SessionExpired(SessionEnded):
    """The session reached its idle or its absolute limit."""

    code = "session_expired"
    default_detail = "The session has expired; log in again."


class UserGone(Refusal):
    """The user that the token names does not exist, or no longer exists."""

    code = "user_gone"
    default_detail = "The user of this token does not exist."


class UserInactive(Refusal):
    """The user that the token names is not active."""

    code = "user_inactive"
    default_detail = "The user of this token is not active."


class PasswordChanged(Refusal):
    """The password was changed while somebody logged in with the old password."""

    code = "password_changed"
    default_detail = "The password was just changed; log in again."


# -- Limits (HTTP 429) -----------------------------------------------------------------------------


class TooManyAttempts(TesseraError):
    """A limit is reached.

    ``retry_after`` is the number of seconds until the next attempt is allowed.
    """

    code = "throttled"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"There were too many attempts; try again in {retry_after} seconds.")


# -- Temporary problems of the server (HTTP 503) ---------------------------------------------------


class TemporarilyUnavailable(TesseraError):
    """The request is correct, but the server has a temporary problem. The client may repeat the request."""

    code = "temporarily_unavailable"
    default_detail = "The server could not do this at the moment; try again."


class DatabaseUnavailable(TemporarilyUnavailable):
    """The database cannot be used: it is away, read-only or full, or it has no connection to spare.

    Nothing was spent. A refresh token is still good, and a login is not counted as an attempt.
    """

    code = "database_unavailable"
    default_detail = "The server cannot use its database at the moment; try again."


class LoginBusy(TemporarilyUnavailable):
    """Too many passwords are being checked at the same time. The password of this login was not checked."""

    code = "login_busy"
    default_detail = "The server is busy with other logins; try again."


class RefreshContended(TemporarilyUnavailable):
    """Too many writers changed this session at the same time. No token was lost."""

    code = "refresh_contended"
    default_detail = "Other requests are refreshing this session; try again."


class RevocationUnavailable(TemporarilyUnavailable):
    """The list of ended sessions could not be read for too long, or could not be written.

    The server refuses everybody, because the server cannot know which sessions have ended.
    """

    code = "revocation_unavailable"
    default_detail = "The server cannot read or write the list of ended sessions at the moment; try again."

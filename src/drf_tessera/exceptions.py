"""Every error that drf-tessera raises, as one tree.

Each class has a ``code``: a string that never changes, for clients and log searches to rely on.
``detail`` is one sentence for a person; it carries no secret and no token. The tree says what kind
of refusal it is, and :mod:`drf_tessera.rest.errors` alone turns a kind into an HTTP status.
"""

from __future__ import annotations

from typing import ClassVar


class TesseraError(Exception):
    """The root: ``except TesseraError`` catches whatever this package raises on purpose."""

    code: ClassVar[str] = "tessera_error"
    default_detail: ClassVar[str] = "Something was refused."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail if detail is not None else self.default_detail
        super().__init__(self.detail)


# -- Mistakes of the project: a person must change code or settings --------------------------------


class ProjectError(TesseraError):
    """The project's code or settings cannot work; no client can cause or mend this."""

    code = "project_error"


class SettingsError(ProjectError):
    """A setting cannot work. ``manage.py check`` names each one with a hint."""

    code = "settings_invalid"
    default_detail = "The TESSERA settings are not valid; run manage.py check."


class KeyMaterialError(ProjectError):
    """A key cannot be used: unreadable, too short, or not of its algorithm's kind."""

    code = "key_invalid"
    default_detail = "A key cannot be used."


class ClaimsHookError(ProjectError):
    """The project's ``CLAIMS`` hook returned something that cannot go into a token."""

    code = "claims_hook_invalid"
    default_detail = "The CLAIMS hook returned something that cannot go into a token."


# -- The request itself ----------------------------------------------------------------------------


class RequestError(TesseraError):
    """The request is not one that this endpoint can understand (HTTP 400)."""

    code = "invalid_request"
    default_detail = "The request is not valid."


class EmailLoginUnavailable(RequestError):
    """The body names an ``email``, and no authentication backend of the project reads one."""

    code = "email_login_unavailable"
    default_detail = (
        "This server has no log-in by e-mail. (For its developer: it needs an e-mail field on the user "
        "model, and drf_tessera.backends.EmailBackend in AUTHENTICATION_BACKENDS.)"
    )


class TokenMissing(RequestError):
    """Neither an access token in the header nor a refresh token in the body was sent."""

    code = "token_missing"
    default_detail = "Send the refresh token in the body, or the access token in the Authorization header."


class TransportUnavailable(RequestError):
    """The client asked for a way of travelling that ``PROFILE`` does not have."""

    code = "transport_unavailable"

    def __init__(self, asked: str, offered: tuple[str, ...]) -> None:
        super().__init__(
            f"Refresh tokens do not travel by {asked!r} here, but by {' or '.join(map(repr, offered))}."
        )


class SessionNotFound(TesseraError):
    """The caller has no such session (HTTP 404); nobody learns of other people's."""

    code = "session_not_found"
    default_detail = "You have no such session."


# -- Requests that another site may have made (HTTP 403) -------------------------------------------


class CsrfFailed(TesseraError):
    """A cookie would authenticate this request, and nothing shows that the site itself made it."""

    code = "csrf_failed"
    default_detail = "The request does not seem to come from this site."


class OriginRefused(CsrfFailed):
    """``Origin`` is neither this server's own nor in ``CSRF_TRUSTED_ORIGINS``."""

    code = "csrf_origin"

    def __init__(self, origin: str, own: str) -> None:
        shown = origin if origin.isprintable() and len(origin) <= 100 else "(unreadable)"
        hint = ""
        if own.partition("://")[2] == shown.partition("://")[2]:
            hint = " (For its developer: is SECURE_PROXY_SSL_HEADER missing behind a proxy?)"
        super().__init__(
            f"The request comes from the origin {shown}, and with cookies only {own} and those in "
            f"CSRF_TRUSTED_ORIGINS are let in.{hint}"
        )


class FetchSiteRefused(CsrfFailed):
    """``Sec-Fetch-Site`` says that another site made this request."""

    code = "csrf_fetch_site"

    def __init__(self, site: str) -> None:
        shown = site if site in {"cross-site", "same-site"} else "something unknown"
        super().__init__(
            f"The browser says in Sec-Fetch-Site that the request is {shown}; with cookies it must be "
            "same-origin, or have an Origin that is in CSRF_TRUSTED_ORIGINS."
        )


class CsrfTokenRefused(CsrfFailed):
    """Neither ``Origin`` nor ``Sec-Fetch-Site`` was sent, and Django's CSRF token is not there or wrong."""

    code = "csrf_token"

    def __init__(self, reason: str) -> None:
        super().__init__(
            "With cookies and neither Origin nor Sec-Fetch-Site a request needs Django's CSRF token: "
            f"{reason}"
        )


class CookieAmbiguous(CsrfFailed):
    """Several cookies have the name of ours: perhaps another host of the domain planted one."""

    code = "cookie_ambiguous"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There are several cookies {name!r} with different values; delete the cookies of this site."
        )


# -- Refusals of a person or of a token (HTTP 401) -------------------------------------------------


class Refusal(TesseraError):
    """Whoever sent this is not let in."""

    code = "refused"
    default_detail = "Access was refused."


class LoginFailed(Refusal):
    """The login did not succeed.

    One text and one code for an unknown name, a wrong password and an inactive account, so that
    nobody learns from the answer which accounts exist.
    """

    code = "login_failed"
    default_detail = "The user name or password is not right, or the account is not active."


class HeaderMalformed(Refusal):
    """The ``Authorization`` header starts like ours and goes on wrongly (RFC 6750, section 2.1)."""

    code = "header_malformed"
    default_detail = "The Authorization header must be the scheme, one space and one token."


class TokenError(Refusal):
    """An access token is not accepted."""

    code = "token_invalid"
    default_detail = "The access token is not valid."


class TokenMalformed(TokenError):
    """These bytes are no compact JWS with a JSON header and JSON claims (RFC 7515, section 7.1)."""

    code = "token_malformed"
    default_detail = "The access token is not a well-formed JWT."


class TokenTooLarge(TokenError):
    """The token is longer than any that we issue; it was not parsed."""

    code = "token_too_large"
    default_detail = "The access token is too long."


class TokenUnsupported(TokenError):
    """The header asks for an algorithm, or by ``crit`` for an extension, that we do not take."""

    code = "token_unsupported"
    default_detail = "The access token uses an algorithm or extension that is not accepted here."


class TokenWrongType(TokenError):
    """The token is something else than an access token (RFC 9068, section 2.1)."""

    code = "token_wrong_type"
    default_detail = "This token is not an access token."


class TokenKeyUnknown(TokenError):
    """No key in force has this ``kid``."""

    code = "token_key_unknown"
    default_detail = "The access token was signed by a key that is not known here."


class TokenBadSignature(TokenError):
    """The signature does not belong to these bytes."""

    code = "token_bad_signature"
    default_detail = "The signature of the access token is not right."


class TokenClaimInvalid(TokenError):
    """A claim is missing, or has a type or range that it must not have. ``claim`` names it."""

    code = "token_claim_invalid"

    def __init__(self, claim: str) -> None:
        self.claim = claim
        super().__init__(f"The claim {claim!r} of the access token is missing or not valid.")


class TokenWrongIssuer(TokenError):
    """``iss`` is not the issuer that this server accepts."""

    code = "token_wrong_issuer"
    default_detail = "The access token comes from another issuer."


class TokenWrongAudience(TokenError):
    """``aud`` names none of this server's audiences."""

    code = "token_wrong_audience"
    default_detail = "The access token is meant for another audience."


class TokenExpired(TokenError):
    """``exp`` has passed: refresh, then try again."""

    code = "token_expired"
    default_detail = "The access token has expired."


class TokenNotYetValid(TokenError):
    """``nbf`` or ``iat`` lies further in the future than ``CLOCK_SKEW`` allows."""

    code = "token_not_yet_valid"
    default_detail = "The access token is not valid yet; is a server's clock wrong?"


class RefreshInvalid(Refusal):
    """This text is no refresh token that this server issued: malformed, forged or truncated."""

    code = "refresh_invalid"
    default_detail = "The refresh token is not valid."


class RefreshMissing(Refusal):
    """There is no refresh token, neither in a cookie nor in the body: nobody is logged in."""

    code = "refresh_missing"
    default_detail = "There is no refresh token; log in."


class TransportMismatch(Refusal):
    """A refresh token came another way than it was given out: from a cookie in a body, or back.

    A token that was never readable by script does not come in a body by right.
    """

    code = "transport_mismatch"
    default_detail = "This refresh token does not travel this way; log in again."


class RefreshReused(Refusal):
    """A refresh token that had been replaced came back: somebody else holds a copy.

    The session has been ended, for the thief and for the owner; the owner logs in again.
    """

    code = "refresh_reused"
    default_detail = "This refresh token was used before. Its session has been ended; log in again."


class SessionEnded(Refusal):
    """The session behind the token is over."""

    code = "session_ended"
    default_detail = "The session has ended; log in again."


class SessionUnknown(SessionEnded):
    """No such session: its user was deleted, or it ended long ago and was pruned."""

    code = "session_unknown"
    default_detail = "The session does not exist any more; log in again."


class SessionRevoked(SessionEnded):
    """The session was ended early: a logout, a password change, a theft, an eviction."""

    code = "session_revoked"
    default_detail = "The session was ended; log in again."


class SessionExpired(SessionEnded):
    """The session reached its idle or its absolute limit."""

    code = "session_expired"
    default_detail = "The session has expired; log in again."


class UserGone(Refusal):
    """The user that the token names does not exist (any more)."""

    code = "user_gone"
    default_detail = "The user of this token does not exist."


class UserInactive(Refusal):
    """The user that the token names is not active."""

    code = "user_inactive"
    default_detail = "The user of this token is not active."


class PasswordChanged(Refusal):
    """The password was changed while somebody was logging in by the old one."""

    code = "password_changed"
    default_detail = "The password was changed just now; log in again."


# -- Passing trouble of the server (HTTP 503) ------------------------------------------------------


class TemporarilyUnavailable(TesseraError):
    """Nothing is wrong with the request; the same one may succeed in a moment."""

    code = "temporarily_unavailable"
    default_detail = "The server could not do this just now; try again."


class RefreshContended(TemporarilyUnavailable):
    """Too many writers moved this session at once; no token was lost."""

    code = "refresh_contended"
    default_detail = "This session is being refreshed elsewhere; try again."


class RevocationUnavailable(TemporarilyUnavailable):
    """Which sessions have ended could not be learned for too long, or not be told.

    Nobody is let in, because nobody knows who was logged out.
    """

    code = "revocation_unavailable"
    default_detail = "The server cannot learn or tell just now which sessions have ended; try again."

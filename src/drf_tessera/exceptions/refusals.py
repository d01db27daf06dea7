"""Refusals of a person or of a token (HTTP 401)."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_tessera.exceptions.root import TesseraError
from drf_tessera.exceptions.root import gettext_noop as _


class Refusal(TesseraError):
    """The server refuses access to the sender of the request."""

    code = "refused"
    default_detail: ClassVar[str] = _("Access was refused.")


class LoginFailed(Refusal):
    """The login failed.

    The text and the code are the same for an unknown name, a wrong password and an inactive account,
    because the answer must not show which accounts exist.
    """

    code = "login_failed"
    default_detail: ClassVar[str] = _(
        "The user name or the password is wrong, the account is not active, or there were too many attempts."
    )


class LoginRefused(Refusal):
    """The password is right, and the project does not let the account in. ``CHALLENGE`` may raise it.

    Args:
        detail: the text for the person, for example "Confirm your e-mail address first."
        code: a stable code for clients.
    """

    code = "login_refused"
    default_detail: ClassVar[str] = _("This account may not log in at the moment.")

    def __init__(self, detail: str | None = None, code: str | None = None) -> None:
        super().__init__(detail)
        if code is not None:
            vars(self)["code"] = code  # in place of the code of the class


class ChallengeRequired(Refusal):
    """The password is right, and the user has to show something else, too (``CHALLENGE``)."""

    code = "challenge_required"
    default_detail: ClassVar[str] = _("One more step is needed to log in.")

    def __init__(self, user: Any, challenge: Any) -> None:
        super().__init__()
        self.user = user
        self.challenge = challenge
        """The :class:`~drf_tessera.challenges.Challenge`."""


class ChallengeFailed(LoginFailed):
    """The answer to a challenge is wrong. The ticket can be used again."""

    code = "challenge_failed"
    default_detail: ClassVar[str] = _("This answer is wrong.")


class TicketInvalid(Refusal):
    """The ticket has expired, was used, or never existed."""

    code = "ticket_invalid"
    default_detail: ClassVar[str] = _("This step took too long, or was done before. Log in again.")


class Unauthenticated(Refusal):
    """A plain view of Django needs a token, and the request has none.

    REST framework has the same code and text for its own views.
    """

    code = "not_authenticated"
    default_detail: ClassVar[str] = _("Authentication credentials were not provided.")


class HeaderMalformed(Refusal):
    """The ``Authorization`` header has the expected scheme, but the rest is wrong (RFC 6750, section 2.1)."""

    code = "header_malformed"
    default_detail: ClassVar[str] = _(
        "The Authorization header must consist of the scheme, one space and one token."
    )


class TokenError(Refusal):
    """The access token is not accepted."""

    code = "token_invalid"
    default_detail: ClassVar[str] = _("The access token is not valid.")


class TokenMalformed(TokenError):
    """The token is not a compact JWS with a JSON header and JSON claims (RFC 7515, section 7.1)."""

    code = "token_malformed"
    default_detail: ClassVar[str] = _("The access token is not a well-formed JWT.")


class PersonalTokenInvalid(TokenError):
    """The text is not a personal access token of this server, or the token was deleted."""

    code = "personal_token_invalid"
    default_detail: ClassVar[str] = _("This personal access token is not valid.")


class PersonalTokenRefused(TokenError):
    """The view does not accept personal access tokens."""

    code = "personal_token_refused"
    default_detail: ClassVar[str] = _("Personal access tokens are not accepted here. Log in.")


class TokenTooLarge(TokenError):
    """The token is longer than any token that this server issues. The token was not parsed."""

    code = "token_too_large"
    default_detail: ClassVar[str] = _("The access token is too long.")


class TokenUnsupported(TokenError):
    """The token's header names an algorithm, or an extension (``crit``), that is not accepted."""

    code = "token_unsupported"
    default_detail: ClassVar[str] = _(
        "The access token uses an algorithm or extension that is not accepted here."
    )


class TokenWrongType(TokenError):
    """The token is not an access token (RFC 9068, section 2.1)."""

    code = "token_wrong_type"
    default_detail: ClassVar[str] = _("This token is not an access token.")


class TokenKeyUnknown(TokenError):
    """No key in force has this ``kid``."""

    code = "token_key_unknown"
    default_detail: ClassVar[str] = _(
        "The access token was signed with a key that this server does not know."
    )


class TokenBadSignature(TokenError):
    """The signature does not match the token's header and claims."""

    code = "token_bad_signature"
    default_detail: ClassVar[str] = _("The signature of the access token is wrong.")


class TokenClaimInvalid(TokenError):
    """A claim is missing, or its type or value is not allowed.

    ``claim`` is the name of the claim.
    """

    code = "token_claim_invalid"

    def __init__(self, claim: str) -> None:
        self.claim = claim
        super().__init__(
            _("The claim %(claim)s of the access token is missing or not valid."), {"claim": repr(claim)}
        )


class TokenWrongIssuer(TokenError):
    """``iss`` is not the issuer that this server accepts."""

    code = "token_wrong_issuer"
    default_detail: ClassVar[str] = _("The access token comes from another issuer.")


class TokenWrongAudience(TokenError):
    """``aud`` contains none of this server's audiences."""

    code = "token_wrong_audience"
    default_detail: ClassVar[str] = _("The access token is meant for another audience.")


class TokenExpired(TokenError):
    """``exp`` has passed. The client should refresh and then repeat the request."""

    code = "token_expired"
    default_detail: ClassVar[str] = _("The access token has expired.")


class TokenNotYetValid(TokenError):
    """``nbf`` or ``iat`` lies further in the future than ``CLOCK_SKEW`` allows."""

    code = "token_not_yet_valid"
    default_detail: ClassVar[str] = _(
        "The access token is not valid yet. Perhaps the clock of a server is wrong."
    )


class RefreshInvalid(Refusal):
    """The text is not a refresh token of this server: it is malformed, forged or truncated."""

    code = "refresh_invalid"
    default_detail: ClassVar[str] = _("The refresh token is not valid.")


class RefreshMissing(Refusal):
    """There is no refresh token, neither in a cookie nor in the body. Nobody is logged in."""

    code = "refresh_missing"
    default_detail: ClassVar[str] = _("There is no refresh token; log in.")


class TransportMismatch(Refusal):
    """The token came by another transport than the one it was issued for.

    No honest client sends the token of a cookie in a body, because no script can read the token.
    """

    code = "transport_mismatch"
    default_detail: ClassVar[str] = _("This refresh token was issued for another transport; log in again.")


class RefreshReused(Refusal):
    """A refresh token came back after it had been replaced. Somebody else holds a copy.

    The session was ended, both for the thief and for the owner. The owner must log in again.
    """

    code = "refresh_reused"
    default_detail: ClassVar[str] = _(
        "This refresh token was used before. Its session has been ended; log in again."
    )


class RefreshLost(Refusal):
    """Too many answers with a new refresh token were lost in a row.

    Perhaps a brownout of an hour has cut the answers. Perhaps a thief has used the recoveries. No token that
    came back proves a theft. The session was ended, and the owner must log in again.
    """

    code = "refresh_lost"
    default_detail: ClassVar[str] = _(
        "Too many answers to this client were lost in a row, so its session has been ended; log in again."
    )


class SessionEnded(Refusal):
    """The session of the token has ended."""

    code = "session_ended"
    default_detail: ClassVar[str] = _("The session has ended; log in again.")


class SessionUnknown(SessionEnded):
    """The session does not exist. Its user was deleted, or the session ended long ago and was pruned."""

    code = "session_unknown"
    default_detail: ClassVar[str] = _("The session no longer exists; log in again.")


class SessionRevoked(SessionEnded):
    """The session was ended early: by a logout, a password change, a theft, lost answers or an eviction."""

    code = "session_revoked"
    default_detail: ClassVar[str] = _("The session was ended; log in again.")


class SessionExpired(SessionEnded):
    """The session reached its idle or its absolute limit."""

    code = "session_expired"
    default_detail: ClassVar[str] = _("The session has expired; log in again.")


class UserGone(Refusal):
    """The user that the token names does not exist, or no longer exists."""

    code = "user_gone"
    default_detail: ClassVar[str] = _("The user of this token does not exist.")


class UserConflict(Refusal):
    """No account can be made for the user of another issuer, because another account has the same data."""

    code = "user_conflict"
    default_detail: ClassVar[str] = _(
        "No account can be made for this user. Perhaps another account has the same data."
    )


class UserInactive(Refusal):
    """The user that the token names is not active."""

    code = "user_inactive"
    default_detail: ClassVar[str] = _("The user of this token is not active.")


class ProofNeeded(Refusal):
    """The token is valid, and the user has to prove their identity again or in another way (RFC 9470).

    Args:
        max_age: the proof must not be older than so many seconds.
        ways: one of these ways is needed, as ``amr`` names them.
    """

    code = "insufficient_user_authentication"
    default_detail: ClassVar[str] = _("Prove again that it is you.")

    def __init__(self, *, max_age: int | None = None, ways: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.max_age = max_age
        self.ways = ways


class PasswordChanged(Refusal):
    """The password was changed while somebody logged in with the old password."""

    code = "password_changed"
    default_detail: ClassVar[str] = _("The password was just changed; log in again.")

"""Why this server accepts a token or refuses it, step by step, for the people who run the server.

The verdict comes from the functions that authenticate requests, so it cannot differ from theirs. They stop at
the first problem, and the order of their checks is written here. So the steps before the problem are passed,
and those after it were not checked. Nothing is trusted that the signature does not cover.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from rest_framework.exceptions import APIException
from rest_framework.settings import api_settings

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.database import undone
from drf_tessera.exceptions import (
    HeaderMalformed,
    PersonalTokenInvalid,
    PersonalTokenRefused,
    RefreshInvalid,
    RefreshLost,
    RefreshReused,
    Refusal,
    SessionEnded,
    TesseraError,
    TokenBadSignature,
    TokenClaimInvalid,
    TokenExpired,
    TokenKeyUnknown,
    TokenMalformed,
    TokenNotYetValid,
    TokenTooLarge,
    TokenUnsupported,
    TokenWrongAudience,
    TokenWrongIssuer,
    TokenWrongType,
    TransportMismatch,
    UserGone,
    UserInactive,
)
from drf_tessera.http import read_header_token
from drf_tessera.issuers import ForeignToken, Principal, find_entry, is_foreign, preview_account
from drf_tessera.jose.codec import peek_parts
from drf_tessera.rest.authentication import JWTAuthentication
from drf_tessera.rest.reports import unreported
from drf_tessera.rest.wording import describe_row, quote, tell_time, write_time
from drf_tessera.rotation import Outcome
from drf_tessera.sessions import HANDLE_PREFIX, verify_personal_token
from drf_tessera.tokens import (
    PERSONAL_PREFIX,
    REFRESH_PREFIX,
    get_issuer,
    read_personal_token,
    read_refresh_token,
)
from drf_tessera.users import load_user

PASSED: Final = "passed"
FAILED: Final = "failed"
UNCHECKED: Final = "not checked"

_OWN: Final = (
    *("form", "extensions", "type", "key", "algorithm", "signature", "times", "identity"),
    *("issuer", "audience", "claims", "lifetime", "user", "session"),
)
"""The checks of an access token of ours, in the order in which they are made."""

_FOREIGN: Final = (
    *("form", "extensions", "type", "algorithm", "key", "signature", "times", "identity"),
    *("issuer", "audience", "claims", "user"),
)
"""The checks of a token of another issuer, in the order in which they are made."""

_PERSONAL: Final = ("authenticity", "session", "user")
"""The checks of a personal access token, in the order in which they are made."""

_REFRESH: Final = ("authenticity", "transport", "session", "user", "rotation")
"""The checks of a refresh token. The last three are one decision."""

_STEPS: Final[tuple[tuple[tuple[type[TesseraError], ...], str], ...]] = (
    ((TokenMalformed, TokenTooLarge, HeaderMalformed), "form"),
    ((TokenWrongType,), "type"),
    ((TokenKeyUnknown,), "key"),
    ((TokenBadSignature,), "signature"),
    ((TokenNotYetValid,), "times"),
    ((TokenWrongIssuer,), "issuer"),
    ((TokenWrongAudience,), "audience"),
    ((UserGone, UserInactive), "user"),
    ((SessionEnded,), "session"),
    ((RefreshInvalid, PersonalTokenInvalid, PersonalTokenRefused), "authenticity"),
    ((TransportMismatch,), "transport"),
    ((RefreshReused, RefreshLost), "rotation"),
)
_CLAIMS: Final = {
    **dict.fromkeys(("exp", "iat", "nbf"), "times"),
    **dict.fromkeys(("sub", "jti"), "identity"),
    "iss": "issuer",
}

_OUTCOMES: Final = {
    Outcome.ROTATED: "A refresh would replace this token.",
    Outcome.RECOVERED: "Its successor was never used. A refresh would replace this token again.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check of a token."""

    name: str
    result: str
    """``passed``, ``failed`` or ``not checked``."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The kind of a token, and the reasons to accept or to refuse it now."""

    kind: str
    """``access``, ``personal``, ``foreign``, ``refresh``, ``handle``, ``legacy`` or ``unknown``."""
    about: str
    accepted: bool
    code: str
    """The code of the refusal, or an empty text."""
    detail: str
    """The text of the refusal, or an empty text."""
    steps: tuple[Step, ...]
    header: Mapping[str, Any]
    """As the token has it. Nothing here is verified unless the signature is."""
    claims: Mapping[str, Any]
    """As the token has it."""

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values for JSON."""
        return asdict(self)


@sensitive_variables()
def explain_token(token: str) -> Explanation:
    """Return what a token is, and why this server accepts or refuses it now. Nothing is changed.

    The user and the session are read from the database, as :class:`StrictJWTAuthentication` does.

    Args:
        token: a stranger's text.

    Raises:
        TemporarilyUnavailable: the database, or the issuer of the token, does not answer.
    """
    for prefix, explain in ((REFRESH_PREFIX, _explain_refresh), (PERSONAL_PREFIX, _explain_personal)):
        if token.startswith(prefix):
            return explain(token)
    header, claims = peek_parts(token)
    if token.startswith(HANDLE_PREFIX):
        about = "This is the handle of a session. A program ends the session with it. No endpoint accepts it."
        return _explain_jwt(token, "handle", about, _OWN)
    if header and claims and is_foreign(token):
        about = f"This claims to be a token of {quote(claims.get('iss'))}, an entry of ISSUERS."
        return _explain_jwt(token, "foreign", about, _FOREIGN)
    legacy = _recognize(token, header, claims)
    if legacy:
        return _explain_legacy(token, legacy)
    if header:
        return _explain_jwt(token, "access", "This claims to be an access token of this server.", _OWN)
    return _explain_jwt(token, "unknown", "This is not a token that this server knows.", _OWN)


# -- Access tokens ---------------------------------------------------------------------------------


@sensitive_variables()
def _explain_jwt(token: str, kind: str, about: str, order: Sequence[str]) -> Explanation:
    verified: Any = None
    refusal: Refusal | None = None
    found: object = None
    try:
        verified = read_header_token(f"{get_settings().header_prefix} {token}")
        found = preview_account(verified) if isinstance(verified, ForeignToken) else load_user(verified)
    except Refusal as error:
        refusal = error
    header, claims = peek_parts(token)
    facts = _Facts(token, header, claims, verified, found)
    failed = None if refusal is None else _find_step(refusal, facts)
    return Explanation(
        kind=kind,
        about=about,
        accepted=refusal is None,
        code=refusal.code if refusal else "",
        detail=refusal.detail if refusal else "",
        steps=_list_steps(order, failed, facts.describe, refusal),
        header=header,
        claims=claims,
    )


def _find_step(error: Refusal, facts: _Facts) -> str:
    """Return the name of the check that raised an error."""
    if isinstance(error, TokenClaimInvalid):
        if facts.verified is not None:
            return "user"  # the claim that identifies the user of another issuer
        audience = facts.entry.audience_claim if facts.entry else "aud"
        return "audience" if error.claim == audience else _CLAIMS.get(error.claim, "claims")
    if isinstance(error, TokenExpired):
        expires = facts.claims.get("exp")
        return "lifetime" if isinstance(expires, int | float) and expires > facts.now else "times"
    if isinstance(error, TokenUnsupported):
        return facts.find_unsupported()
    return _find_kind(error)


def _find_kind(error: Refusal) -> str:
    return next(name for kinds, name in _STEPS if isinstance(error, kinds))


def _list_steps(
    order: Sequence[str], failed: str | None, describe: Callable[[str, bool], str], refusal: Refusal | None
) -> tuple[Step, ...]:
    end = len(order) if failed is None else order.index(failed)
    found = []
    for place, name in enumerate(order):
        result = PASSED if place < end else FAILED if place == end else UNCHECKED
        text = "" if result == UNCHECKED else describe(name, result == FAILED)
        if result == FAILED and refusal is not None:
            text = f"{refusal.detail} {text}".strip()
        found.append(Step(name=name, result=result, text=text))
    return tuple(found)


class _Facts:
    """The facts about one token, for the texts of its steps."""

    def __init__(
        self,
        token: str,
        header: Mapping[str, Any],
        claims: Mapping[str, Any],
        verified: Any,
        user: object,
    ) -> None:
        self.length = len(token)
        self.header, self.claims, self.verified, self.user = header, claims, verified, user
        self.now = time.time()
        self.entry = find_entry(str(claims.get("iss"))) if is_foreign(token) else None

    def find_unsupported(self) -> str:
        """Return the check that refuses an extension or an algorithm."""
        if "crit" in self.header:
            return "extensions"
        if self.entry is not None and self.header.get("alg") in self.entry.algorithms:
            return "key"  # a key of this name is for another algorithm
        return "algorithm"

    def describe(self, name: str, failed: bool) -> str:
        """Return the facts of a check. They are the same, whether the check passed or failed."""
        found: str = getattr(self, f"_describe_{name}")(failed)
        return found

    def _describe_form(self, failed: bool) -> str:
        return f"The text has {self.length} characters."

    def _describe_extensions(self, failed: bool) -> str:
        return "The header has 'crit', and no extension is supported." if failed else "There are none."

    def _describe_type(self, failed: bool) -> str:
        accepted = ["at+jwt"] if self.entry is None else sorted(map(str, self.entry.types))
        return f"'typ' is {quote(self.header.get('typ'))}. Accepted: {', '.join(accepted)}."

    def _describe_key(self, failed: bool) -> str:
        owner = "this server" if self.entry is None else "that issuer"
        known = "knows no such key" if failed else "has this key"
        return f"'kid' is {quote(self.header.get('kid'))}, and {owner} {known}."

    def _describe_algorithm(self, failed: bool) -> str:
        text = f"'alg' is {quote(self.header.get('alg'))}."
        if self.entry is not None:
            return f"{text} Accepted: {', '.join(sorted(self.entry.algorithms))}."
        return f"{text} The key is for another algorithm." if failed else f"{text} The key is for it."

    def _describe_signature(self, failed: bool) -> str:
        return (
            "Another key signed it, or somebody has changed it."
            if failed
            else "The key has signed the token."
        )

    def _describe_times(self, failed: bool) -> str:
        texts = (("iat", "Issued"), ("nbf", "Valid from"), ("exp", "Expires"))
        parts = []
        for claim, verb in texts:
            value = self.claims.get(claim)
            if claim in self.claims:
                parts.append(f"{tell_time(verb, value, self.now)}.")
        return " ".join(parts)

    def _describe_identity(self, failed: bool) -> str:
        return f"'sub' is {quote(self.claims.get('sub'))}."

    def _describe_issuer(self, failed: bool) -> str:
        text = f"'iss' is {quote(self.claims.get('iss'))}."
        return f"{text} This server is {quote(get_issuer())}." if failed else text

    def _describe_audience(self, failed: bool) -> str:
        name = "aud" if self.entry is None else self.entry.audience_claim
        accepted = get_settings().audience if self.entry is None else self.entry.audience
        return f"'{name}' is {quote(self.claims.get(name))}. Accepted: {', '.join(sorted(accepted))}."

    def _describe_claims(self, failed: bool) -> str:
        return "" if failed else "All claims have the right type and value."

    def _describe_lifetime(self, failed: bool) -> str:
        longest = write_time(get_settings().access_lifetime.total_seconds())
        return f"No token is accepted for longer than ACCESS_LIFETIME ({longest})."

    def _describe_user(self, failed: bool) -> str:
        if isinstance(self.user, Principal):
            return "The entry maps its tokens to no user."
        if failed:
            return ""
        if self.user is None:
            # The row of a session that has ended is read after the user's, so the user is active.
            return "The user is active." if self.entry is None else "A request would create the user."
        return f"The user with the primary key {quote(str(getattr(self.user, 'pk', '')))} is active."

    def _describe_session(self, failed: bool) -> str:
        return describe_row(self.verified.session_id)


# -- Refresh tokens --------------------------------------------------------------------------------


@sensitive_variables()
def _explain_refresh(token: str) -> Explanation:
    refusal: Refusal | None = None
    outcome: Outcome | None = None
    facts = None
    try:
        facts = read_refresh_token(token).facts
        if facts.transport not in get_settings().transports:
            raise TransportMismatch
        outcome = sessions.preview_refresh(token)
    except Refusal as error:
        refusal = error

    def describe(name: str, failed: bool) -> str:
        if name == "authenticity":
            return "" if failed else "This server has issued the token."
        if name == "transport" and facts is not None:
            return f"The token travels by the transport {facts.transport!r}."
        if name == "session" and facts is not None:
            return describe_row(facts.session_id)
        if name == "user" and not failed:
            return "The user is active."
        if outcome is None:
            return ""
        return _OUTCOMES.get(outcome, "A refresh would answer an access token, and not replace this token.")

    failed = None if refusal is None else _find_kind(refusal)
    return Explanation(
        kind="refresh",
        about="This is a refresh token. It gets new tokens at the refresh endpoint, and opens no other door.",
        accepted=refusal is None,
        code=refusal.code if refusal else "",
        detail=refusal.detail if refusal else "",
        steps=_list_steps(_REFRESH, failed, describe, refusal),
        header={},
        claims={},
    )


# -- Personal access tokens ------------------------------------------------------------------------


@sensitive_variables()
def _explain_personal(token: str) -> Explanation:
    refusal: Refusal | None = None
    session_id = None
    try:
        session_id, _ = read_personal_token(token)
        with undone():  # the use of the token is not recorded
            verify_personal_token(token)
    except Refusal as error:
        refusal = error
    texts = {"authenticity": "This server has issued the token.", "user": "The user is active."}

    def describe(name: str, failed: bool) -> str:
        if name == "session":
            return describe_row(session_id)
        return "" if failed else texts[name]

    failed = None if refusal is None else _find_kind(refusal)
    return Explanation(
        kind="personal",
        about="This is a personal access token. Only views that accept such tokens read it.",
        accepted=refusal is None,
        code=refusal.code if refusal else "",
        detail=refusal.detail if refusal else "",
        steps=_list_steps(_PERSONAL, failed, describe, refusal),
        header={},
        claims={},
    )


# -- Other texts -----------------------------------------------------------------------------------

_OPAQUE: Final = (
    (re.compile(r"[0-9a-f]{40}"), "rest_framework.authtoken"),
    (re.compile(r"[0-9a-f]{64}"), "django-rest-knox"),
)


def _recognize(token: str, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Return the package whose tokens have this form, or an empty text. This is a guess."""
    if header.get("typ") not in ("JWT", None):
        return ""
    if claims.get("token_type") in {"access", "refresh", "sliding"}:
        return "djangorestframework-simplejwt"
    if "orig_iat" in claims or {"user_id", "username"} <= claims.keys():
        return "djangorestframework-jwt"
    return next((name for form, name in _OPAQUE if form.fullmatch(token)), "")


@sensitive_variables()
def _explain_legacy(token: str, package: str) -> Explanation:
    """Return the verdict of each authentication class of the project, because ours accept no such token."""
    header, claims = peek_parts(token)
    steps, code, detail = [], "token_wrong_type", "No authentication class of this project accepts the token."
    accepted = False
    kinds: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES or ()  # for the stubs these are texts
    for kind in kinds:
        result, text = _ask_class(kind, token)
        accepted = accepted or result == PASSED
        steps.append(Step(name=f"{kind.__module__}.{kind.__qualname__}", result=result, text=text))
    return Explanation(
        kind="legacy",
        about=f"This looks like a token of {package}. Only the authentication classes of that package, or "
        "of the package that replaces it, accept such tokens.",
        accepted=accepted,
        code="" if accepted else code,
        detail="" if accepted else detail,
        steps=tuple(steps),
        header=header,
        claims=claims,
    )


@sensitive_variables()
def _ask_class(kind: Any, token: str) -> tuple[str, str]:
    request = HttpRequest()
    authenticator = kind()
    challenge = authenticator.authenticate_header(request)
    if issubclass(kind, JWTAuthentication) or not challenge:
        return FAILED, "This class reads no such token."
    request.META["HTTP_AUTHORIZATION"] = f"{challenge.split(' ')[0]} {token}"
    try:
        with unreported(), undone():  # Knox moves the end of a token that is used
            pair = authenticator.authenticate(request)
    except (APIException, TesseraError) as error:
        return FAILED, str(getattr(error, "detail", error))
    return (FAILED, "This class reads no such token.") if pair is None else (PASSED, "The token is accepted.")

"""The checks of a token, in their order, and the facts of each check in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drf_tessera.conf import Issuer, get_identity, get_settings, name_audiences
from drf_tessera.database import find_database
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
from drf_tessera.issuers import Principal, find_entry, is_foreign
from drf_tessera.models import Session, SessionQuerySet
from drf_tessera.tokens import get_issuer

PASSED: Final = "passed"
FAILED: Final = "failed"
UNCHECKED: Final = "not checked"

OWN: Final = (
    *("form", "extensions", "type", "key", "algorithm", "signature", "times", "identity"),
    *("issuer", "audience", "claims", "lifetime", "user", "session"),
)
"""The checks of an access token of ours, in the order in which they are made."""

FOREIGN: Final = (
    *("form", "extensions", "type", "algorithm", "key", "signature", "times", "identity"),
    *("issuer", "audience", "claims", "user"),
)
"""The checks of a token of another issuer, in the order in which they are made."""

REFRESH: Final = ("authenticity", "transport", "session", "user", "rotation")
"""The checks of a refresh token. The last three are one decision."""

PERSONAL: Final = ("form", "secret", "session", "user", "scopes")
"""The checks of a personal access token. The last one is made by the view."""

_STEPS: Final[tuple[tuple[tuple[type[TesseraError], ...], str], ...]] = (
    ((TokenMalformed, TokenTooLarge, HeaderMalformed), "form"),
    ((TokenWrongType, PersonalTokenRefused), "type"),
    ((TokenKeyUnknown,), "key"),
    ((TokenBadSignature,), "signature"),
    ((TokenNotYetValid,), "times"),
    ((TokenWrongIssuer,), "issuer"),
    ((TokenWrongAudience,), "audience"),
    ((UserGone, UserInactive), "user"),
    ((SessionEnded,), "session"),
    ((PersonalTokenInvalid,), "secret"),
    ((RefreshInvalid,), "authenticity"),
    ((TransportMismatch,), "transport"),
    ((RefreshReused, RefreshLost), "rotation"),
)
_CLAIMS: Final = {
    **dict.fromkeys(("exp", "iat", "nbf"), "times"),
    **dict.fromkeys(("sub", "jti"), "identity"),
    "iss": "issuer",
}

_REASONS: Final = {
    "logout": gettext_noop("its user logged out"),
    "logout_all": gettext_noop("its user logged out everywhere"),
    "password_changed": gettext_noop("the password of its user was changed"),
    "user_inactive": gettext_noop("its user was made inactive"),
    "user_deleted": gettext_noop("its user was deleted"),
    "evicted": gettext_noop("its user had too many sessions"),
    "refresh_reused": gettext_noop("a replaced refresh token came back, very likely after a theft"),
    "refresh_lost": gettext_noop("too many answers in a row were lost"),
    "admin": gettext_noop("an administrator ended it"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check of a token."""

    name: str
    result: str
    """``passed``, ``failed`` or ``not checked``."""
    text: str


def find_step(error: Refusal, facts: Facts) -> str:
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
    return find_kind(error)


def find_kind(error: Refusal) -> str:
    """Return the name of the check that raises errors of this class."""
    return next(name for kinds, name in _STEPS if isinstance(error, kinds))


def list_steps(
    order: Sequence[str], failed: str | None, describe: Callable[[str, bool], str], refusal: Refusal | None
) -> tuple[Step, ...]:
    """Return the steps of a token: passed before the failed one, and not checked after it.

    Args:
        order: the names of the checks.
        failed: the name of the check that refused the token, or ``None``.
        describe: returns the facts of a check, from its name and whether it failed.
        refusal: the error of the failed check.
    """
    end = len(order) if failed is None else order.index(failed)
    found = []
    for place, name in enumerate(order):
        result = PASSED if place < end else FAILED if place == end else UNCHECKED
        text = "" if result == UNCHECKED else describe(name, result == FAILED)
        if result == FAILED and refusal is not None:
            text = f"{refusal.detail} {text}".strip()
        found.append(Step(name=name, result=result, text=text))
    return tuple(found)


class Facts:
    """The facts about one token, for the texts of its steps."""

    def __init__(
        self,
        token: str,
        header: Mapping[str, Any],
        claims: Mapping[str, Any],
        verified: Any,
        user: object,
    ) -> None:
        self.length: int = len(token)
        self.header: Mapping[str, Any] = header
        self.claims: Mapping[str, Any] = claims
        self.verified: Any = verified
        self.user: object = user
        self.now: float = time.time()
        self.entry: Issuer | None = find_entry(str(claims.get("iss"))) if is_foreign(token) else None

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
        return _("The text has %(count)d characters.") % {"count": self.length}

    def _describe_extensions(self, failed: bool) -> str:
        return _("The header has 'crit', and no extension is supported.") if failed else _("There are none.")

    def _describe_type(self, failed: bool) -> str:
        accepted = ["at+jwt"] if self.entry is None else sorted(map(str, self.entry.types))
        return _say_value("typ", self.header.get("typ"), _say_accepted(accepted))

    def _describe_key(self, failed: bool) -> str:
        if self.entry is None:
            text = (
                _("'kid' is %(value)s, and this server knows no such key.")
                if failed
                else _("'kid' is %(value)s, and this server has this key.")
            )
        else:
            text = (
                _("'kid' is %(value)s, and that issuer knows no such key.")
                if failed
                else _("'kid' is %(value)s, and that issuer has this key.")
            )
        return text % {"value": quote(self.header.get("kid"))}

    def _describe_algorithm(self, failed: bool) -> str:
        if self.entry is not None:
            about = _say_accepted(sorted(self.entry.algorithms))
        else:
            about = _("The key is for another algorithm.") if failed else _("The key is for it.")
        return _say_value("alg", self.header.get("alg"), about)

    def _describe_signature(self, failed: bool) -> str:
        return (
            _("Another key signed it, or somebody has changed it.")
            if failed
            else _("The key has signed the token.")
        )

    def _describe_times(self, failed: bool) -> str:
        return " ".join(
            _tell(claim, self.claims[claim], self.now)
            for claim in ("iat", "nbf", "exp")
            if claim in self.claims
        )

    def _describe_identity(self, failed: bool) -> str:
        return _say_value("sub", self.claims.get("sub"))

    def _describe_issuer(self, failed: bool) -> str:
        about = _("This server is %(name)s.") % {"name": quote(get_issuer())} if failed else ""
        return _say_value("iss", self.claims.get("iss"), about)

    def _describe_audience(self, failed: bool) -> str:
        name = "aud" if self.entry is None else self.entry.audience_claim
        accepted = get_identity().audience if self.entry is None else name_audiences(self.entry.audience)
        return _say_value(name, self.claims.get(name), _say_accepted(sorted(accepted)))

    def _describe_claims(self, failed: bool) -> str:
        return "" if failed else _("All claims have the right type and value.")

    def _describe_lifetime(self, failed: bool) -> str:
        longest = _write_time(get_settings().access_lifetime.total_seconds())
        return _("No token is accepted for longer than ACCESS_LIFETIME (%(time)s).") % {"time": longest}

    def _describe_user(self, failed: bool) -> str:
        if isinstance(self.user, Principal):
            return _("The entry maps its tokens to no user.")
        if failed:
            return ""
        if self.user is None:
            # The row of a session that has ended is read after the user's, so the user is active.
            return _("The user is active.") if self.entry is None else _("A request would create the user.")
        text = _("The user with the primary key %(key)s is active.")
        return text % {"key": quote(str(getattr(self.user, "pk", "")))}

    def _describe_session(self, failed: bool) -> str:
        return describe_row(self.verified.session_id)


# -- Words -----------------------------------------------------------------------------------------


def describe_row(session_id: Any) -> str:
    """Return when a session began, and when and why it ended."""
    session = SessionQuerySet(Session, using=find_database()).filter(pk=session_id).first()
    if session is None:
        text = _("There is no session %(id)s. It was deleted, or it ended long ago and was pruned.")
        return text % {"id": session_id}
    now = timezone.now()
    values = {"id": session_id, "begun": _write_span(now, session.created_at)}
    if session.revoked_at is not None:
        reason = _REASONS.get(session.revoked_for)
        text = _("The session %(id)s began %(begun)s. It was ended %(when)s, because %(reason)s.")
        return text % {
            **values,
            "when": _write_span(now, session.revoked_at),
            "reason": _(reason) if reason else session.revoked_for,
        }
    limits = [
        (session.idle_expires_at, _("nobody refreshed it")),
        (session.expires_at, _("it reached its lifetime")),
    ]
    if session.personal:
        del limits[0]  # nobody refreshes a personal token
    for limit, reason in limits:
        if now >= limit:
            text = _("The session %(id)s began %(begun)s. It expired %(when)s, because %(reason)s.")
            return text % {**values, "when": _write_span(now, limit), "reason": reason}
    text = _("The session %(id)s began %(begun)s, and was used %(when)s. It is live.")
    return text % {**values, "when": _write_span(now, session.last_used_at)}


def _write_span(now: datetime, moment: datetime) -> str:
    return _write_distance((moment - now).total_seconds())


def _write_distance(seconds: float) -> str:
    text = _("%(time)s ago") if seconds <= 0 else _("in %(time)s")
    return text % {"time": _write_time(abs(seconds))}


def _write_time(seconds: float) -> str:
    units = ((86_400, _("%(count)d days")), (3600, _("%(count)d h")), (60, _("%(count)d min")))
    for size, text in units:
        if seconds >= 2 * size:
            return text % {"count": seconds // size}
    return _("%(count)d s") % {"count": seconds}


def _say_value(name: str, value: object, about: str = "") -> str:
    text = _("'%(name)s' is %(value)s.") % {"name": name, "value": quote(value)}
    return f"{text} {about}".rstrip()


def _say_accepted(names: Iterable[str]) -> str:
    return _("Accepted: %(names)s.") % {"names": ", ".join(names)}


_TIMES: Final = {
    "iat": (
        gettext_noop("Issued %(when)s (%(time)s)."),
        gettext_noop("Issued: %(value)s, which is not a time."),
    ),
    "nbf": (
        gettext_noop("Valid from %(when)s (%(time)s)."),
        gettext_noop("Valid from: %(value)s, which is not a time."),
    ),
    "exp": (
        gettext_noop("Expires %(when)s (%(time)s)."),
        gettext_noop("Expires: %(value)s, which is not a time."),
    ),
}
"""The sentences about a claim: with a time, and with another value."""


def _tell(claim: str, value: object, now: float) -> str:
    text, problem = _TIMES[claim]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 253_402_300_799:
        return _(problem) % {"value": quote(value)}
    text = _("Expired %(when)s (%(time)s).") if claim == "exp" and value <= now else _(text)
    return text % {
        "when": _write_distance(value - now),
        "time": datetime.fromtimestamp(int(value), UTC).isoformat(),
    }


def quote(value: object) -> str:
    """Return a value of a stranger as JSON in ASCII, so that a terminal obeys nothing in it."""
    return json.dumps(value, default=str)[:200]

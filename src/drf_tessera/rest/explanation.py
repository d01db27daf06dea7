"""Why this server accepts a token or refuses it, step by step, for the people who run the server.

The verdict comes from the functions that authenticate requests, so it cannot differ from theirs. They stop at
the first problem, and the order of their checks is written here. So the steps before the problem are passed,
and those after it were not checked. Nothing is trusted that the signature does not cover.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_variables
from rest_framework.exceptions import APIException
from rest_framework.settings import api_settings

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.database import undone
from drf_tessera.exceptions import PersonalTokenInvalid, Refusal, TesseraError, TransportMismatch
from drf_tessera.http import read_header_token
from drf_tessera.issuers import ForeignToken, is_foreign, preview_account
from drf_tessera.jose.codec import peek_parts
from drf_tessera.rest.authentication import JWTAuthentication
from drf_tessera.rest.steps import (
    FAILED,
    FOREIGN,
    OWN,
    PASSED,
    PERSONAL,
    REFRESH,
    Facts,
    Step,
    describe_row,
    find_kind,
    find_step,
    list_steps,
    quote,
)
from drf_tessera.rotation import Outcome
from drf_tessera.sessions import HANDLE_PREFIX, unreported
from drf_tessera.tokens import PERSONAL_PREFIX, REFRESH_PREFIX, read_personal_token, read_refresh_token
from drf_tessera.users import load_user

_OUTCOMES: Final = {
    Outcome.ROTATED: gettext_noop("A refresh would replace this token."),
    Outcome.RECOVERED: gettext_noop(
        "Its successor was never used. A refresh would replace this token again."
    ),
}
_NOT_REPLACED: Final = gettext_noop("A refresh would answer an access token, and not replace this token.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The kind of a token, and the reasons to accept or to refuse it now."""

    kind: str
    """``access``, ``foreign``, ``refresh``, ``personal``, ``handle``, ``legacy`` or ``unknown``."""
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
    token = token.strip(" ")  # as the header is read
    if token.startswith(REFRESH_PREFIX):
        return _explain_refresh(token)
    if token.startswith(PERSONAL_PREFIX):
        return _explain_personal(token)
    header, claims = peek_parts(token)
    if token.startswith(HANDLE_PREFIX):
        about = _(
            "This is the handle of a session. A program ends the session with it. No endpoint accepts it."
        )
        return _explain_jwt(token, "handle", about, OWN)
    if header and claims and is_foreign(token):
        about = _("This claims to be a token of %(issuer)s, an entry of ISSUERS.")
        about %= {"issuer": quote(claims.get("iss"))}
        return _explain_jwt(token, "foreign", about, FOREIGN)
    legacy = _recognize(token, header, claims)
    if legacy:
        return _explain_legacy(token, legacy)
    kind, about = (
        ("access", _("This claims to be an access token of this server."))
        if header
        else ("unknown", _("This is not a token that this server knows."))
    )
    return _explain_jwt(token, kind, about, OWN)


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
    facts = Facts(token, header, claims, verified, found)
    failed = None if refusal is None else find_step(refusal, facts)
    return Explanation(
        kind=kind,
        about=about,
        accepted=refusal is None,
        code=refusal.code if refusal else "",
        detail=refusal.detail if refusal else "",
        steps=list_steps(order, failed, facts.describe, refusal),
        header=header,
        claims=claims,
    )


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
            return "" if failed else _("This server has issued the token.")
        if name == "transport" and facts is not None:
            return _("The token travels by the transport %(name)r.") % {"name": facts.transport}
        if name == "session" and facts is not None:
            return describe_row(facts.session_id)
        if name == "user" and not failed:
            return _("The user is active.")
        if outcome is None:
            return ""
        return _(_OUTCOMES.get(outcome, _NOT_REPLACED))

    failed = None if refusal is None else find_kind(refusal)
    return Explanation(
        kind="refresh",
        about=_(
            "This is a refresh token. It gets new tokens at the refresh endpoint, and opens no other door."
        ),
        accepted=refusal is None,
        code=refusal.code if refusal else "",
        detail=refusal.detail if refusal else "",
        steps=list_steps(REFRESH, failed, describe, refusal),
        header={},
        claims={},
    )


# -- Personal access tokens ------------------------------------------------------------------------


@sensitive_variables()
def _explain_personal(token: str) -> Explanation:
    refusal: Refusal | None = None
    failed = session_id = found = None
    try:
        session_id, _secret = read_personal_token(token)
        found = sessions.preview_personal_token(token)
    except Refusal as error:
        refusal = error
        has_no_form = session_id is None and isinstance(error, PersonalTokenInvalid)
        failed = "form" if has_no_form else find_kind(error)

    def describe(name: str, failed: bool) -> str:
        if name == "form":
            return _("The text has %(count)d characters.") % {"count": len(token)}
        if name == "secret":
            if failed:
                return _("No row of a personal token has this id and this secret.")
            return _("The row %(id)s has the digest of this secret.") % {"id": session_id}
        if name == "session":
            return describe_row(session_id)
        if name == "user" or found is None:
            return "" if failed else _("The user is active.")
        text = (
            _("The token %(name)s has scopes %(scopes)s. The view decides whether they are enough.")
            if found.scope
            else _("The token %(name)s has no scopes. The view decides whether they are enough.")
        )
        return text % {"name": quote(found.name), "scopes": quote(found.scope)}

    return Explanation(
        kind="personal",
        about=_(
            "This is a personal access token. A view accepts it only if the view says so, for example with "
            "PersonalTokenAuthentication."
        ),
        accepted=refusal is None,
        code=refusal.code if refusal else "",
        detail=refusal.detail if refusal else "",
        steps=list_steps(PERSONAL, failed, describe, refusal),
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
    steps, code = [], "token_wrong_type"
    detail = _("No authentication class of this project accepts the token.")
    accepted = False
    kinds: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES or ()  # for the stubs these are texts
    for kind in kinds:
        result, text = _ask_class(kind, token)
        accepted = accepted or result == PASSED
        steps.append(Step(name=f"{kind.__module__}.{kind.__qualname__}", result=result, text=text))
    return Explanation(
        kind="legacy",
        about=_(
            "This looks like a token of %(package)s. Only the authentication classes of that package, or "
            "of the package that replaces it, accept such tokens."
        )
        % {"package": package},
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
    scheme = challenge.split(" ")[0] if challenge else ""
    # A token is not a name with a password, and a failed login would count and be told.
    if issubclass(kind, JWTAuthentication) or scheme.lower() in {"", "basic", "digest"}:
        return FAILED, _("This class reads no such token.")
    request.META["HTTP_AUTHORIZATION"] = f"{scheme} {token}"
    try:
        with unreported(), undone():  # Knox moves the end of a token that is used
            pair = authenticator.authenticate(request)
    except (APIException, TesseraError) as error:
        return FAILED, str(getattr(error, "detail", error))
    if pair is None:
        return FAILED, _("This class reads no such token.")
    return PASSED, _("The token is accepted.")

"""Tokens for the headless API of django-allauth, for its client "app".

``HEADLESS_TOKEN_STRATEGY = "drf_tessera.contrib.allauth.TokenStrategy"``: each login of allauth starts one
session of ours. Either end of the pair ends the other, so there is one thing to log out of. If our own login
is among the urls too, set ``CHALLENGE`` to :func:`ask_for_code`; otherwise a password alone would log in
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from allauth import app_settings  # type: ignore[import-untyped]  # allauth has no types
from allauth.core import context  # type: ignore[import-untyped]
from allauth.core.exceptions import ImmediateHttpResponse  # type: ignore[import-untyped]
from allauth.headless.tokens.strategies.base import AbstractTokenStrategy  # type: ignore[import-untyped]
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.challenges import Challenge
from drf_tessera.conf import HEADER, enter_tenant
from drf_tessera.exceptions import LoginRefused, Refusal, TemporarilyUnavailable
from drf_tessera.http import write_refusal
from drf_tessera.moments import from_timestamp
from drf_tessera.rest.requests import find_client
from drf_tessera.tokens import read_refresh_token

KEY: Final = "drf_tessera_session"
"""Where the session of allauth keeps the id of ours."""

_WAYS: Final = {
    "password": "pwd",
    "socialaccount": "fed",
    "totp": "otp",
    "recovery_codes": "otp",
    "webauthn": "pop",
}
"""The method of a record of allauth, or the type of its second factor, as ``amr`` (RFC 8176) names it."""


class TokenStrategy:
    """Answer each login of allauth with the tokens of a session of ours.

    This is a registered subclass of allauth's class, and has its methods without inheriting them. allauth has
    no types, and with such a parent the class would be unknown to type checkers.
    """

    def get_session_token(self, request: HttpRequest) -> str | None:
        """Return the token of allauth's session. allauth asks for it first in each request."""
        enter_tenant(request)
        return request.headers.get("X-Session-Token")

    def create_session_token(self, request: HttpRequest) -> str:
        """Return the key of allauth's session, which is needed from the first step of a login on."""
        if not request.session.session_key:
            request.session.save()
        return str(request.session.session_key)

    @sensitive_variables()
    def create_access_token_payload(self, request: HttpRequest) -> dict[str, Any]:
        """Return the tokens of the session, which is started by the first call of a request.

        At the last step of a login allauth makes two answers and drops the first one. Both have to name the
        same session.
        """
        made: dict[str, Any] | None = vars(request).get(KEY)
        if made is None:
            user: Any = request.user
            ways = _name_ways(request, user)
            with _answering_trouble(request):
                grant = sessions.start(user, client=find_client(request), amr=ways, transport=HEADER)
            request.session[KEY] = str(grant.session_id)
            made = {"access_token": grant.access, "refresh_token": grant.refresh}
            made["expires_in"] = grant.expires_in
            vars(request)[KEY] = made
        return made

    def lookup_session(self, session_token: str) -> SessionBase | None:
        """Return the session of allauth, unless ours has ended. Then allauth's ends too."""
        from allauth.headless.internal import sessionkit  # type: ignore[import-untyped]  # noqa: PLC0415 - models

        session: SessionBase | None = sessionkit.lookup_session(session_token)
        if session is None or KEY not in session:
            return session
        with _answering_trouble(context.request):
            if sessions.live_sessions(session.get(SESSION_KEY)).filter(pk=session[KEY]).exists():
                return session
        session.flush()
        return None

    @sensitive_variables()
    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """Return an access token and the refresh token to keep, or ``None`` if the session has ended.

        A request with the session token of the same session also carries the proof of a reauthentication
        into the tokens (RFC 9470).
        """
        with _answering_trouble(context.request):
            try:
                grant = _refresh(context.request, refresh_token)
            except Refusal:
                return None
        return grant.access, grant.refresh or refresh_token

    @classmethod
    def openapi_spec(cls) -> dict[str, Any]:
        """Return what allauth's own description of its API says about its session."""
        return dict(AbstractTokenStrategy.openapi_spec())


AbstractTokenStrategy.register(TokenStrategy)


@receiver(user_logged_out, dispatch_uid="drf_tessera.contrib.allauth")
def end_session(*, request: HttpRequest, **kwargs: Any) -> None:
    """End our session when a session of allauth ends. Django's other sessions have none of ours."""
    session_id = request.session.get(KEY)
    if session_id is not None:
        with _answering_trouble(request):
            sessions.revoke(UUID(session_id))


def ask_for_code(request: HttpRequest | None, user: Any) -> Challenge | None:
    """Return the challenge for the second factor of allauth: a code of an app, or a recovery code.

    This is a value of ``CHALLENGE``. A person whose only second factor is a passkey cannot answer, and logs
    in through allauth.

    Raises:
        LoginRefused: ``ACCOUNT_EMAIL_VERIFICATION`` is mandatory, and no address was confirmed.
    """
    from allauth.account import utils  # type: ignore[import-untyped]  # noqa: PLC0415 - its models
    from allauth.account.app_settings import (  # type: ignore[import-untyped]  # noqa: PLC0415
        EMAIL_VERIFICATION,
        EmailVerificationMethod,
    )

    mandatory = EMAIL_VERIFICATION == EmailVerificationMethod.MANDATORY
    if mandatory and not utils.has_verified_email(user):
        raise LoginRefused(gettext_noop("Confirm your e-mail address first."), code="email_unconfirmed")
    if not _has_factor(user):
        return None
    from allauth.mfa.base.forms import AuthenticateForm  # type: ignore[import-untyped]  # noqa: PLC0415

    def check(answer: object) -> bool:
        return isinstance(answer, str) and AuthenticateForm({"code": answer}, user=user).is_valid()

    return Challenge(kind="totp", check=check)


@sensitive_variables()
def _refresh(request: HttpRequest, token: str) -> sessions.Grant:
    facts = read_refresh_token(token, transport=HEADER).facts
    proofs: list[Mapping[str, Any]] = []
    if request.session.get(KEY) == str(facts.session_id):
        records = _list_records(request, request.user)
        proofs = [record for record in records if record.get("reauthenticated")]
        proofs = [record for record in proofs if int(record["at"]) > facts.auth_time]
    if not proofs:
        return sessions.refresh(token, transport=HEADER)
    ways, latest = tuple(map(_name_way, proofs)), max(record["at"] for record in proofs)
    return sessions.refresh_proved(token, ways, transport=HEADER, auth_time=from_timestamp(latest))


def _name_ways(request: HttpRequest, user: Any) -> tuple[str, ...]:
    """Return how the user was authenticated. A sign-up leaves no record."""
    ways = map(_name_way, _list_records(request, user))
    return tuple(dict.fromkeys(ways)) or (_name_first_way(user),)


def _list_records(request: HttpRequest, user: Any) -> Sequence[Mapping[str, Any]]:
    from allauth.account.authentication import (  # type: ignore[import-untyped]  # noqa: PLC0415 - its models
        get_authentication_records,
    )

    records: Sequence[Mapping[str, Any]] = get_authentication_records(request, user)
    return records


def _name_way(record: Mapping[str, Any]) -> str:
    mailed = "sms" if record.get("phone") else "email"
    return _WAYS.get(record.get("type", record["method"]), mailed)


def _name_first_way(user: Any) -> str:
    """Return how a user has just signed up: with a password, with a passkey, or with a code that was sent."""
    from allauth.account.utils import user_email  # type: ignore[import-untyped]  # noqa: PLC0415 - its models

    if user.has_usable_password():
        return "pwd"
    if _has_factor(user, ["webauthn"]):
        return "pop"
    return "email" if user_email(user) else "sms"


def _has_factor(user: Any, kinds: Sequence[str] | None = None) -> bool:
    if not app_settings.MFA_ENABLED:
        return False
    from allauth.mfa.utils import is_mfa_enabled  # type: ignore[import-untyped]  # noqa: PLC0415 - its models

    return bool(is_mfa_enabled(user, kinds))


@contextmanager
def _answering_trouble(request: HttpRequest) -> Iterator[None]:
    """Raise a 503 in place of trouble that passes. allauth would make it a 500."""
    try:
        yield
    except TemporarilyUnavailable as error:
        raise ImmediateHttpResponse(write_refusal(error, request)) from error

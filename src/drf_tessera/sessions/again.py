"""Another access token of a live session, for a client that has an access token and no refresh token."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drf_tessera import signals
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import SessionEnded, TicketInvalid
from drf_tessera.moments import to_timestamp
from drf_tessera.sessions import rows
from drf_tessera.tokens import REGISTERED_CLAIMS, AccessToken, mint_access_token
from drf_tessera.users import describe_session, load_user

HANDED_OVER: Final = "handed_over"
"""The claim of an access token that was handed over: the host that got the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """An access token without a refresh token."""

    access: str = field(repr=False)
    expires_in: int
    """Seconds until the access token expires."""


@sensitive_variables()
def mint_again(token: AccessToken, *, audience: str, now: datetime | None = None) -> Minted:
    """Sign another access token of the session of ``token``, for a full ``ACCESS_LIFETIME``. Two queries.

    The user and the session are read from the database. The session goes on as it was: its idle limit is not
    extended, and its refresh token stays valid. The claims of ``token`` are kept, and ``CLAIMS`` is asked
    again. A token of this function makes no further token, because otherwise a stolen one could be renewed
    until the session ends.

    Args:
        token: a verified access token, which may have expired since.
        audience: the host that gets the token, for :data:`~drf_tessera.signals.session_handed_over`.
        now: the present. By default the time of the clock.

    Raises:
        TicketInvalid: the token was itself made by this function.
        SessionEnded, UserGone, UserInactive, TokenKeyUnknown: the token is no longer accepted.
        TemporarilyUnavailable: the database cannot be used.
        ClaimsHookError: see :func:`drf_tessera.sessions.start`.
    """
    if HANDED_OVER in token.claims:
        raise TicketInvalid
    moment, user = now or timezone.now(), load_user(token)
    session = rows.select_sessions().filter(pk=token.session_id).live(moment).first()
    if session is None:
        raise SessionEnded
    ends = min(session.expires_at, session.idle_expires_at)
    claims = {name: token[name] for name in token.claims if name not in REGISTERED_CLAIMS}
    extra = describe_session(user, session) if get_settings().reads_user else {}
    facts = replace(token.facts, expires_at=int(to_timestamp(ends)), claims={**claims, HANDED_OVER: audience})
    secret, expires_in = mint_access_token(facts, extra, moment)
    rows.report(signals.session_handed_over, session_id=session.pk, sub=token.sub, audience=audience)
    return Minted(access=secret, expires_in=expires_in)

"""One-time tickets: they hand the session of an access token to a connection that cannot send a header.

A browser cannot send a header with a WebSocket, and a token in an address would be written to logs. A ticket
may be in an address, because it lives for 30 seconds and is accepted once. Using a ticket inserts a row, and
a second insert of the same key fails, on every server.

A ticket is signed under ``SECRET_KEY``, for one installation and tenant, and carries the claims of the token.
A ticket for another subdomain has an audience, its host. It opens no socket, and a ticket of a socket opens
no subdomain.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import suppress
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from uuid import UUID, uuid4

from django.core import signing
from django.db import Error, IntegrityError
from django.views.decorators.debug import sensitive_variables

from drf_tessera.database import find_database, savepoint, translated_trouble
from drf_tessera.exceptions import TicketInvalid
from drf_tessera.jose.encoding import encode_base64url
from drf_tessera.models import SpentTicket
from drf_tessera.sessions import HANDED_OVER
from drf_tessera.tokens import AccessToken, build_access_token, get_issuer

TICKET_LIFETIME: Final = 30
"""Seconds."""

MAX_TICKET_LENGTH: Final = 8192
"""In characters. A longer text is not a ticket."""

_SALT: Final = "drf_tessera ticket"
_SWEEP: Final = 64
"""One of so many used tickets deletes the rows of the old ones."""


@sensitive_variables()
def issue_ticket(token: AccessToken, *, audience: str = "", challenge: str = "") -> str:
    """Return a ticket for the session of a verified access token.

    Args:
        token: the access token.
        audience: the host that may use the ticket. Without an audience the ticket is for a socket.
        challenge: the digest of the verifier that the user of the ticket must know (RFC 7636, ``S256``).

    Raises:
        TicketInvalid: the ticket would be for a host, and the token was itself handed over. It can still have
            tickets for sockets.
        TemporarilyUnavailable: the id of the installation is needed, and the database does not answer.
    """
    if audience and HANDED_OVER in token.claims:
        raise TicketInvalid  # mint_again would refuse the ticket
    credentials = {
        "id": uuid4().hex,
        "kid": token.kid,
        "claims": {name: token[name] for name in token.claims},
        "challenge": challenge,
    }
    return signing.dumps(credentials, salt=_make_salt(audience), compress=True)


@sensitive_variables()
def redeem_ticket(text: str, *, audience: str = "", verifier: str = "") -> AccessToken:
    """Use a ticket, and return the access token that it was made for. One ``INSERT``.

    The caller checks next whether the session and the user are still valid, as for every access token.

    Args:
        text: a stranger's text.
        audience: the host of the request, or an empty text for a socket.
        verifier: the random text behind the ``challenge`` of the ticket.

    Raises:
        TicketInvalid: this is not a ticket, it has expired, or it was used. Or another installation or tenant
            has issued it, it is for another audience, or the verifier is wrong.
        TemporarilyUnavailable: the database cannot be used. The ticket may be used again.
    """
    if len(text) > MAX_TICKET_LENGTH:
        raise TicketInvalid
    try:
        credentials = signing.loads(text, salt=_make_salt(audience), max_age=TICKET_LIFETIME)
    except signing.BadSignature:
        raise TicketInvalid from None
    if not compare_digest(credentials["challenge"], _digest(verifier) if verifier else ""):
        raise TicketInvalid
    _spend(UUID(hex=credentials["id"]))
    return build_access_token(credentials["claims"], kid=credentials["kid"])


def _spend(key: UUID) -> None:
    rows = SpentTicket._default_manager.using(find_database())
    now = int(time.time())
    with translated_trouble():
        try:
            with savepoint():
                rows.bulk_create([SpentTicket(id=key, until=now + TICKET_LIFETIME)])
        except IntegrityError:
            raise TicketInvalid from None
    if not secrets.randbelow(_SWEEP):
        with suppress(Error), savepoint():
            rows.filter(until__lt=now - TICKET_LIFETIME).delete()


def _digest(verifier: str) -> str:
    """Return the ``challenge`` of a verifier (RFC 7636, section 4.2)."""
    return encode_base64url(sha256(verifier.encode()).digest()).decode()


def _make_salt(audience: str) -> str:
    return f"{_SALT} {json.dumps([audience, get_issuer()])}"

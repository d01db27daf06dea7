"""The second step of a login: the seam for second factors, which other packages have.

The setting ``CHALLENGE`` names a function of the project. It is asked after each right password, and answers
``None`` or a :class:`Challenge`. Then the login hands out a ticket in place of tokens. The ticket comes back
with the answer, and the function is asked again for what it wants to see.

A ticket lives for a few minutes and is signed under ``SECRET_KEY``, for one installation and tenant. It
contains a digest of the password's hash, so it ends with the password. It also contains the id of the session
that it will start: no second session can have this id, so a ticket is good for one login, on every server and
without a store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import get_settings
from drf_tessera.exceptions import ChallengeRequired, ProjectError, TicketInvalid, UserGone
from drf_tessera.sessions import has_begun
from drf_tessera.tokens import get_issuer
from drf_tessera.users import is_active, parse_sub, select_users, write_sub

TICKET_SECONDS: Final = 300
"""How long a ticket lives: long enough to find a phone, and to wait for an e-mail."""

MAX_TICKET_LENGTH: Final = 1024
"""In characters. A longer text is not a ticket."""

_SALT: Final = "drf_tessera challenge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Something that a user still has to show."""

    kind: str
    """A name for the client, such as ``"totp"``."""
    check: Callable[[Any], bool] = field(repr=False)
    """Return whether an answer is right. The answer is a stranger's text or JSON object."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """More for the client, as JSON. The client can read it before it has shown anything."""
    amr: tuple[str, ...] = ("otp",)
    """How the answer authenticates the user, beside the password (RFC 8176)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket that is in force, and the choices that the client made at the login."""

    user: AbstractBaseUser
    session_id: UUID
    choices: Mapping[str, Any]


def find_challenge(request: HttpRequest | None, user: AbstractBaseUser) -> Challenge | None:
    """Return the challenge of a user, as the project chooses it.

    The function of the project may also raise :class:`~drf_tessera.exceptions.LoginRefused`, for example for
    an address that was never confirmed.

    Raises:
        ProjectError: the function returned something else.
    """
    ask = get_settings().challenge
    found = None if ask is None else ask(request, user)
    if found is not None and not isinstance(found, Challenge):
        raise ProjectError(f"CHALLENGE must return None or a Challenge, and not {type(found).__qualname__}.")
    return found


def require_challenge(request: HttpRequest | None, user: AbstractBaseUser) -> None:
    """Return if the password of ``user`` is enough.

    Raises:
        ChallengeRequired: the user has to show something else, too.
        LoginRefused, ProjectError: see :func:`find_challenge`.
    """
    found = find_challenge(request, user)
    if found is not None:
        raise ChallengeRequired(user, found)


@sensitive_variables()
def write_ticket(user: AbstractBaseUser, choices: Mapping[str, Any] | None = None) -> str:
    """Write a ticket for a user whose password is right.

    Args:
        user: the user.
        choices: the client's choices at the login. They are signed and not encrypted.

    Raises:
        TemporarilyUnavailable: the id of the installation is needed, and the database does not answer.
    """
    credentials = {
        "sub": write_sub(user.pk),
        "sid": uuid4().hex,
        "bound": _digest(user),
        "choices": dict(choices or {}),
    }
    return signing.dumps(credentials, salt=_make_salt())


@sensitive_variables()
def read_ticket(text: str) -> Ticket:
    """Read a ticket. Two queries: for the user, and whether the ticket was used.

    Raises:
        TicketInvalid: this is not a ticket of ours, or it has expired, was used, or its user has another
            password now, is not active or is gone. Or another installation or tenant has issued it.
        TemporarilyUnavailable: the id of the installation is needed, and the database does not answer.
    """
    if len(text) > MAX_TICKET_LENGTH:
        raise TicketInvalid
    try:
        credentials = signing.loads(text, salt=_make_salt(), max_age=TICKET_SECONDS)
        user = select_users().filter(pk=parse_sub(credentials["sub"])).first()
    except (signing.BadSignature, UserGone):
        raise TicketInvalid from None
    session_id = UUID(hex=credentials["sid"])
    if user is None or not is_active(user) or has_begun(session_id):
        raise TicketInvalid
    if not constant_time_compare(_digest(user), credentials["bound"]):
        raise TicketInvalid
    return Ticket(user=user, session_id=session_id, choices=credentials["choices"])


def _make_salt() -> str:
    """Return a salt that binds a ticket to this installation and to the present tenant, like an access token.

    The second step asks no backend again. A backend of the project may let a user in at one tenant only.
    """
    return f"{_SALT} {get_issuer()}"


def _digest(user: AbstractBaseUser) -> str:
    """Return a digest that changes with the password. A ticket does not reveal the stored hash."""
    stored = str(getattr(user, "password", None) or "")
    return salted_hmac(_SALT, stored, algorithm="sha256").hexdigest()[:32]

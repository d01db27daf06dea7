"""One-time tickets: used once, for thirty seconds, at one tenant."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser

from drf_tessera import sessions, tickets
from drf_tessera.exceptions import TicketInvalid
from drf_tessera.models import SpentTicket
from drf_tessera.tickets import issue_ticket, redeem_ticket
from drf_tessera.tokens import verify_access_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(anna: AbstractBaseUser) -> str:
    return issue_ticket(verify_access_token(sessions.start(anna, scope="chat").access))


def test_a_ticket_brings_the_token_once(anna: AbstractBaseUser) -> None:
    token = verify_access_token(sessions.start(anna, scope="chat", claims={"plan": ["pro"]}).access)
    text = issue_ticket(token)
    assert redeem_ticket(text) == token
    with pytest.raises(TicketInvalid):
        redeem_ticket(text)


def test_a_ticket_lives_for_thirty_seconds(ticket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + tickets.TICKET_LIFETIME + 2)
    with pytest.raises(TicketInvalid):
        redeem_ticket(ticket)


@pytest.mark.parametrize("text", ["", "nonsense", "a:b:c", "ü:ü:ü", "\0", "x" * 9000])
def test_another_text_is_refused(text: str, ticket: str) -> None:
    with pytest.raises(TicketInvalid):
        redeem_ticket(text)
    with pytest.raises(TicketInvalid):
        redeem_ticket(ticket[:-1] + ("A" if ticket[-1] != "A" else "B"))


def test_a_ticket_belongs_to_one_tenant(ticket: str, settings: Any) -> None:
    settings.TESSERA = {"TENANT": lambda request: "acme"}
    with pytest.raises(TicketInvalid):
        redeem_ticket(ticket)


@pytest.mark.parametrize("chosen", [0, 1])
def test_old_rows_are_deleted_from_time_to_time(
    ticket: str, chosen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    SpentTicket.objects.create(pk="00000000-0000-0000-0000-000000000001", until=1)
    monkeypatch.setattr(tickets.secrets, "randbelow", lambda most: chosen)
    redeem_ticket(ticket)
    assert SpentTicket.objects.filter(until=1).exists() == bool(chosen)
    assert str(SpentTicket.objects.latest("until")).count("-") == 4

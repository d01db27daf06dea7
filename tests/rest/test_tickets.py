"""A client exchanges its access token for a ticket, which opens one socket."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.urls import path
from rest_framework.test import APIClient

from drf_tessera import sessions, tickets
from drf_tessera.rest.tickets import TicketView
from tests.conftest import bearer

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [path("api/token/ticket/", TicketView.as_view())]


def test_the_ticket_is_of_the_session_of_the_request(api: APIClient, anna: AbstractBaseUser) -> None:
    grant = sessions.start(anna)
    answer = api.post("/api/token/ticket/", **bearer(grant.access))
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == tickets.TICKET_LIFETIME
    assert str(tickets.redeem_ticket(answer.json()["ticket"]).session_id) == str(grant.session_id)


def test_a_stranger_gets_none(api: APIClient, db: None) -> None:
    assert api.post("/api/token/ticket/").status_code == 401

"""The endpoint for one-time tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework.request import Request
from rest_framework.response import Response

from drf_tessera.rest import answers as told
from drf_tessera.rest.answers import Answer
from drf_tessera.rest.views import SessionView
from drf_tessera.tickets import TICKET_LIFETIME, issue_ticket


class TicketView(SessionView):
    """Exchange an access token for a ticket that opens one WebSocket. A project adds it to its urls."""

    changes_sessions = False
    answers: Mapping[str, Answer] = {"post": told.TICKET}

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Issue a ticket for the session of the request."""
        token: Any = request.auth  # SessionView has refused every other kind of token
        return Response({"ticket": issue_ticket(token), "expires_in": TICKET_LIFETIME})

"""The endpoints that hand a session over to another subdomain, by a one-time ticket.

The session stays where it began. The other subdomain gets access tokens of the session and never a refresh
token, so one logout ends both within ``REVOCATION_POLL``. The other subdomain begins: it keeps a random
``verifier`` and sends its digest (RFC 7636). So a ticket that somebody saw in an address opens nothing, and
nobody can be logged in with the ticket of another person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.validators import RegexValidator
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from drf_tessera import sessions
from drf_tessera.exceptions import (
    CsrfFailed,
    HeaderMalformed,
    SessionEnded,
    SessionMissing,
    TemporarilyUnavailable,
    TicketInvalid,
    TokenError,
    TokenKeyUnknown,
    TooManyAttempts,
    UserConflict,
    UserGone,
    UserInactive,
)
from drf_tessera.http import admit_access, deliver_access
from drf_tessera.rest.answers import Answer
from drf_tessera.rest.endpoints import BodyView
from drf_tessera.rest.reports import reporting_refusal
from drf_tessera.rest.requests import get_django_request
from drf_tessera.rest.schemes import SETS_ACCESS
from drf_tessera.rest.serializers import BodySerializer, ShortCharField
from drf_tessera.rest.shapes import AnswerSerializer, TicketSerializer, fit_access
from drf_tessera.rest.throttling import TokenAddressThrottle
from drf_tessera.rest.views import SessionView
from drf_tessera.tickets import MAX_TICKET_LENGTH, TICKET_LIFETIME, issue_ticket, redeem_ticket

_HOST: Final = r"^([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$"
_DIGEST: Final = r"^[A-Za-z0-9_-]{43}$"
_VERIFIER: Final = r"^[A-Za-z0-9._~-]{43,128}$"
"""RFC 7636, section 4.1."""


class HandoverSerializer(BodySerializer):
    """The body that asks for a ticket for another subdomain."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraHandoverRequest"

    audience: serializers.CharField = ShortCharField(
        max_length=255,
        validators=[RegexValidator(_HOST)],
        help_text="The host that may use the ticket, in small letters, such as `shop.example.com`.",
    )
    challenge: serializers.CharField = ShortCharField(
        max_length=43,
        validators=[RegexValidator(_DIGEST)],
        help_text="The SHA-256 digest of the verifier, in base64url without padding (RFC 7636).",
    )


class AcceptHandoverSerializer(BodySerializer):
    """The ticket, at the other subdomain."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraAcceptHandoverRequest"

    ticket: serializers.CharField = ShortCharField(
        max_length=MAX_TICKET_LENGTH, write_only=True, help_text="The ticket."
    )
    verifier: serializers.CharField = ShortCharField(
        max_length=128,
        validators=[RegexValidator(_VERIFIER)],
        write_only=True,
        help_text="The random text whose digest was sent for the ticket.",
    )


class HandedOverSerializer(AnswerSerializer):
    """The access token of a session that began elsewhere. With ``ACCESS_COOKIE`` it is in the cookie."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraHandedOver"

    access: serializers.CharField = serializers.CharField(help_text="The access token, a JWT.")
    token_type: serializers.CharField = serializers.CharField(
        help_text="The scheme of the header that carries the access token."
    )
    expires_in: serializers.IntegerField = serializers.IntegerField(
        help_text="The number of seconds until the access token expires."
    )
    session: serializers.UUIDField = serializers.UUIDField(help_text="The id of the session.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Leave out the token that travels in a cookie."""
        return fit_access(super().get_fields())


class HandoverView(SessionView, BodyView):
    """Exchange an access token for a ticket for another subdomain. A project adds the view to its urls."""

    changes_sessions = False
    serializer_class: type[Serializer[Any]] = HandoverSerializer
    answers: Mapping[str, Answer] = {
        "post": Answer(
            summary="Hand the session over to another subdomain",
            description="Return a one-time ticket for the host `audience`. The page there has sent "
            "`challenge`, and exchanges the ticket for an access token of this session.",
            verb="create",
            about="The ticket.",
            serializer=TicketSerializer,
            errors=(
                *(SessionMissing, TokenError, HeaderMalformed, SessionEnded, UserGone, UserInactive),
                *(UserConflict, TicketInvalid, CsrfFailed, TemporarilyUnavailable),
            ),
        )
    }

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Issue a ticket for the session of the request."""
        wanted = self.read_body()
        token: Any = request.auth  # SessionView has refused every other kind of token
        with reporting_refusal(get_django_request(request)):
            ticket = issue_ticket(token, audience=wanted["audience"], challenge=wanted["challenge"])
        return Response({"ticket": ticket, "expires_in": TICKET_LIFETIME})


class AcceptHandoverView(BodyView):
    """Exchange a ticket for an access token of its session. A project adds the view to its urls."""

    serializer_class: type[Serializer[Any]] = AcceptHandoverSerializer
    throttle_classes: tuple[type[Any], ...] = (TokenAddressThrottle,)
    answers: Mapping[str, Answer] = {
        "post": Answer(
            summary="Accept a session from another subdomain",
            description="Exchange a ticket for an access token. There is no refresh token: when the access "
            "token expires, ask for another ticket. A logout anywhere ends the session everywhere.",
            verb="create",
            about="The access token.",
            serializer=HandedOverSerializer,
            cookies=SETS_ACCESS,
            errors=(
                *(TicketInvalid, TokenKeyUnknown, SessionEnded, UserGone, UserInactive),
                *(CsrfFailed, TooManyAttempts, TemporarilyUnavailable),
            ),
        )
    }

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Use the ticket."""
        credentials, plain = self.read_body(), get_django_request(request)
        admit_access(plain)
        with reporting_refusal(plain):
            host = plain.get_host().lower()
            token = redeem_ticket(credentials["ticket"], audience=host, verifier=credentials["verifier"])
            self.count_for(token.session_id)
            grant = sessions.mint_again(token, audience=host)
        response = Response()
        response.data = {
            **deliver_access(plain, response, grant.access, grant.expires_in),
            "session": str(token.session_id),
        }
        return response

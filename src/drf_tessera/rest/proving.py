"""The endpoint that proves again who a person is, within the session (RFC 9470)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from drf_tessera import sessions
from drf_tessera.conf import get_settings
from drf_tessera.exceptions import (
    ChallengeFailed,
    CsrfFailed,
    Impersonated,
    LoginFailed,
    RefreshInvalid,
    RefreshLost,
    RefreshMissing,
    RefreshReused,
    RequestError,
    SessionEnded,
    TemporarilyUnavailable,
    TooManyAttempts,
    TransportMismatch,
    UserGone,
    UserInactive,
)
from drf_tessera.http import find_refresh_token
from drf_tessera.login import prove_again
from drf_tessera.rest.answers import Answer
from drf_tessera.rest.endpoints import BodyView
from drf_tessera.rest.reports import report_failed_refresh
from drf_tessera.rest.requests import find_client, get_django_request
from drf_tessera.rest.responses import write_grant
from drf_tessera.rest.schemes import SETS
from drf_tessera.rest.serializers import AnswerField, RefreshSerializer, make_password_field
from drf_tessera.rest.shapes import RefreshedSerializer
from drf_tessera.rest.throttling import LoginAddressThrottle
from drf_tessera.tokens import read_refresh_token
from drf_tessera.users import load_user


class ProofSerializer(RefreshSerializer):
    """``{refresh, password}`` or ``{refresh, answer}``, or both. The cookie may have the refresh token."""

    class Meta:  # noqa: D106 - the name for drf-yasg, beside the project's own serializers
        ref_name = "TesseraProof"

    password: serializers.CharField = make_password_field()
    answer: AnswerField = AnswerField(
        help_text="The answer to the challenge of `CHALLENGE`, such as the code of an app."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Leave out the fields that only a refresh has."""
        fields = super().get_fields()
        for name in ("with_user", "optional"):
            fields.pop(name, None)
        for name in ("password", "answer"):
            fields[name].required = False
        return fields

    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Check that there is a proof."""
        if not {"password", "answer"} & credentials.keys():
            raise serializers.ValidationError(_("Send a password or an answer."), code="proof_required")
        return credentials


class ProveView(BodyView):
    """Exchange a refresh token and a proof of identity for tokens with the new proof. The session goes on.

    A project adds the view to its urls. The access token has a new ``auth_time``, and ``amr`` has the new way
    too, so :func:`~drf_tessera.rest.permissions.RecentLogin` and
    :func:`~drf_tessera.rest.permissions.AuthenticatedBy` let it in. A client stores the refresh token of the
    answer, as it does after each refresh.
    """

    serializer_class: type[Serializer[Any]] = ProofSerializer
    throttle_classes: tuple[type[Any], ...] = (LoginAddressThrottle,)
    reads_refresh_cookie = True
    answers: Mapping[str, Answer] = {
        "post": Answer(
            summary="Prove again who you are",
            description="Exchange a refresh token and a password, or the answer to a challenge, for tokens "
            "whose `auth_time` is now. Send this after `insufficient_user_authentication`.",
            verb="create",
            about="The new tokens.",
            serializer=RefreshedSerializer,
            cookies=SETS,
            codes={"proof_required": "The body has neither a password nor an answer."},
            errors=(
                *(RequestError, LoginFailed, ChallengeFailed, CsrfFailed, Impersonated, TooManyAttempts),
                *(RefreshInvalid, RefreshMissing, RefreshReused, RefreshLost, TransportMismatch),
                *(SessionEnded, UserGone, UserInactive, TemporarilyUnavailable),
            ),
        )
    }

    @sensitive_variables()
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Check the proof, and return new tokens."""
        credentials, plain = self.read_body(), get_django_request(request)
        auth = find_refresh_token(plain, credentials)
        if auth is None:
            raise RefreshMissing
        transport, token = auth
        if transport not in get_settings().transports:
            raise TransportMismatch
        facts = read_refresh_token(token, transport=transport).facts
        if "act" in facts.claims:
            raise Impersonated
        user = load_user(facts)
        ways = prove_again(
            plain,
            user,
            client=find_client(request),
            **{name: credentials[name] for name in ("password", "answer") if name in credentials},
        )
        try:
            grant = sessions.refresh_proved(token, ways, transport=transport)
        except (RefreshReused, RefreshLost) as error:
            report_failed_refresh(error.code, request, token)
            raise
        return write_grant(request, grant)

"""Serializers that describe the answers of the endpoints, for schemas.

No endpoint runs them, because a dict is faster. A test compares each answer with its serializer.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from drf_tessera.conf import COOKIE, get_settings
from drf_tessera.http import needs_body, takes_body
from drf_tessera.rest.serializers import BodySerializer, SessionSerializer


class TextsField(serializers.Field[Any, Any, Any, Any]):
    """A text, or a list of texts. It only describes an answer."""


class AnswerSerializer(BodySerializer):
    """The parent of the serializers that describe an answer. They read no request."""


class GrantSerializer(AnswerSerializer):
    """The tokens of a login. ``PROFILE`` and ``ACCESS_COOKIE`` define which of them a body has."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraGrant"

    access: serializers.CharField = serializers.CharField(
        help_text="The access token, a JWT. It opens the API until it expires. Treat it as an opaque text."
    )
    refresh: serializers.CharField = serializers.CharField(
        help_text="The refresh token. Keep it secret, and exchange it for new tokens before it expires."
    )
    token_type: serializers.CharField = serializers.CharField(
        help_text="The scheme of the header that carries the access token."
    )
    expires_in: serializers.IntegerField = serializers.IntegerField(
        help_text="The number of seconds until the access token expires."
    )
    refresh_expires_in: serializers.IntegerField = serializers.IntegerField(
        help_text="The number of seconds until the session ends, if no refresh takes place."
    )
    session: serializers.UUIDField = serializers.UUIDField(help_text="The id of the session.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Leave out the tokens that travel in cookies only. Make those optional that some bodies have."""
        fields, offered = super().get_fields(), set(get_settings().transports)
        if not takes_body():
            del fields["refresh"]
        elif not needs_body():
            fields["refresh"].required = False
        if get_settings().access_cookie:
            for name in ("access", "token_type"):
                fields[name].required = False
                if offered == {COOKIE}:
                    del fields[name]
        return fields


def fit_access(
    fields: dict[str, serializers.Field[Any, Any, Any, Any]],
) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    """Return the fields without the access token, if ``ACCESS_COOKIE`` puts it into a cookie."""
    hidden = {"access", "token_type"} if get_settings().access_cookie else set()
    return {name: field for name, field in fields.items() if name not in hidden}


class RefreshedSerializer(GrantSerializer):
    """The tokens of a refresh."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraRefreshed"

    rotated: serializers.BooleanField = serializers.BooleanField(
        required=False,
        help_text="False, if another request has just refreshed this session. Then keep the refresh token "
        "that you have. Otherwise the field is missing.",
    )


class ClaimsSerializer(AnswerSerializer):
    """The claims of an access token. The project may add more claims."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraClaims"

    iss: serializers.CharField = serializers.CharField(help_text="The issuer.")
    sub: serializers.CharField = serializers.CharField(help_text="The id of the user, as a text.")
    iat: serializers.IntegerField = serializers.IntegerField(
        help_text="The time of issue, in seconds since 1970."
    )
    exp: serializers.IntegerField = serializers.IntegerField(
        help_text="The time when the token expires, in seconds since 1970."
    )
    jti: serializers.CharField = serializers.CharField(help_text="The id of the token.")
    sid: serializers.UUIDField = serializers.UUIDField(help_text="The id of the session.")
    auth_time: serializers.IntegerField = serializers.IntegerField(
        help_text="The time of the login, in seconds since 1970."
    )


class VerifiedSerializer(AnswerSerializer):
    """The answer to a token that is accepted."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraVerified"

    claims: ClaimsSerializer = ClaimsSerializer(help_text="The claims of the token.")


class IntrospectedSerializer(AnswerSerializer):
    """The answer to a question about a token (RFC 7662, section 2.2)."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraIntrospected"

    active: serializers.BooleanField = serializers.BooleanField(
        help_text="Whether the token would be accepted now. If not, the answer has no other field."
    )
    token_type: serializers.CharField = serializers.CharField(
        required=False, help_text="The scheme of the header that carries the token."
    )
    iss: serializers.CharField = serializers.CharField(required=False, help_text="The issuer.")
    sub: serializers.CharField = serializers.CharField(
        required=False, help_text="The id of the user, as a text."
    )
    aud: serializers.Field[Any, Any, Any, Any] = TextsField(
        required=False, help_text="The audience: a text, or a list of texts."
    )
    iat: serializers.IntegerField = serializers.IntegerField(
        required=False, help_text="The time of issue, in seconds since 1970."
    )
    nbf: serializers.IntegerField = serializers.IntegerField(
        required=False, help_text="The time before which the token is not valid, in seconds since 1970."
    )
    exp: serializers.IntegerField = serializers.IntegerField(
        required=False, help_text="The time when the token expires, in seconds since 1970."
    )
    jti: serializers.CharField = serializers.CharField(required=False, help_text="The id of the token.")
    scope: serializers.CharField = serializers.CharField(
        required=False, help_text="The scopes, with spaces between them."
    )
    auth_time: serializers.IntegerField = serializers.IntegerField(
        required=False, help_text="The time of the last proof of identity, in seconds since 1970."
    )
    acr: serializers.CharField = serializers.CharField(
        required=False, help_text="How the user proved their identity: a value of `acr_values` (RFC 9470)."
    )
    act: serializers.DictField = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="The person who acts as the user, by `sub`. Then the user has proved nothing.",
    )


class RevokedSerializer(AnswerSerializer):
    """The answer to a logout."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraRevoked"

    revoked: serializers.BooleanField = serializers.BooleanField(
        help_text="Whether this request ended the session. False, if the session had ended before."
    )


class RevokedCountSerializer(AnswerSerializer):
    """The answer to a logout of several sessions."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraRevokedCount"

    revoked: serializers.IntegerField = serializers.IntegerField(help_text="The number of ended sessions.")


class TicketSerializer(AnswerSerializer):
    """A one-time ticket."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraTicket"

    ticket: serializers.CharField = serializers.CharField(help_text="The ticket. It can be used once.")
    expires_in: serializers.IntegerField = serializers.IntegerField(
        help_text="The number of seconds until the ticket expires."
    )


class IssuedTokenSerializer(AnswerSerializer):
    """A new personal access token."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraIssuedToken"

    token: serializers.CharField = serializers.CharField(
        help_text="The token. It is shown once. Send it as an access token."
    )
    session: SessionSerializer = SessionSerializer(help_text="The token in the list of sessions.")


class ErrorSerializer(AnswerSerializer):
    """The body of every error."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraError"

    detail: serializers.CharField = serializers.CharField(
        help_text="A text for a person. It may change. Programs should use the code."
    )
    code: serializers.CharField = serializers.CharField(help_text="The code of the error. It never changes.")


class ChallengeKindSerializer(AnswerSerializer):
    """A challenge. The project may add more fields."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraChallengeKind"

    kind: serializers.CharField = serializers.CharField(help_text="A name for the client, such as `totp`.")


class LoginErrorSerializer(ErrorSerializer):
    """The body of a refused login, if the project has a ``CHALLENGE``."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraLoginError"

    challenge: ChallengeKindSerializer = ChallengeKindSerializer(
        required=False, help_text="With the code `challenge_required`: the step that is missing."
    )
    ticket: serializers.CharField = serializers.CharField(
        required=False, help_text="With the code `challenge_required`: send it back with the answer."
    )


class FieldErrorSerializer(AnswerSerializer):
    """One mistake in one field."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraFieldError"

    message: serializers.CharField = serializers.CharField(help_text="A text for a person.")
    code: serializers.CharField = serializers.CharField(help_text="The kind of the mistake.")


class InvalidSerializer(ErrorSerializer):
    """The body of a 400. ``fields`` is there if the code is ``invalid_request``."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraInvalid"

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add ``fields``, which cannot be declared, because serializers have an attribute of this name."""
        mistakes = serializers.ListField(child=FieldErrorSerializer())
        about = "The mistakes of each wrong field."
        return {
            **super().get_fields(),
            "fields": serializers.DictField(child=mistakes, required=False, help_text=about),
        }

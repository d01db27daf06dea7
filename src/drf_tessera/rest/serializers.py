"""Serializers for the bodies of the endpoints. This module contains no flow.

The serializers of requests check the body. Those of answers describe the body for schemas, and no endpoint
runs them, because a dict is faster. A test compares each answer with its serializer.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import IntegerField
from rest_framework import serializers
from rest_framework.fields import empty

from drf_tessera.challenges import MAX_TICKET_LENGTH
from drf_tessera.conf import COOKIE, MAX_REFRESH_LENGTH, get_settings
from drf_tessera.http import TRANSPORTS, needs_body, takes_body
from drf_tessera.models import LABEL_LENGTH, SCOPE_LENGTH, Session
from drf_tessera.rest.throttling import account_fields
from drf_tessera.users import MAX_NAME_LENGTH, read_email, read_name

MAX_PASSWORD_LENGTH: Final = 4096
"""In characters. A limit is necessary because Django hashes a password of any length."""


class ShortCharField(serializers.CharField):
    """A text whose length is checked before anything else is done with it.

    REST framework strips a text and looks at each of its letters before it compares the length with
    ``max_length``.
    """

    def run_validation(self, credentials: Any = empty) -> Any:
        """Return the valid text."""
        most = self.max_length
        if isinstance(credentials, str) and most is not None and len(credentials) > most:
            self.fail("max_length", max_length=most)
        return super().run_validation(credentials)


def make_password_field() -> serializers.CharField:
    """Return the field of a password, which is taken exactly as it was typed."""
    return ShortCharField(
        max_length=MAX_PASSWORD_LENGTH,
        trim_whitespace=False,
        write_only=True,
        style={"input_type": "password"},
        help_text="The password, exactly as the person typed it.",
    )


class BodySerializer(serializers.Serializer[Any]):
    """The parent of the serializers of bodies.

    The ``repr`` shows no data, because error reports show the variables of each function that was running.
    """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class LoginSerializer(BodySerializer):
    """``{username, password}`` or ``{email, password}``, and optionally a name for the device.

    If the setting ``REMEMBER_ME`` is there, ``remember`` chooses its lifetimes.
    The user model's ``USERNAME_FIELD`` is another name for ``username``. ``transport`` chooses the
    transport of the refresh token, if ``PROFILE`` allows several transports.
    """

    class Meta:  # noqa: D106 - the name for drf-yasg, beside the project's own serializers
        ref_name = "TesseraLogin"

    password: serializers.CharField = make_password_field()
    device: serializers.CharField = ShortCharField(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="A name for the device. The list of sessions shows it.",
    )
    transport: serializers.ChoiceField = serializers.ChoiceField(
        tuple(TRANSPORTS),
        required=False,
        error_messages={"invalid_choice": f"Choose one of these: {', '.join(TRANSPORTS)}."},
        help_text="Where the refresh token travels: in bodies, or in a cookie that no script can read.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add a field for each way to name the account."""
        names = {
            name: ShortCharField(
                max_length=MAX_NAME_LENGTH,
                required=False,
                trim_whitespace=False,
                help_text="The e-mail address of the account." if name == "email" else "The user name.",
            )
            for name in account_fields()
        }
        fields = {**names, **super().get_fields()}
        if get_settings().remember_me is not None:
            about = "Whether the person stays logged in after the browser is closed."
            fields["remember"] = serializers.BooleanField(required=False, help_text=about)
        return fields

    def validate(self, credentials: dict[str, str]) -> dict[str, str]:
        """Check that exactly one field names the account."""
        given = [name for name in account_fields() if name in credentials]
        if len(given) != 1:
            raise serializers.ValidationError(
                f"Send exactly one of these fields to name the account: {', '.join(account_fields())}.",
                code="account_required" if not given else "account_ambiguous",
            )
        key = "email" if given == ["email"] else "username"
        return {key: credentials.pop(given[0]), **credentials}


class AnswerField(serializers.Field[Any, Any, Any, Any]):
    """The answer to a challenge: a text, or an object such as that of a passkey."""

    def to_internal_value(self, answer: Any) -> Any:
        """Return the answer. The project's own function looks into it."""
        if not isinstance(answer, str | dict):
            raise serializers.ValidationError("Send a text or an object.", code="invalid")
        return answer

    def to_representation(self, answer: Any) -> Any:
        """Return the answer."""
        return answer


class ChallengeSerializer(BodySerializer):
    """``{ticket, answer}``: the second step of a login (``CHALLENGE``)."""

    class Meta:  # noqa: D106 - the name for drf-yasg, beside the project's own serializers
        ref_name = "TesseraChallenge"

    ticket: serializers.CharField = ShortCharField(
        max_length=MAX_TICKET_LENGTH, write_only=True, help_text="The ticket of the first step."
    )
    answer: serializers.Field[Any, Any, Any, Any] = AnswerField(
        write_only=True, help_text="The answer to the challenge: a text or an object."
    )


class RefreshSerializer(BodySerializer):
    """``{refresh}``. If ``PROFILE`` has cookies, the refresh token may come in a cookie instead.

    With ``with_user`` the answer has a ``user``, as the answer to a login has. A reloaded page needs it.
    """

    class Meta:  # noqa: D106 - the name for drf-yasg, beside the project's own serializers
        ref_name = "TesseraRefresh"

    refresh: serializers.CharField = ShortCharField(
        max_length=MAX_REFRESH_LENGTH,
        write_only=True,
        help_text="The refresh token. A token in the body takes precedence over the cookie.",
    )
    with_user: serializers.BooleanField = serializers.BooleanField(
        required=False, help_text="Whether the answer shall have the user, too."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Make ``refresh`` optional if the refresh token may come by other means than a body."""
        fields = super().get_fields()
        if not needs_body():
            fields["refresh"].required, fields["refresh"].allow_null = False, True
        return fields


class RevokeSerializer(BodySerializer):
    """``{refresh}``. Without ``refresh`` the header or the cookie chooses the session.

    With ``session`` only that session is ended.
    """

    class Meta:  # noqa: D106 - the name for drf-yasg, beside the project's own serializers
        ref_name = "TesseraRevoke"

    refresh: serializers.CharField = ShortCharField(
        max_length=MAX_REFRESH_LENGTH,
        write_only=True,
        required=False,
        allow_null=True,
        help_text="The refresh token of the session to end.",
    )
    session: serializers.UUIDField = serializers.UUIDField(
        required=False,
        allow_null=True,
        error_messages={"invalid": "This is not the id of a session."},
        help_text="End the session only if it is this one.",
    )


class VerifySerializer(BodySerializer):
    """``{token}``, which is an access token."""

    class Meta:  # noqa: D106 - the name for drf-yasg, beside the project's own serializers
        ref_name = "TesseraVerify"

    token: serializers.CharField = serializers.CharField(
        write_only=True, trim_whitespace=False, help_text="The access token."
    )


class UserSerializer(serializers.Serializer[AbstractBaseUser]):
    """The ``user`` of a login's answer. A view's ``user_serializer_class`` may name another serializer.

    It works with any user model. All names are texts. The text is empty if the user has no such name, or if
    the user model has no such column.
    """

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraUser"

    username: serializers.CharField = serializers.CharField(read_only=True, help_text="The user name.")
    name: serializers.CharField = serializers.CharField(
        read_only=True, help_text="The full name, or an empty text."
    )
    email: serializers.CharField = serializers.CharField(
        read_only=True, help_text="The e-mail address, or an empty text."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add ``id``, whose type is that of the user model's primary key."""
        key: Any = get_user_model()._meta.pk
        while key.remote_field is not None:  # the key of a model that inherits from another model's table
            key = key.remote_field.model._meta.pk
        kind = serializers.IntegerField if isinstance(key, IntegerField) else serializers.CharField
        return {"id": kind(read_only=True, help_text="The id of the user."), **super().get_fields()}

    def to_representation(self, instance: AbstractBaseUser) -> dict[str, Any]:
        """Return ``id``, ``username``, ``name`` and ``email``."""
        full_name = getattr(instance, "get_full_name", None)
        return {
            "id": instance.pk if isinstance(instance.pk, int) else str(instance.pk),
            "username": read_name(instance),
            "name": str((full_name() if callable(full_name) else "") or ""),
            "email": read_email(instance),
        }


class SessionSerializer(serializers.ModelSerializer[Session]):
    """One session, as its user sees it. ``current`` is true for the session of the request."""

    started_at: serializers.DateTimeField = serializers.DateTimeField(
        source="created_at", read_only=True, help_text="The time of the login."
    )
    last_used_at: serializers.DateTimeField = serializers.DateTimeField(
        read_only=True, help_text="The time of the login or of the last refresh."
    )
    device: serializers.SerializerMethodField = serializers.SerializerMethodField(
        help_text="The name that the client gave the device, or the kind of the device."
    )
    current: serializers.SerializerMethodField = serializers.SerializerMethodField(
        help_text="Whether this is the session of the request."
    )

    class Meta:  # noqa: D106 - REST framework's own convention
        ref_name = "TesseraSession"
        model = Session
        fields: tuple[str, ...] = (
            "id",
            "current",
            "personal",
            "device",
            "scope",
            "ip",
            "started_at",
            "last_used_at",
            "idle_expires_at",
            "expires_at",
        )
        read_only_fields = fields

    def get_device(self, session: Session) -> str:
        """Return the client's own name for its device. Without such a name return its kind."""
        return session.label or session.device

    def get_current(self, session: Session) -> bool:
        """Return whether the request came with a token of this session."""
        return bool(session.pk == self.context.get("current"))


class PersonalTokenSerializer(BodySerializer):
    """The body that asks for a new personal access token."""

    class Meta:  # noqa: D106 - the name for schemas, beside the project's own serializers
        ref_name = "TesseraPersonalTokenRequest"

    name: serializers.CharField = serializers.CharField(
        max_length=LABEL_LENGTH, help_text="A name, by which the user knows the token again."
    )
    scope: serializers.CharField = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=SCOPE_LENGTH,
        help_text="The scopes of the token, separated by spaces.",
    )
    days: serializers.IntegerField = serializers.IntegerField(
        required=False, default=90, min_value=1, max_value=3650, help_text="How long the token lasts."
    )


# -- The answers ------------------------------------------------------------------------------------


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

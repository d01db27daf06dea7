"""Serializers for the bodies of the endpoints. This module contains no flow.

The serializers of requests check the body. Those of the other answers are in :mod:`drf_tessera.rest.shapes`.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import IntegerField
from rest_framework import serializers
from rest_framework.fields import empty

from drf_tessera.challenges import MAX_TICKET_LENGTH
from drf_tessera.conf import MAX_REFRESH_LENGTH, get_settings
from drf_tessera.http import TRANSPORTS, needs_body
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
        fields["transport"].initial = get_settings().transports[0]  # the browsable API sends each field
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

    With ``with_user`` the answer has a ``user``, as the answer to a login has. A reloaded page needs it. With
    ``optional`` a request without a refresh token is answered with 204, because it is not an error for a page
    to ask whether anybody is logged in.
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
    optional: serializers.BooleanField = serializers.BooleanField(
        required=False,
        help_text="Whether a request without a refresh token is answered with 204 and not with 401.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Make ``refresh`` optional if the refresh token may come by other means than a body."""
        fields = super().get_fields()
        if needs_body():
            del fields["optional"]
        else:
            fields["refresh"].required, fields["refresh"].allow_null = False, True
        return fields


def _make_hint() -> serializers.CharField:
    """Return the field of a hint, which nobody needs, because each token shows its kind."""
    return ShortCharField(
        max_length=255,
        required=False,
        allow_blank=True,
        help_text="`access_token` or `refresh_token`. The hint has no effect: a token shows its kind.",
    )


class RevokeSerializer(BodySerializer):
    """``{refresh}``, or ``{token, token_type_hint}`` (RFC 7009).

    Without both, the header or the cookie chooses the session. With ``session`` only that session is ended.
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

    token: serializers.CharField = serializers.CharField(
        write_only=True,
        required=False,
        trim_whitespace=False,
        help_text="The refresh token or the access token of the session to end (RFC 7009).",
    )
    token_type_hint: serializers.CharField = _make_hint()


class IntrospectSerializer(BodySerializer):
    """``{token}``, and optionally ``token_type_hint`` (RFC 7662, section 2.1)."""

    class Meta:  # noqa: D106 - the name for drf-yasg, beside the project's own serializers
        ref_name = "TesseraIntrospect"

    token: serializers.CharField = serializers.CharField(
        write_only=True, trim_whitespace=False, help_text="The token in question."
    )
    token_type_hint: serializers.CharField = _make_hint()


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

    name: serializers.CharField = ShortCharField(
        max_length=LABEL_LENGTH, help_text="A name, by which the user knows the token again."
    )
    scope: serializers.CharField = ShortCharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=SCOPE_LENGTH,
        help_text="The scopes of the token, separated by spaces.",
    )
    days: serializers.IntegerField = serializers.IntegerField(
        required=False, default=90, min_value=1, max_value=3650, help_text="How long the token lasts."
    )

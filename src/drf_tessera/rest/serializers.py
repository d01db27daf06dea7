"""Shapes: what the endpoints read and write. No flow."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from rest_framework import serializers

from drf_tessera.conf import MAX_REFRESH_LENGTH
from drf_tessera.http import TRANSPORTS, offers_ambient
from drf_tessera.models import Session
from drf_tessera.users import MAX_NAME_LENGTH, read_email, read_name

MAX_PASSWORD_LENGTH: Final = 4096
"""Characters: Django hashes whatever it is given, so somebody must say when it is enough."""


def account_fields() -> tuple[str, ...]:
    """Give the names under which a login may name its account: all mean the same but ``email``."""
    return tuple(dict.fromkeys(("username", get_user_model().USERNAME_FIELD, "email")))


class LoginSerializer(serializers.Serializer[Any]):
    """``{username, password}`` or ``{email, password}``, and a name for the device if one likes.

    The user model's ``USERNAME_FIELD`` is a name for ``username`` here. ``transport`` says how the
    refresh token is to travel, where ``PROFILE`` leaves a choice.
    """

    password = serializers.CharField(
        max_length=MAX_PASSWORD_LENGTH,
        trim_whitespace=False,
        write_only=True,
        style={"input_type": "password"},
    )
    device = serializers.CharField(max_length=64, required=False, allow_blank=True)
    transport = serializers.ChoiceField(tuple(TRANSPORTS), required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add a field for each way to name the account."""
        names = {
            name: serializers.CharField(max_length=MAX_NAME_LENGTH, required=False, trim_whitespace=False)
            for name in account_fields()
        }
        return {**names, **super().get_fields()}

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """Take exactly one name for the account."""
        given = [name for name in account_fields() if name in attrs]
        if len(given) != 1:
            raise serializers.ValidationError(
                f"Give one of {', '.join(account_fields())} to say whose password this is.",
                code="account_required" if not given else "account_ambiguous",
            )
        key = "email" if given == ["email"] else "username"
        return {key: attrs.pop(given[0]), **attrs}


class RefreshSerializer(serializers.Serializer[Any]):
    """``{refresh}``, or nothing where ``PROFILE`` has cookies: then it is in one.

    With ``with_user`` the answer has the ``user`` of a login's answer, for a page that was reloaded.
    """

    refresh = serializers.CharField(max_length=MAX_REFRESH_LENGTH, write_only=True)
    with_user = serializers.BooleanField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Ask for the field only where there is no other way for it to come."""
        fields = super().get_fields()
        if offers_ambient():
            fields["refresh"].required, fields["refresh"].allow_null = False, True
        return fields


class RevokeSerializer(serializers.Serializer[Any]):
    """``{refresh}``, or nothing: then the header or the cookie says which session.

    With ``session`` that one is ended and no other.
    """

    refresh = serializers.CharField(
        max_length=MAX_REFRESH_LENGTH, write_only=True, required=False, allow_null=True
    )
    session = serializers.UUIDField(required=False, allow_null=True)


class VerifySerializer(serializers.Serializer[Any]):
    """``{token}``: an access token."""

    token = serializers.CharField(write_only=True, trim_whitespace=False)


class UserSerializer(serializers.Serializer[AbstractBaseUser]):
    """The ``user`` of a login's answer; a view's ``user_serializer_class`` may be another one.

    It works with any user model. All names are texts. The text is empty if the user has no such name, or if
    the user model has no such column.
    """

    def to_representation(self, instance: AbstractBaseUser) -> dict[str, Any]:
        """Write ``id``, ``username``, ``name`` and ``email``."""
        full_name = getattr(instance, "get_full_name", None)
        return {
            "id": instance.pk if isinstance(instance.pk, int) else str(instance.pk),
            "username": read_name(instance),
            "name": str((full_name() if callable(full_name) else "") or ""),
            "email": read_email(instance),
        }


class SessionSerializer(serializers.ModelSerializer[Session]):
    """One session, as its user sees it. ``current`` is the one that asks."""

    started_at = serializers.DateTimeField(source="created_at")
    last_used_at = serializers.DateTimeField()
    device = serializers.SerializerMethodField()
    current = serializers.SerializerMethodField()

    class Meta:  # noqa: D106 - REST framework's own convention
        model = Session
        fields = (
            "id",
            "current",
            "device",
            "user_agent",
            "ip",
            "started_at",
            "last_used_at",
            "idle_expires_at",
            "expires_at",
        )
        read_only_fields = fields

    def get_device(self, session: Session) -> str:
        """Give the client's own name for its device, or else its user agent."""
        return session.label or session.user_agent

    def get_current(self, session: Session) -> bool:
        """Tell whether the request came with a token of this very session."""
        return bool(session.pk == self.context.get("current"))

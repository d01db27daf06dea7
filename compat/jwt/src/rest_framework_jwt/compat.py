"""Small classes and functions of djangorestframework-jwt that projects import."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers as serializers
from rest_framework.fields import empty

from drf_tessera.legacy import renamed
from drf_tessera.rest.serializers import MAX_PASSWORD_LENGTH, BodySerializer, ShortCharField


class Serializer(BodySerializer):
    """A serializer with ``object``, the name of REST framework 2 for the validated data."""

    @property
    def object(self) -> Any:
        """The validated data."""
        return self.validated_data


class PasswordField(ShortCharField):
    """A field for a password. Spaces at its ends belong to the password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["style"] = {**kwargs.get("style", {}), "input_type": "password"}
        super().__init__(*args, **{"trim_whitespace": False, "max_length": MAX_PASSWORD_LENGTH, **kwargs})

    @renamed(credentials="data")
    @sensitive_variables()
    def run_validation(self, credentials: Any = empty) -> Any:
        """Return the valid password."""
        return super().run_validation(credentials)


def get_username_field() -> str:
    """Return the name of the user model's field for the user name."""
    return str(get_user_model().USERNAME_FIELD)


def get_username(user: Any) -> Any:
    """Return the name of a user."""
    return user.get_username() if hasattr(user, "get_username") else user.username

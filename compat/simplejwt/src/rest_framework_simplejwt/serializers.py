"""The serializers of simplejwt. Each serializer calls one flow of drf-tessera."""

from __future__ import annotations

from typing import Any, NoReturn

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import update_last_login
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers

from drf_tessera import sessions
from drf_tessera.conf import HEADER
from drf_tessera.exceptions import Refusal
from drf_tessera.login import identify
from drf_tessera.rest.serializers import MAX_PASSWORD_LENGTH, BodySerializer, ShortCharField
from drf_tessera.tokens import read_refresh_token
from drf_tessera.users import MAX_NAME_LENGTH, clean_name, is_active
from rest_framework_simplejwt import legacy
from rest_framework_simplejwt.exceptions import AuthenticationFailed, TokenError, to_token_error
from rest_framework_simplejwt.models import AuthUser as AuthUser  # noqa: PLC0414 - projects import it here
from rest_framework_simplejwt.settings import api_settings, rotates
from rest_framework_simplejwt.tokens import SLIDING, RefreshToken, Token, UntypedToken


class PasswordField(ShortCharField):
    """A password field that is never shown in an answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["style"] = {**kwargs.get("style", {}), "input_type": "password"}
        super().__init__(*args, **{"max_length": MAX_PASSWORD_LENGTH, **kwargs, "write_only": True})


class TokenObtainSerializer(BodySerializer):
    """Check credentials. ``user`` is the owner of the credentials."""

    username_field = get_user_model().USERNAME_FIELD
    token_class: type[Token] = RefreshToken
    default_error_messages = {  # noqa: RUF012 - as REST framework declares it
        "no_active_account": _("No active account found with the given credentials")
    }

    def get_fields(self) -> dict[str, Any]:
        """Add the fields of the credentials."""
        name = ShortCharField(write_only=True, max_length=MAX_NAME_LENGTH)
        password = PasswordField(trim_whitespace=False)
        return {**super().get_fields(), self.username_field: name, "password": password}

    @sensitive_variables()
    def validate(self, auth: dict[str, Any]) -> dict[str, Any]:
        """Authenticate with the project's backends."""
        request, name = self.context.get("request"), auth[self.username_field]
        credentials = {self.username_field: clean_name(name), "password": auth["password"]}
        self.user = identify(getattr(request, "_request", request), credentials)
        if (
            self.user is None
            or not is_active(self.user)
            or not api_settings.USER_AUTHENTICATION_RULE(self.user)
        ):
            self._refuse()
        return {}

    def _refuse(self) -> NoReturn:
        raise AuthenticationFailed(self.error_messages["no_active_account"], "no_active_account")

    @classmethod
    def get_token(cls, user: AbstractBaseUser) -> Any:
        """Start a session and return its token. A project overrides this method to add claims."""
        return cls.token_class.for_user(user)


class TokenObtainPairSerializer(TokenObtainSerializer):
    """Reads credentials, and returns an access token and a refresh token."""

    token_class = RefreshToken

    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Log in."""
        auth = super().validate(credentials)
        with legacy.all_or_nothing():
            try:
                refresh = self.get_token(self.user)  # type: ignore[arg-type]  # None was refused above
            except TokenError as error:
                if error.refusal is None:
                    raise  # the project's own get_token refused the login
                self._refuse()  # the user was deleted, deactivated, or got a new password meanwhile
            auth["refresh"], auth["access"] = str(refresh), str(refresh.access_token)
        if api_settings.UPDATE_LAST_LOGIN:
            update_last_login(None, self.user)  # type: ignore[arg-type]  # None was refused
        return auth


class TokenRefreshSerializer(BodySerializer):
    """Reads a refresh token, and returns an access token and the next refresh token."""

    refresh = serializers.CharField()
    access = serializers.CharField(read_only=True)
    token_class = RefreshToken
    default_error_messages = {  # noqa: RUF012 - as REST framework declares it
        "no_active_account": _("No active account found for the given token.")
    }

    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Refresh the token. With ``ROTATE_REFRESH_TOKENS: False`` the token is checked but not spent."""
        # Check the token first only for a token class or a rule of the project, or if tokens do not rotate.
        own, ruled = (
            self.token_class is not RefreshToken,
            "USER_AUTHENTICATION_RULE" in api_settings.user_settings,
        )
        token = self._look_at(credentials["refresh"]) if own or ruled or not rotates() else None
        if token is not None and not rotates():
            return {"access": str(token.access_token)}
        grant = self.token_class.rotate(credentials["refresh"])
        auth = {"access": grant.access if token is None else str(token.access_token)}
        if grant.refresh is not None:
            auth["refresh"] = grant.refresh
        elif isinstance(self.initial_data, dict) and "refresh" in self.initial_data:
            # Some clients always store this field, so they get their own token back. A view that stores
            # the field in a cookie gets nothing: the cookie may already hold the token of another tab.
            auth["refresh"] = credentials["refresh"]
        return auth

    @sensitive_variables()
    def _look_at(self, credentials: str) -> RefreshToken:
        token = self.token_class(credentials)
        if not api_settings.USER_AUTHENTICATION_RULE(token.find_user()):
            raise AuthenticationFailed(self.error_messages["no_active_account"], "no_active_account")
        return token


class TokenVerifySerializer(BodySerializer):
    """Reads any token, and returns nothing if the token is valid."""

    token = serializers.CharField(write_only=True)

    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Verify the token."""
        UntypedToken(credentials["token"])
        return {}


class TokenBlacklistSerializer(BodySerializer):
    """Reads a refresh token, and ends its session."""

    refresh = serializers.CharField(write_only=True)
    token_class = RefreshToken

    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Log out."""
        if self.token_class is not RefreshToken:
            self.token_class(credentials["refresh"])  # the project's class may check more
        try:
            token = legacy.exchange(credentials["refresh"])
            ended = sessions.revoke_by_refresh_token(token, transport=HEADER)
        except Refusal as error:
            raise to_token_error(error) from None
        if not ended:
            raise TokenError("Token is blacklisted")
        legacy.note_end(read_refresh_token(token).facts)
        return {}


class _SlidingSerializer(BodySerializer):
    """Refuses sliding tokens. The message names the replacement."""

    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Refuse every token."""
        raise TokenError(SLIDING)


TokenObtainSlidingSerializer = TokenRefreshSlidingSerializer = _SlidingSerializer

"""The serializers of simplejwt. Each serializer calls one flow of drf-tessera."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn
from typing import Optional as Optional
from typing import TypeVar as TypeVar

from django.conf import settings as settings
from django.contrib.auth import authenticate as authenticate
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import update_last_login
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import exceptions as exceptions
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.exceptions import ValidationError as ValidationError
from rest_framework.fields import empty

from drf_tessera import sessions
from drf_tessera.conf import HEADER
from drf_tessera.exceptions import Refusal
from drf_tessera.legacy import renamed
from drf_tessera.login import identify
from drf_tessera.rest.serializers import MAX_PASSWORD_LENGTH, BodySerializer, ShortCharField
from drf_tessera.tokens import read_refresh_token
from drf_tessera.users import MAX_NAME_LENGTH, clean_name, is_active
from rest_framework_simplejwt import legacy, listing, logins, reading, refusals
from rest_framework_simplejwt.exceptions import TokenError, is_about_user
from rest_framework_simplejwt.models import AuthUser as AuthUser
from rest_framework_simplejwt.models import TokenUser as TokenUser
from rest_framework_simplejwt.settings import api_settings, rotates
from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken, Token, UntypedToken, is_patched


class PasswordField(ShortCharField):
    """A password field that is never shown in an answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["style"] = {**kwargs.get("style", {}), "input_type": "password"}
        super().__init__(*args, **{"max_length": MAX_PASSWORD_LENGTH, **kwargs, "write_only": True})

    @renamed(credentials="data")
    @sensitive_variables()
    def run_validation(self, credentials: Any = empty) -> Any:
        """Return the valid password."""
        return super().run_validation(credentials)


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

    @renamed(auth="attrs")
    @sensitive_variables()
    def validate(self, auth: dict[str, Any]) -> dict[str, Any]:
        """Authenticate with the project's backends."""
        request, name = self.context.get("request"), auth[self.username_field]
        credentials = {self.username_field: clean_name(name), "password": auth["password"]}
        self.user = identify(request, credentials, ask=authenticate)
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

    @renamed(credentials="attrs")
    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Log in."""
        auth = super().validate(credentials)
        with logins.all_or_nothing():
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

    @renamed(credentials="attrs")
    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Refresh the token. With ``ROTATE_REFRESH_TOKENS: False`` the token is checked but not spent."""
        # Check the token first only for a token class or a rule of the project, or if tokens do not rotate.
        own = self.token_class is not RefreshToken or is_patched()
        ruled = "USER_AUTHENTICATION_RULE" in api_settings.user_settings
        token = self._look_at(credentials["refresh"]) if own or ruled or not rotates() else None
        if token is not None and not rotates():
            return {"access": str(token.access_token)}
        try:
            grant = self.token_class.rotate(credentials["refresh"])
        except TokenError as error:
            self._refuse(error)
        # Many clients and views store this field of each answer, so each answer has it.
        return {
            "access": grant.access if token is None else str(token.access_token),
            "refresh": grant.refresh or grant.spare,
        }

    @sensitive_variables()
    def _look_at(self, credentials: str) -> RefreshToken:
        try:
            token = self.token_class(credentials)
        except TokenError as error:
            self._refuse(error)
        if not api_settings.USER_AUTHENTICATION_RULE(token.find_user()):
            raise AuthenticationFailed(self.error_messages["no_active_account"], "no_active_account")
        return token

    def _refuse(self, error: TokenError) -> NoReturn:
        if is_about_user(error):
            raise AuthenticationFailed(self.error_messages["no_active_account"], "no_active_account")
        raise error


class TokenVerifySerializer(BodySerializer):
    """Reads any token, and returns nothing if the token is valid."""

    token = serializers.CharField(write_only=True)

    @renamed(credentials="attrs")
    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Verify the token."""
        UntypedToken(credentials["token"])
        return {}


class TokenBlacklistSerializer(BodySerializer):  # noqa: D101 - see views
    __doc__ = " "
    refresh = serializers.CharField(write_only=True)
    token_class = RefreshToken

    @renamed(credentials="attrs")
    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Log out. The ``blacklist()`` of a token class of the project, or of a patched class, is called."""
        token = credentials["refresh"]
        own = self.token_class is not RefreshToken or is_patched()
        if own and not token.startswith(sessions.HANDLE_PREFIX):
            self.token_class(token).blacklist()
            return {}
        try:
            auth = legacy.exchange(token)
            ended = sessions.revoke_by_refresh_token(auth, transport=HEADER)
        except Refusal as error:
            raise reading.explain_refresh(error, token) from None
        if not ended:
            raise TokenError(_("Token is blacklisted"))
        found = read_refresh_token(auth)
        listing.note_end(found.facts, found)
        return {}


class TokenObtainSlidingSerializer(TokenObtainSerializer):
    """Refuses each login, because sliding tokens are not supported. The message names the replacement."""

    token_class = SlidingToken

    @renamed(credentials="attrs")
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Refuse every login."""
        raise TokenError(refusals.SLIDING)


class TokenRefreshSlidingSerializer(BodySerializer):  # noqa: D101 - see views
    __doc__ = " "
    token = serializers.CharField()
    token_class: ClassVar[type[Token]] = SlidingToken

    @renamed(credentials="attrs")
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Refuse every token."""
        raise TokenError(refusals.SLIDING)

"""The serializers of djangorestframework-jwt. Each serializer calls one flow of drf-tessera."""

from __future__ import annotations

import time
from calendar import timegm as timegm
from dataclasses import replace
from datetime import datetime as datetime
from datetime import timedelta as timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

import jwt
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed

from drf_tessera import sessions
from drf_tessera.exceptions import LoginFailed, Refusal, SessionEnded, TokenError, UserInactive
from drf_tessera.legacy import renamed, to_seconds
from drf_tessera.login import prove
from drf_tessera.moments import LATEST, to_timestamp
from drf_tessera.rest.reports import report_failed_refresh, report_refused_token
from drf_tessera.rest.requests import find_client
from drf_tessera.rest.serializers import ShortCharField
from drf_tessera.sessions import LegacyToken, adopt, is_foreign, name_token
from drf_tessera.tokens import SessionFacts, read_refresh_token
from drf_tessera.users import MAX_NAME_LENGTH, clean_name, is_active, load_user
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_jwt.compat import PasswordField, Serializer, get_username_field
from rest_framework_jwt.settings import api_settings, find_live
from rest_framework_jwt.utils import OwnClaims, decode_token, encoding_for, explain, verify_own

NO_LOGIN: Final = "Unable to log in with provided credentials."


class JSONWebTokenSerializer(Serializer):
    """Reads credentials, and returns a token and its user."""

    def get_fields(self) -> dict[str, Any]:
        """Add the fields of the credentials."""
        name = ShortCharField(max_length=MAX_NAME_LENGTH)
        password = PasswordField(write_only=True)
        return {**super().get_fields(), self.username_field: name, "password": password}

    @property
    def username_field(self) -> str:
        """The user name field of the user model."""
        return get_username_field()

    @renamed(credentials="attrs")
    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Log in."""
        request = self.context.get("request")
        client = None if request is None else find_client(request)

        def start(user: AbstractBaseUser) -> str:
            if not is_active(user):
                raise UserInactive
            payload = api_settings.JWT_PAYLOAD_HANDLER(user)
            # Encode for this user object, because its password was checked. Another user may have
            # received the user name since then.
            with encoding_for(user, client=client):
                return str(api_settings.JWT_ENCODE_HANDLER(payload))

        name = clean_name(credentials[self.username_field])
        auth = {self.username_field: name, "password": credentials["password"]}
        try:
            user, token = prove(getattr(request, "_request", request), auth, start, ask=authenticate)
        except LoginFailed as error:
            raise serializers.ValidationError(NO_LOGIN, error.code) from None
        return {"token": token, "user": user}


class VerificationBaseSerializer(Serializer):
    """Reads a token."""

    token = serializers.CharField()
    _report: Any = staticmethod(report_refused_token)

    @renamed(credentials="attrs")
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Refuse, because each subclass defines this method."""
        raise NotImplementedError("Please define a validate method.")

    def _refuse(self, detail: str, code: str) -> NoReturn:
        if (request := self.context.get("request")) is not None:
            self._report(code, request)
        raise serializers.ValidationError(detail, code)

    @sensitive_variables()
    def _check_payload(self, token: str) -> dict[str, Any]:
        """Verify a token and return its claims."""
        try:
            return decode_token(token)
        except jwt.InvalidTokenError as error:
            self._refuse(*explain(error))
        except Refusal as error:
            self._refuse(error.detail, error.code)

    def _check_user(self, payload: dict[str, Any]) -> AbstractBaseUser:
        """Return the user of a verified payload, loaded from the database."""
        try:
            if isinstance(payload, OwnClaims):
                return load_user(payload.token)
            return JSONWebTokenAuthentication().authenticate_credentials(payload)
        except Refusal as error:
            self._refuse(error.detail, error.code)
        except AuthenticationFailed as error:
            self._refuse(str(error), str(error.get_codes()))


class VerifyJSONWebTokenSerializer(VerificationBaseSerializer):
    """Reads a token, and returns the same token if it is valid."""

    @renamed(credentials="attrs")
    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Verify the token."""
        return {
            "token": credentials["token"],
            "user": self._check_user(self._check_payload(credentials["token"])),
        }


class RefreshJSONWebTokenSerializer(VerificationBaseSerializer):
    """Reads a token that has not expired, and returns a new token.

    The limit is ``JWT_REFRESH_EXPIRATION_DELTA`` after the login.
    """

    _report = staticmethod(report_failed_refresh)

    @renamed(credentials="attrs")
    @sensitive_variables()
    def validate(self, credentials: dict[str, Any]) -> dict[str, Any]:
        """Refresh the token."""
        payload = self._check_payload(credentials["token"])
        user, began = self._check_user(payload), payload.get("orig_iat")
        dated = isinstance(began, int | float) and not isinstance(began, bool) and 0 < began < LATEST
        if not api_settings.JWT_ALLOW_REFRESH or not dated:
            self._refuse("orig_iat field is required.", "refresh_invalid")
        if time.time() > payload["orig_iat"] + to_seconds(api_settings.JWT_REFRESH_EXPIRATION_DELTA):
            self._refuse("Refresh has expired.", "session_expired")
        try:
            login = self._find_session(user, payload, credentials["token"])
        except Refusal as error:
            self._refuse(error.detail, error.code)
        fresh = {**api_settings.JWT_PAYLOAD_HANDLER(user), "orig_iat": began}
        with encoding_for(user, login=login):
            return {"token": api_settings.JWT_ENCODE_HANDLER(fresh), "user": user}

    @sensitive_variables()
    def _find_session(self, user: AbstractBaseUser, payload: dict[str, Any], token: str) -> SessionFacts:
        """Return the login of the token's session. A token of djangorestframework-jwt starts a session."""
        try:
            own = None if is_foreign(token) else verify_own(token)
        except TokenError:
            own = None  # only the project's handler can read a token of this kind
        if own is None:
            credentials = adopt(_describe(payload, token), user)
            sessions.refresh(credentials)
            return read_refresh_token(credentials).facts
        session = sessions.live_sessions(user.pk).filter(pk=own.session_id).first()
        if session is None:
            raise SessionEnded
        return replace(own.facts, expires_at=int(to_timestamp(session.expires_at)))


@sensitive_variables()
def _describe(payload: dict[str, Any], token: str) -> LegacyToken:
    return LegacyToken(
        package="djangorestframework-jwt",
        jti=name_token(token),
        issued_at=int(payload["orig_iat"]),
        expires_at=int(payload.get("exp", LATEST)) + int(to_seconds(api_settings.JWT_LEEWAY)),
    )


if not TYPE_CHECKING:
    _live = find_live(
        __name__,
        {
            "jwt_payload_handler": "JWT_PAYLOAD_HANDLER",
            "jwt_encode_handler": "JWT_ENCODE_HANDLER",
            "jwt_decode_handler": "JWT_DECODE_HANDLER",
            "jwt_get_username_from_payload": "JWT_PAYLOAD_GET_USERNAME_HANDLER",
        },
    )

    def __getattr__(name: str) -> Any:
        return get_user_model() if name == "User" else _live(name)

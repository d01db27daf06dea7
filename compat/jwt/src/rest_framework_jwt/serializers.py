"""The shapes of djangorestframework-jwt. Each calls one flow of drf-tessera."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import jwt
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed

from drf_tessera import sessions
from drf_tessera.adoption import Predecessor, adopt, is_foreign
from drf_tessera.exceptions import Refusal
from drf_tessera.inspection import sign_access_token
from drf_tessera.receivers import checking_password
from drf_tessera.tokens import to_timestamp
from drf_tessera.users import load_user
from rest_framework_jwt.authentication import JSONWebTokenAuthentication
from rest_framework_jwt.settings import api_settings
from rest_framework_jwt.utils import select_claims, verify_own


class _Serializer(serializers.Serializer[Any]):
    @property
    def object(self) -> Any:
        """What was validated."""
        return self.validated_data


class JSONWebTokenSerializer(_Serializer):
    """Credentials in, a token and its user out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[self.username_field] = serializers.CharField()
        style = {"input_type": "password"}
        self.fields["password"] = serializers.CharField(write_only=True, trim_whitespace=False, style=style)

    @property
    def username_field(self) -> str:
        """The name of the user model's field."""
        return get_user_model().USERNAME_FIELD

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Log in."""
        request = self.context.get("request")
        with checking_password():
            user = authenticate(getattr(request, "_request", request), **attrs)
        if user is None or not user.is_active:
            raise serializers.ValidationError("Unable to log in with provided credentials.", "login_failed")
        try:
            token = api_settings.JWT_ENCODE_HANDLER(api_settings.JWT_PAYLOAD_HANDLER(user))
        except ValueError as error:
            raise serializers.ValidationError(str(error), "login_failed") from None
        return {"token": token, "user": user}


class VerificationBaseSerializer(_Serializer):
    """A token in."""

    token = serializers.CharField()

    def _refuse(self, detail: str, code: str) -> NoReturn:
        raise serializers.ValidationError(detail, code)

    @sensitive_variables()
    def find(self, raw: str) -> tuple[Any, dict[str, Any]]:
        """Verify a token and give its user and its claims."""
        try:
            if api_settings.uses_default("JWT_DECODE_HANDLER") and not is_foreign(raw):
                found = verify_own(raw)
                return load_user(found), {name: found[name] for name in found.claims}
            payload = api_settings.JWT_DECODE_HANDLER(raw)
            return JSONWebTokenAuthentication().authenticate_credentials(payload), payload
        except Refusal as error:
            self._refuse(error.detail, error.code)
        except jwt.ExpiredSignatureError:
            self._refuse("Signature has expired.", "token_expired")
        except jwt.InvalidTokenError:
            self._refuse("Error decoding signature.", "token_invalid")
        except AuthenticationFailed as error:
            detail: Any = error.detail
            self._refuse(str(detail["detail"]), str(detail["code"]))


class VerifyJSONWebTokenSerializer(VerificationBaseSerializer):
    """A token in; the same out if it is valid."""

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Verify."""
        return {"token": attrs["token"], "user": self.find(attrs["token"])[0]}


class RefreshJSONWebTokenSerializer(VerificationBaseSerializer):
    """A token that has not expired in, a new one out, until ``JWT_REFRESH_EXPIRATION_DELTA`` is over."""

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refresh."""
        user, payload = self.find(attrs["token"])
        began = payload.get("orig_iat")
        if not api_settings.JWT_ALLOW_REFRESH or not isinstance(began, int) or isinstance(began, bool):
            self._refuse("orig_iat field is required.", "refresh_invalid")
        limit = api_settings.JWT_REFRESH_EXPIRATION_DELTA
        seconds = limit.total_seconds() if isinstance(limit, timedelta) else limit
        if time.time() > began + seconds:
            self._refuse("Refresh has expired.", "session_expired")
        return {"token": self._renew(user, payload, attrs["token"]), "user": user}

    @sensitive_variables()
    def _renew(self, user: AbstractBaseUser, payload: dict[str, Any], raw: str) -> str:
        """Sign one more token of the session; a token of djangorestframework-jwt begins one."""
        try:
            if is_foreign(raw):
                return sessions.refresh(adopt(_describe(payload, raw), user)).access
            own = verify_own(raw)
            session = sessions.live_sessions(user.pk).filter(pk=own.session_id).first()
            if session is None:
                self._refuse("The session has ended; log in again.", "session_ended")
            login = replace(own.login, expires_at=int(to_timestamp(session.expires_at)))
            fresh = {**api_settings.JWT_PAYLOAD_HANDLER(user), "orig_iat": payload["orig_iat"]}
            return sign_access_token(login, select_claims(fresh))
        except Refusal as error:
            self._refuse(error.detail, error.code)


@sensitive_variables()
def _describe(payload: dict[str, Any], raw: str) -> Predecessor:
    # These tokens have no `jti`. What was signed names the token; its signature could be written otherwise.
    name = hashlib.sha256(raw.rpartition(".")[0].encode()).hexdigest()
    return Predecessor(
        package="djangorestframework-jwt",
        jti=name,
        issued_at=payload["orig_iat"],
        expires_at=int(payload["exp"]),
        claims=select_claims(payload),
    )

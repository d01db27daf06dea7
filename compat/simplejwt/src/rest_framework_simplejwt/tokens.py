"""simplejwt's token objects: an access token of drf-tessera, and a session's refresh token.

Making a token for a user starts a session, so that it can be ended; ``str()`` signs it with the claims
that it has by then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions
from drf_tessera.conf import HEADER
from drf_tessera.exceptions import Refusal
from drf_tessera.inspection import inspect_refresh_token, rewrite_refresh_token, sign_access_token
from drf_tessera.revocation import check_session
from drf_tessera.tokens import (
    REGISTERED_CLAIMS,
    Login,
    read_refresh_token,
    recall_access_token,
    verify_access_token,
)
from drf_tessera.tokens import AccessToken as Verified
from drf_tessera.tokens import (
    RefreshToken as Current,
)
from rest_framework_simplejwt import legacy
from rest_framework_simplejwt.exceptions import TokenError, to_token_error
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import aware_utcnow, datetime_from_epoch, datetime_to_epoch

if apps.ready and not apps.is_installed("drf_tessera"):
    raise ImproperlyConfigured(
        'rest_framework_simplejwt is here drf-tessera. Add "drf_tessera" to INSTALLED_APPS and run '
        "manage.py migrate: it has a table of sessions."
    )


class Token:
    """What all tokens share: claims, in a dict of their own."""

    token_type: ClassVar[str | None] = None
    lifetime: timedelta | None = None

    def __init__(self, token: str | bytes | None = None, verify: bool = True) -> None:
        if not verify:
            raise TokenError("There is no token without verification here: leave verify out.")
        self.current_time = aware_utcnow()
        self.token = token.decode("ascii", "replace") if isinstance(token, bytes) else token
        self.payload: dict[str, Any] = {}
        if token is None:
            self._begin()
        else:
            try:
                self._read(str(self.token))
            except Refusal as error:
                raise to_token_error(error) from None
            self.verify()

    def _begin(self) -> None:
        if api_settings.TOKEN_TYPE_CLAIM:
            self.payload[api_settings.TOKEN_TYPE_CLAIM] = self.token_type
        self.set_iat()

    def _read(self, raw: str) -> None:
        raise NotImplementedError

    def verify(self) -> None:
        """Check more; for subclasses. What is needed to be safe has been checked."""

    def __repr__(self) -> str:
        return repr(self.payload)

    def __getitem__(self, key: str) -> Any:
        return self.payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.payload[key] = value
        self.token = None

    def __delitem__(self, key: str) -> None:
        del self.payload[key]
        self.token = None

    def __contains__(self, key: object) -> bool:
        return key in self.payload

    def __iter__(self) -> Iterator[str]:
        return iter(self.payload)

    def get(self, key: str, default: Any = None) -> Any:
        """Give a claim, or ``default``."""
        return self.payload.get(key, default)

    def set_iat(self, claim: str = "iat", at_time: datetime | None = None) -> None:
        """Note the time of issue; in the signed token it is the time of signing."""
        self.payload[claim] = datetime_to_epoch(at_time or self.current_time)

    def set_exp(
        self, claim: str = "exp", from_time: datetime | None = None, lifetime: timedelta | None = None
    ) -> None:
        """Shorten the token's life. It cannot be lengthened: the settings say how long a token lives."""
        self.payload[claim] = datetime_to_epoch((from_time or self.current_time) + (lifetime or self._life()))
        self.token = None

    def _life(self) -> timedelta:
        return self.lifetime or api_settings.ACCESS_TOKEN_LIFETIME

    def set_jti(self) -> None:
        """Do nothing: each token that is signed gets an id of its own."""

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        """Refuse a token whose ``claim`` is over.

        Raises:
            TokenError: it is, or there is no such claim.
        """
        if claim not in self.payload:
            raise TokenError(f"Token has no '{claim}' claim")
        if datetime_from_epoch(self.payload[claim]) <= (current_time or self.current_time):
            raise TokenError(f"Token '{claim}' claim has expired")

    def outstand(self) -> None:
        """Do nothing: no row is written for each token."""

    def _claims(self) -> dict[str, Any]:
        """Give the project's own claims."""
        own = {"iat", "exp", "jti", *REGISTERED_CLAIMS, api_settings.JTI_CLAIM}
        kept = {name: value for name, value in self.payload.items() if name not in own}
        if api_settings.TOKEN_TYPE_CLAIM:
            kept[api_settings.TOKEN_TYPE_CLAIM] = "access"
        return json.loads(json.dumps(kept, cls=api_settings.JSON_ENCODER)) if kept else kept

    @classmethod
    def for_user(cls, user: AbstractBaseUser) -> Self:
        """Start a session for a user and give its token.

        Raises:
            TokenError: the user may not log in.
        """
        token = cls()
        token[api_settings.USER_ID_CLAIM] = str(getattr(user, api_settings.USER_ID_FIELD))
        if api_settings.CHECK_REVOKE_TOKEN:
            from rest_framework_simplejwt.utils import get_md5_hash_password  # noqa: PLC0415 - seldom

            token[api_settings.REVOKE_TOKEN_CLAIM] = get_md5_hash_password(user.password)
        try:
            grant = sessions.start(user, claims=token._claims())
        except Refusal as error:
            raise to_token_error(error) from None
        token._take(read_refresh_token(grant.refresh or ""))
        return token

    def _take(self, current: Current) -> None:
        raise NotImplementedError


class AccessToken(Token):
    """An access token: verified, or about to be signed."""

    token_type = "access"  # noqa: S105 - a kind of token
    verified: Verified | None = None
    """drf-tessera's own token, where it is one; ``None`` for one that simplejwt issued."""
    login: Login | None = None

    @sensitive_variables()
    def _read(self, raw: str) -> None:
        if legacy.is_legacy(raw):
            self.payload = legacy.decode(raw, self.token_type)
            return
        key = f"simplejwt\n{raw}"
        found = recall_access_token(key) or verify_access_token(raw, remember_as=key)
        check_session(found.session_id)
        self.verified = found
        self.payload = {name: found[name] for name in found.claims}
        self.login = Login(
            session_id=found.session_id,
            sub=found.sub,
            auth_time=found.auth_time,
            expires_at=found.expires_at,
            amr=found.amr,
            scope=found.scope,
        )

    def _begin(self) -> None:
        super()._begin()
        self.set_exp()

    def _take(self, current: Current) -> None:
        self.login = replace(current.login, claims={})

    @property
    def session_id(self) -> Any:
        """The session that this token belongs to; ``None`` for one that simplejwt issued."""
        return self.login.session_id if self.login else None

    @sensitive_variables()
    def __str__(self) -> str:
        if self.token is not None:
            return self.token
        if self.login is None:
            raise TokenError("This token belongs to nobody: make it by for_user(user).")
        ends = min(int(self.payload["exp"]), self.login.expires_at)
        return sign_access_token(replace(self.login, expires_at=ends), self._claims())


class RefreshToken(Token):
    """A session's refresh token, looked at and not spent; :meth:`rotate` spends it."""

    token_type = "refresh"  # noqa: S105 - a kind of token
    access_token_class: type[AccessToken] = AccessToken
    no_copy_claims: tuple[str, ...] = ("token_type", "exp", "jti", "iat")
    current: Current | None = None

    @sensitive_variables()
    def _read(self, raw: str) -> None:
        text = legacy.exchange(raw) if legacy.is_legacy(raw) else raw
        self._take(inspect_refresh_token(text, transport=HEADER))

    def _take(self, current: Current) -> None:
        self.current = current
        self.payload.update(current.login.claims)
        self.payload |= {"exp": current.login.expires_at, "iat": current.login.auth_time}
        self.payload[api_settings.JTI_CLAIM or "jti"] = current.login.session_id.hex
        if api_settings.TOKEN_TYPE_CLAIM:
            self.payload[api_settings.TOKEN_TYPE_CLAIM] = self.token_type

    def set_exp(
        self, claim: str = "exp", from_time: datetime | None = None, lifetime: timedelta | None = None
    ) -> None:
        """Refuse: how long a session lives is said by the settings alone.

        Raises:
            TokenError: always.
        """
        raise TokenError(
            "A single refresh token has no lifetime of its own here; REFRESH_TOKEN_LIFETIME holds for all."
        )

    @property
    def access_token(self) -> AccessToken:
        """An access token of the same session, with the claims of this one."""
        access = self.access_token_class()
        for claim, value in self.payload.items():
            if claim not in {*self.no_copy_claims, api_settings.TOKEN_TYPE_CLAIM, api_settings.JTI_CLAIM}:
                access[claim] = value
        access._take(self._stand())
        return access

    def _stand(self) -> Current:
        if self.current is None:
            raise TokenError("This token belongs to nobody: make it by for_user(user).")
        return self.current

    @sensitive_variables()
    def __str__(self) -> str:
        return rewrite_refresh_token(self._stand(), self._claims())

    @classmethod
    @sensitive_variables()
    def rotate(cls, raw: str) -> sessions.Grant:
        """Spend a refresh token, of ours or of simplejwt's.

        Raises:
            TokenError: it is not taken.
        """
        try:
            text = legacy.exchange(raw) if legacy.is_legacy(raw) else raw
            return sessions.refresh(text, transport=HEADER)
        except Refusal as error:
            raise to_token_error(error) from None

    def set_jti(self) -> None:
        """Refuse to rotate by hand: two of whoever did would both succeed.

        Raises:
            TokenError: always, for a token that came from a client.
        """
        if self.token is not None:
            raise TokenError("Do not rotate by hand: RefreshToken.rotate(raw), or TokenRefreshSerializer.")

    def blacklist(self) -> tuple[Self, bool]:
        """End the session, with all its tokens; tell whether this call did it."""
        return self, sessions.revoke(self._stand().login.session_id)

    def check_blacklist(self) -> None:
        """Do nothing: whoever has such an object has a token whose session stood a moment ago."""


class UntypedToken(AccessToken):
    """Any token, of whatever kind, that is valid."""

    @sensitive_variables()
    def _read(self, raw: str) -> None:
        if legacy.is_legacy(raw):
            self.payload = legacy.decode(raw, None)
        elif raw.startswith("tsr_"):
            self.payload = RefreshToken(raw).payload
        else:
            super()._read(raw)


class SlidingToken(Token):
    """Refused: a sliding token is its own refresh token, so every request carries what must be kept."""

    token_type = "sliding"  # noqa: S105 - a kind of token

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TokenError(SLIDING)


SLIDING = (
    "Sliding tokens are not served here: each request would carry what renews itself. Use the pair: "
    "TokenObtainPairView and TokenRefreshView."
)

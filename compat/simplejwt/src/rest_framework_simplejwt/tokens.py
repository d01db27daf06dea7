"""The token objects of simplejwt: an access token of drf-tessera, and the refresh token of a session.

A new token for a user starts a session, so that a logout can end the token. ``str()`` signs the token
with the claims that the token has at that time.
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

from drf_tessera import sessions, tokens
from drf_tessera.conf import HEADER, get_settings
from drf_tessera.exceptions import Refusal
from drf_tessera.moments import from_timestamp
from drf_tessera.revocation import check_session
from drf_tessera.sessions import is_foreign
from drf_tessera.users import find_user_by, parse_sub
from rest_framework_simplejwt import legacy, utils
from rest_framework_simplejwt.exceptions import TokenError, to_token_error
from rest_framework_simplejwt.models import AuthUser as AuthUser  # noqa: PLC0414 - projects import it here
from rest_framework_simplejwt.settings import api_settings, count_recoveries

if apps.ready and not apps.is_installed("drf_tessera"):
    raise ImproperlyConfigured(
        'This rest_framework_simplejwt needs drf-tessera. Add "drf_tessera" to INSTALLED_APPS and run '
        "manage.py migrate, because drf-tessera needs a table of sessions."
    )


class Lifetime:
    """The lifetime of a token class, read live from a setting. Only access tokens may override it."""

    def __init__(self, setting: str) -> None:
        self.setting = setting

    def __get__(self, token: object, kind: type) -> Any:
        return getattr(api_settings, self.setting)


class Token:
    """The common parent of all tokens: a dict of claims."""

    token_type: ClassVar[str | None] = None
    lifetime: Any = None
    kept_back = False
    """True for a new token until its text or its access token is requested."""

    def __init_subclass__(cls) -> None:
        if cls.__module__ == __name__:
            return
        if cls.token_type != next(kind.token_type for kind in cls.__mro__[1:] if issubclass(kind, Token)):
            raise ImproperlyConfigured(ONE_KIND)  # the signed token would be valid as an access token
        if issubclass(cls, RefreshToken) and ("lifetime" in vars(cls) or issubclass(cls, AccessToken)):
            raise ImproperlyConfigured(ONE_KIND if issubclass(cls, AccessToken) else ONE_LIFETIME)

    def __init__(self, token: str | bytes | None = None, verify: bool = True) -> None:
        if not verify:
            raise TokenError("A token cannot be read without verification. Remove the argument verify.")
        self.current_time = utils.aware_utcnow()
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

    def _read(self, token: str) -> None:
        raise NotImplementedError

    def verify(self) -> None:
        """Check the type of the token. Subclasses may check more; all security checks are already done."""
        self.verify_token_type()

    def verify_token_type(self) -> None:
        """Check the claim ``TOKEN_TYPE_CLAIM``, if the token has this claim.

        Raises:
            TokenError: the token has another type.
        """
        if self.payload.get(api_settings.TOKEN_TYPE_CLAIM, self.token_type) != self.token_type:
            raise TokenError("Token has wrong type")

    @property
    def token_backend(self) -> Any:
        """The backend that reads tokens."""
        from rest_framework_simplejwt.state import token_backend  # noqa: PLC0415 - it imports this module

        return token_backend

    def get_token_backend(self) -> Any:
        """Return :attr:`token_backend`."""
        return self.token_backend

    def __repr__(self) -> str:
        return repr(self.payload)

    def __getitem__(self, key: str) -> Any:
        return self.payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key in TAKEN and key != api_settings.USER_ID_CLAIM and value != self._find_registered(key):
            raise ImproperlyConfigured(f"A project cannot set the claim {key!r}: drf-tessera sets it.")
        if key == "scope" and value != "" and not tokens.is_scope(value):
            raise ImproperlyConfigured("A scope must be one string, separated by spaces (RFC 6749, 3.3).")
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
        """Return a claim, or ``default``."""
        return self.payload.get(key, default)

    def set_iat(self, claim: str = "iat", at_time: datetime | None = None) -> None:
        """Set the time of issue. In the signed token, ``iat`` is always the time of signing."""
        self.payload[claim] = utils.datetime_to_epoch(at_time or self.current_time)

    def set_exp(
        self, claim: str = "exp", from_time: datetime | None = None, lifetime: timedelta | None = None
    ) -> None:
        """Shorten the token's life. A life longer than the setting is refused when the token is signed."""
        self.payload[claim] = utils.datetime_to_epoch(
            (from_time or self.current_time) + (self.lifetime if lifetime is None else lifetime)
        )
        self.token = None

    def set_jti(self) -> None:
        """Do nothing, because each signed token gets its own id."""

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        """Check that the time in ``claim`` has not passed.

        Raises:
            TokenError: the time has passed, or the token has no such claim.
        """
        if claim not in self.payload:
            raise TokenError(f"Token has no '{claim}' claim")
        if utils.datetime_from_epoch(self.payload[claim]) <= (current_time or self.current_time):
            raise TokenError(f"Token '{claim}' claim has expired")

    def _name_user(self, sub: str) -> None:
        """Add the claim of the user's id to a token that was not created by this package."""
        if api_settings.USER_ID_FIELD in {"id", "pk"}:
            self.payload.setdefault(api_settings.USER_ID_CLAIM, sub)

    def _find_registered(self, claim: str) -> Any:
        """Return the value that drf-tessera will write for a claim, or ``None`` if it is not known yet."""
        login, settings = _find_login(self), get_settings()
        known = {"iss": settings.issuer, "aud": settings.audience[0] if len(settings.audience) == 1 else None}
        return {**known, "sub": login.sub if login else None}.get(claim)

    def outstand(self) -> None:
        """Do nothing, because drf-tessera does not write a row for each token."""

    def _claims(self) -> dict[str, Any]:
        """Return the project's own claims."""
        own = {"iat", "exp", "jti", *tokens.REGISTERED_CLAIMS, api_settings.JTI_CLAIM}
        kept = {name: value for name, value in self.payload.items() if name not in own}
        if api_settings.TOKEN_TYPE_CLAIM:
            kept[api_settings.TOKEN_TYPE_CLAIM] = "access"
        return json.loads(json.dumps(kept, cls=api_settings.JSON_ENCODER)) if kept else kept

    @classmethod
    def for_user(cls, user: AbstractBaseUser) -> Self:
        """Start a session for a user and return its token.

        Raises:
            TokenError: the user may not log in.
        """
        token = cls()
        token[api_settings.USER_ID_CLAIM] = str(getattr(user, api_settings.USER_ID_FIELD))
        try:
            grant = sessions.start(user, claims=token._claims())
        except Refusal as error:
            raise to_token_error(error) from None
        current = tokens.read_refresh_token(grant.refresh or "")
        legacy.note_begun(current.facts.session_id)
        legacy.note_session(user, current.facts)
        token._take(current)
        token.kept_back = True
        return token

    def _take(self, current: tokens.RefreshToken) -> None:
        raise NotImplementedError


def _find_login(token: object) -> tokens.SessionFacts | None:
    """Return the login of a token's session. For a token without a known session return ``None``."""
    current = getattr(token, "current", None)
    return current.facts if current is not None else getattr(token, "login", None)


class BlacklistMixin:
    """Ends the session of a token."""

    def _stand_by(self) -> tokens.SessionFacts:
        login = _find_login(self)
        if login is None:
            raise TokenError("This token belongs to no session, so the token cannot be ended.")
        return login

    def blacklist(self) -> tuple[Self, bool]:
        """End the session with all its tokens. Return this token, and whether this call ended the session."""
        login = self._stand_by()
        ended = sessions.revoke(login.session_id)
        legacy.note_end(login)
        return self, ended

    def check_blacklist(self) -> None:
        """Check that the session has not ended.

        Raises:
            TokenError: the session has ended.
        """
        login = self._stand_by()
        if not sessions.live_sessions(parse_sub(login.sub)).filter(pk=login.session_id).exists():
            raise TokenError("Token is blacklisted")


class AccessToken(Token):
    """An access token that has been verified, or that will be signed."""

    token_type = "access"  # noqa: S105 - a kind of token
    lifetime = Lifetime("ACCESS_TOKEN_LIFETIME")
    verified: tokens.AccessToken | None = None
    """The verified token of drf-tessera; ``None`` for a token that simplejwt issued."""
    login: tokens.SessionFacts | None = None

    @sensitive_variables()
    def _read(self, token: str) -> None:
        credentials = f"simplejwt\n{token}"
        found = tokens.recall_access_token(credentials)
        if found is None:
            if is_foreign(token):
                self.payload = legacy.decode(token, self.token_type)
                return
            found = tokens.verify_access_token(token, credentials=credentials)
        check_session(found.session_id)
        self.verified, self.login = found, found.facts
        self.payload = {name: found[name] for name in found.claims}
        self._name_user(found.sub)

    def _begin(self) -> None:
        super()._begin()
        self.set_exp()

    def _take(self, current: tokens.RefreshToken) -> None:
        self.login = replace(current.facts, claims={})

    @property
    def session_id(self) -> Any:
        """The id of the token's session; ``None`` for a token that simplejwt issued."""
        return self.login.session_id if self.login else None

    @sensitive_variables()
    def __str__(self) -> str:
        if self.token is not None:
            return self.token
        if self.login is None:
            raise TokenError("This token has no user. Create the token with for_user(user).")
        limit = utils.datetime_to_epoch(utils.aware_utcnow() + api_settings.ACCESS_TOKEN_LIFETIME) + 1
        if self.payload["exp"] > limit:
            raise ImproperlyConfigured(
                "An access token may live for ACCESS_TOKEN_LIFETIME at most. Increase this setting instead."
            )
        ends = min(int(self.payload["exp"]), self.login.expires_at)
        scope = self.payload.get("scope", self.login.scope)
        return sessions.sign_access_token(replace(self.login, expires_at=ends, scope=scope), self._claims())


class RefreshToken(BlacklistMixin, Token):
    """The refresh token of a session. The constructor checks the token, and :meth:`rotate` spends it."""

    token_type = "refresh"  # noqa: S105 - a kind of token
    lifetime = Lifetime("REFRESH_TOKEN_LIFETIME")
    access_token_class: type[AccessToken] = AccessToken
    no_copy_claims: tuple[str, ...] = ("token_type", "exp", "jti", "iat")
    current: tokens.RefreshToken | None = None

    @sensitive_variables()
    def _read(self, token: str) -> None:
        credentials, most = legacy.exchange(token), count_recoveries()
        self._take(sessions.inspect_refresh_token(credentials, transport=HEADER, recoveries=most))

    def _take(self, current: tokens.RefreshToken) -> None:
        self.current = current
        self.payload.update(current.facts.claims)
        self.payload |= {"exp": current.facts.expires_at, "iat": current.facts.auth_time}
        self._name_user(current.facts.sub)
        if current.facts.scope:
            self.payload["scope"] = current.facts.scope
        self.payload[api_settings.JTI_CLAIM or "jti"] = current.facts.session_id.hex
        if api_settings.TOKEN_TYPE_CLAIM:
            self.payload[api_settings.TOKEN_TYPE_CLAIM] = self.token_type

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "exp":
            raise ImproperlyConfigured(ONE_LIFETIME)
        super().__setitem__(key, value)

    def set_exp(
        self, claim: str = "exp", from_time: datetime | None = None, lifetime: timedelta | None = None
    ) -> None:
        """Shorten the life of a session that :meth:`for_user` has just started. The change is permanent.

        Raises:
            ImproperlyConfigured: the new end is after ``REFRESH_TOKEN_LIFETIME`` or not in the future, or
                ``claim`` is not ``exp``, or the token has already been sent to a client.
        """
        ends = (from_time or self.current_time) + (self.lifetime if lifetime is None else lifetime)
        now = utils.aware_utcnow()
        within = now < ends <= now + api_settings.REFRESH_TOKEN_LIFETIME + timedelta(seconds=1)
        if claim != "exp" or not within or not self.kept_back:
            raise ImproperlyConfigured(ONE_LIFETIME)
        current, until = self._stand(), utils.datetime_to_epoch(ends)
        sessions.shorten(current.facts.session_id, from_timestamp(until))
        shorter = replace(current.facts, expires_at=min(until, current.facts.expires_at))
        self.current = replace(current, facts=shorter)
        self.payload["exp"] = shorter.expires_at
        self.token = None

    @property
    def access_token(self) -> AccessToken:
        """A new access token of the same session, with the claims of this refresh token."""
        self.kept_back = False
        access = self.access_token_class()
        access._take(self._stand())  # noqa: SLF001 - a token of this module
        for claim, value in self.payload.items():
            if claim not in {*self.no_copy_claims, api_settings.TOKEN_TYPE_CLAIM, api_settings.JTI_CLAIM}:
                access.payload[claim] = value
        return access

    def find_user(self) -> AbstractBaseUser | None:
        """Return the user of the session, or ``None`` if the user no longer exists."""
        return find_user_by("pk", self._stand().facts.sub)

    def _stand(self) -> tokens.RefreshToken:
        if self.current is None:
            raise TokenError("This token has no user. Create the token with for_user(user).")
        return self.current

    @sensitive_variables()
    def __str__(self) -> str:
        scope, self.kept_back = self.payload.get("scope"), False
        return sessions.rewrite_refresh_token(self._stand(), self._claims(), scope=scope)

    @classmethod
    @sensitive_variables()
    def rotate(cls, token: str) -> sessions.Grant:
        """Exchange a refresh token of drf-tessera or of simplejwt for new tokens.

        Raises:
            TokenError: the token is not accepted.
        """
        try:
            return sessions.refresh(legacy.exchange(token), transport=HEADER, recoveries=count_recoveries())
        except Refusal as error:
            raise to_token_error(error) from None

    def set_jti(self) -> None:
        """Refuse rotation by hand, because two holders of one token could both rotate the token.

        Raises:
            ImproperlyConfigured: the token came from a client.
        """
        if self.token is not None:
            raise ImproperlyConfigured(BY_HAND)


class UntypedToken(AccessToken):
    """A valid token of any type."""

    def verify_token_type(self) -> None:
        """Accept every type."""

    @sensitive_variables()
    def _read(self, token: str) -> None:
        if token.startswith(tokens.REFRESH_PREFIX) or legacy.is_refresh(token):
            self.payload = RefreshToken(token).payload  # RefreshToken checks that the session has not ended
        elif is_foreign(token):
            self.payload = legacy.decode(token, None)
        else:
            super()._read(token)


class SlidingToken(Token):
    """A class that always refuses.

    A sliding token is its own refresh token, so every request would carry the token that renews itself.
    """

    token_type = "sliding"  # noqa: S105 - a kind of token

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TokenError(SLIDING)


ONE_KIND = (
    "A project cannot add its own token_type. For another purpose, such as a link in a mail, use "
    "django.core.signing: dumps(value, salt=...), loads(..., max_age=...)."
)
TAKEN = tokens.REGISTERED_CLAIMS - {"iat", "exp", "jti", "scope"}
"""Claims that a project cannot set. A project may set ``scope``; each signing replaces the other three."""
BY_HAND = "Do not rotate a token by hand. Use RefreshToken.rotate(raw) or TokenRefreshSerializer."
ONE_LIFETIME = (
    "No refresh token may live longer than REFRESH_TOKEN_LIFETIME. Increase this setting, for all tokens. "
    "set_exp() can only shorten the life of a token that for_user() has just made."
)
SLIDING = (
    "Sliding tokens are not supported, because each request would carry a token that renews itself. Use the "
    "pair instead: TokenObtainPairView and TokenRefreshView."
)

"""The token objects of simplejwt: an access token of drf-tessera, and the refresh token of a session.

A new token for a user starts a session, so that a logout can end the token. ``str()`` signs the token
with the claims that the token has at that time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar
from typing import Optional as Optional
from uuid import uuid4

from django.apps import apps
from django.conf import settings as settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string as import_string
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from drf_tessera import sessions, tokens
from drf_tessera.conf import HEADER, get_identity, get_settings
from drf_tessera.exceptions import Refusal
from drf_tessera.moments import from_timestamp
from drf_tessera.sessions import HANDLE_PREFIX
from drf_tessera.users import find_user_by, parse_sub
from rest_framework_simplejwt import legacy, listing, logins, reading, refusals
from rest_framework_simplejwt.exceptions import ExpiredTokenError as ExpiredTokenError
from rest_framework_simplejwt.exceptions import TokenBackendError as TokenBackendError
from rest_framework_simplejwt.exceptions import TokenBackendExpiredToken as TokenBackendExpiredToken
from rest_framework_simplejwt.exceptions import TokenError, to_token_error
from rest_framework_simplejwt.models import AuthUser as AuthUser
from rest_framework_simplejwt.models import TokenUser
from rest_framework_simplejwt.payload import Payload, check_claim, check_removal
from rest_framework_simplejwt.settings import api_settings, count_recoveries
from rest_framework_simplejwt.state import token_backend
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken as BlacklistedToken
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken as OutstandingToken
from rest_framework_simplejwt.utils import aware_utcnow as aware_utcnow
from rest_framework_simplejwt.utils import count_seconds, format_lazy
from rest_framework_simplejwt.utils import datetime_from_epoch as datetime_from_epoch
from rest_framework_simplejwt.utils import datetime_to_epoch as datetime_to_epoch
from rest_framework_simplejwt.utils import get_md5_hash_password as get_md5_hash_password
from rest_framework_simplejwt.utils import logger as logger

T = TypeVar("T", bound="Token")

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
    login: tokens.SessionFacts | None = None
    """The session of the token. ``None`` for a token that simplejwt issued, or that has no user yet."""

    def __init_subclass__(cls) -> None:
        if cls.__module__ == __name__:
            return
        if cls.token_type != next(kind.token_type for kind in cls.__mro__[1:] if issubclass(kind, Token)):
            raise ImproperlyConfigured(
                refusals.ONE_KIND
            )  # the signed token would be valid as an access token
        if not issubclass(cls, RefreshToken):
            return
        if issubclass(cls, AccessToken):
            raise ImproperlyConfigured(refusals.ONE_KIND)
        if "lifetime" in vars(cls):
            raise ImproperlyConfigured(refusals.ONE_LIFETIME)

    def __init__(self, token: Any = None, verify: bool = True) -> None:
        if self.token_type is None or self.lifetime is None:
            raise TokenError(_("Cannot create token with no type or lifetime"))
        if not verify:
            raise TokenError(refusals.NOT_VERIFIED)
        self.current_time = aware_utcnow()
        self.token = token
        self._payload = Payload(self)
        self._signed: tuple[dict[str, Any], str] | None = None
        if token is None:
            self._begin()
        else:
            self._read(reading.to_text(self.token))
            self.verify()

    def _begin(self) -> None:
        if api_settings.TOKEN_TYPE_CLAIM:
            self._payload.fill({api_settings.TOKEN_TYPE_CLAIM: self.token_type})
        self.set_exp(from_time=self.current_time, lifetime=self.lifetime)
        self.set_iat(at_time=self.current_time)
        self.set_jti()

    def _read(self, token: str) -> None:
        raise NotImplementedError

    @property
    def payload(self) -> dict[str, Any]:
        """The claims. A change is honoured, or refused at once."""
        return self._payload

    @payload.setter
    def payload(self, claims: dict[str, Any]) -> None:
        self._payload.replace(claims)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_payload": dict(self._payload)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({**state, "_payload": Payload(self, state["_payload"])})

    def admit(self, key: str, value: Any) -> Any:
        """Return the value to store for a claim that the project sets.

        Raises:
            ImproperlyConfigured: no token can have this claim.
        """
        check_claim(key, value, self._find_registered(key))
        if key == api_settings.USER_ID_CLAIM and self.login is not None:
            self._check_user_id(value)
        return value

    def dismiss(self, key: str) -> None:
        """Return if the project may remove a claim.

        Raises:
            ImproperlyConfigured: each token has this claim.
        """
        check_removal(key)

    def _check_user_id(self, value: Any) -> None:
        known = self._payload.get(api_settings.USER_ID_CLAIM)
        if known is not None and str(value) != str(known):
            raise ImproperlyConfigured(refusals.OTHER_USER)

    def _find_registered(self, claim: str) -> Any:
        """Return the value that drf-tessera will write for a claim, or ``None`` if it is not known yet."""
        audience, login = get_identity().audience, self.login
        known = {"aud": audience[0] if len(audience) == 1 else None, "sub": login.sub if login else None}
        return tokens.get_issuer() if claim == "iss" else known.get(claim)

    def verify(self, *args: Any, **kwargs: Any) -> None:
        """Check the time and the type. Subclasses may check more; all security checks are already done."""
        # The token has not expired by the clock. A test may have patched ``aware_utcnow``.
        own = type(self).check_exp is not Token.check_exp
        if own or count_seconds(self.payload["exp"]) <= datetime_to_epoch(self.current_time):
            self.check_exp()
        self.verify_token_type()

    def verify_token_type(self) -> None:
        """Check the claim ``TOKEN_TYPE_CLAIM``, if the token has this claim.

        Raises:
            TokenError: the token has another type.
        """
        if self.payload.get(api_settings.TOKEN_TYPE_CLAIM, self.token_type) != self.token_type:
            raise TokenError(_("Token has wrong type"))

    @property
    def token_backend(self) -> Any:
        """The backend that reads tokens."""
        return token_backend

    def get_token_backend(self) -> Any:
        """Return :attr:`token_backend`."""
        return self.token_backend

    def __repr__(self) -> str:
        return repr(self.payload)

    def __getitem__(self, key: str) -> Any:
        return self.payload[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.payload[key] = value

    def __delitem__(self, key: str) -> None:
        del self.payload[key]

    def __contains__(self, key: object) -> bool:
        return key in self.payload

    def __iter__(self) -> Iterator[str]:
        return iter(self.payload)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a claim, or ``default``."""
        return self.payload.get(key, default)

    def set_jti(self) -> None:
        """Set a new random id."""
        self._payload.fill({api_settings.JTI_CLAIM or "jti": uuid4().hex})

    def set_iat(self, claim: str = "iat", at_time: datetime | None = None) -> None:
        """Set the time of issue."""
        self.payload[claim] = datetime_to_epoch(at_time or self.current_time)

    def set_exp(
        self, claim: str = "exp", from_time: datetime | None = None, lifetime: timedelta | None = None
    ) -> None:
        """Shorten the token's life. A life longer than the setting is refused."""
        self.payload[claim] = datetime_to_epoch(
            (from_time or self.current_time) + (self.lifetime if lifetime is None else lifetime)
        )

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        """Check that the time in ``claim`` has not passed.

        Raises:
            TokenError: the time has passed, or the token has no such claim.
        """
        if claim not in self.payload:
            raise TokenError(format_lazy(_("Token has no '{}' claim"), claim))
        ends = datetime_from_epoch(count_seconds(self.payload[claim]))
        if ends <= (current_time or self.current_time) - self.token_backend.get_leeway():
            raise TokenError(format_lazy(_("Token '{}' claim has expired"), claim))

    def outstand(self) -> tuple[OutstandingToken, bool] | None:
        """Do nothing: only refresh tokens have rows."""
        return None

    def _list_claims(self) -> dict[str, Any]:
        """Return the project's own claims, in the form that they have in JSON."""
        own = {"iat", "exp", "jti", *tokens.REGISTERED_CLAIMS, api_settings.JTI_CLAIM}
        kept = {name: value for name, value in self.payload.items() if name not in own}
        if api_settings.TOKEN_TYPE_CLAIM:
            kept[api_settings.TOKEN_TYPE_CLAIM] = "access"
        found: dict[str, Any] = json.loads(json.dumps(kept, cls=api_settings.JSON_ENCODER))
        return found

    @classmethod
    def for_user(cls, user: AbstractBaseUser | TokenUser) -> Self:
        """Start a session for a user and return its token.

        Raises:
            TokenError: the user may not log in, or is not a user of ``AUTH_USER_MODEL``.
        """
        token = cls()
        token._start(user)
        return token

    def _start(self, user: Any) -> None:
        found = find_user_by(api_settings.USER_ID_FIELD, user.id) if isinstance(user, TokenUser) else user
        if not isinstance(found, get_user_model()):
            text = f"Only users of {get_user_model()._meta.label} can have tokens, not {user!r}."
            raise TokenError(text)
        self._payload.fill({api_settings.USER_ID_CLAIM: str(getattr(found, api_settings.USER_ID_FIELD))})
        try:
            grant = sessions.start(found, transport=HEADER, claims=self._list_claims())
        except Refusal as error:
            raise to_token_error(error) from None
        current = tokens.read_refresh_token(grant.refresh or "")
        logins.note_begun(current.facts.session_id)
        self._take(found, current)

    def _take(self, user: Any, current: tokens.RefreshToken) -> None:
        raise NotImplementedError

    def _find_login(self) -> tokens.SessionFacts:
        """Return the session of the token. A new token with the claim of a user's id starts a session now."""
        if self.login is None and self.token is None and api_settings.USER_ID_CLAIM in self.payload:
            user = legacy.find_user(self.payload)
            if user is not None:
                self._start(user)
        if self.login is None:
            raise TokenError(refusals.NO_USER)
        return self.login


class BlacklistMixin(Generic[T]):
    """Ends the session of a token."""

    if TYPE_CHECKING:
        token: Any
        payload: dict[str, Any]
        login: tokens.SessionFacts | None
        current: tokens.RefreshToken | None

    def verify(self, *args: Any, **kwargs: Any) -> None:
        """Check that the token is not blacklisted. A token of drf-tessera is already checked.

        A ``check_blacklist`` of the project's own is called for every token.
        """
        if self.login is None or type(self).check_blacklist is not BlacklistMixin.check_blacklist:
            self.check_blacklist()
        super().verify(*args, **kwargs)  # type: ignore[misc]  # the next class is a token

    def check_blacklist(self) -> None:
        """Check that the session has not ended.

        Raises:
            TokenError: the session has ended.
        """
        if self.login is None:
            ended = listing.is_blacklisted(str(self.payload.get(api_settings.JTI_CLAIM or "jti")))
        else:
            live = sessions.live_sessions(parse_sub(self.login.sub))
            ended = not live.filter(pk=self.login.session_id).exists()
        if ended:
            raise TokenError(_("Token is blacklisted"))

    def blacklist(self) -> tuple[BlacklistedToken, bool]:
        """End the session with all its tokens. Return the row, and whether this call ended the session.

        Without the app ``token_blacklist`` there is no row. A token that was never handed out has no session,
        and its row is not saved.
        """
        if self.login is not None:
            ended = sessions.revoke(self.login.session_id)
            return listing.note_end(self.login, getattr(self, "current", None)), ended
        jti = str(self.payload.get(api_settings.JTI_CLAIM or "jti"))
        if self.token is None:
            return listing.make_unsaved_end(self.payload, jti), False
        user, token = legacy.find_user(self.payload), reading.to_text(self.token)
        row, ended = listing.note_legacy_end(self.payload, token, jti, user)
        return row, ended

    def outstand(self) -> tuple[OutstandingToken, bool] | None:
        """Write the row of the session, if it is missing. Return the row and whether it is new."""
        current = getattr(self, "current", None)
        if current is None:
            return None
        user = find_user_by("pk", current.facts.sub)
        return None if user is None else listing.note_session(user, current)

    @classmethod
    def for_user(cls, user: AbstractBaseUser | TokenUser) -> Self:
        """Start a session for a user and return its token, as each token class does."""
        return super().for_user(user)  # type: ignore[misc,no-any-return]  # the next class is a token


class AccessToken(Token):
    """An access token that has been verified, or that will be signed."""

    token_type = "access"  # noqa: S105 - a kind of token
    lifetime = Lifetime("ACCESS_TOKEN_LIFETIME")
    verified: tokens.AccessToken | None = None
    """The verified token of drf-tessera; ``None`` for a token that simplejwt issued."""
    origin: RefreshToken | None = None
    """The refresh token that this token was made of."""

    @sensitive_variables()
    def _read(self, token: str) -> None:
        self._accept(token, reading.read_access(token, self.token_type))

    def _accept(self, token: str, found: reading.Found) -> None:
        self._payload.fill(found.claims)
        self.verified, self.login = found.verified, found.login
        if self.verified is None:
            self._signed = deepcopy(found.claims), token

    def _take(self, user: Any, current: tokens.RefreshToken) -> None:
        # Nothing can refresh this session, so it ends with the longest access token.
        longest = aware_utcnow() + api_settings.ACCESS_TOKEN_LIFETIME
        until = min(datetime_to_epoch(longest) + 1, current.facts.expires_at)
        shorter = sessions.shorten_refresh_token(current, from_timestamp(until))
        facts = replace(shorter.facts, claims={})
        listing.note_session(user, replace(current, facts=facts))
        self.login = facts

    @property
    def session_id(self) -> Any:
        """The id of the token's session; ``None`` for a token that simplejwt issued."""
        return self.login.session_id if self.login else None

    @sensitive_variables()
    def __str__(self) -> str:
        if self._is_unchanged():
            return reading.to_text(self.token)
        if self._signed is not None and self._signed[0] == self.payload:
            return self._signed[1]
        if self.login is None and self.token is not None:
            raise ImproperlyConfigured(refusals.UNCHANGED)
        token = self._sign()
        self._signed = deepcopy(dict(self.payload)), token
        return token

    def _is_unchanged(self) -> bool:
        found = self.verified
        if found is None:
            return False
        signed = {name: found[name] for name in found.claims}
        return all(self.payload.get(name) == value for name, value in signed.items()) and all(
            name in signed or name in {api_settings.USER_ID_CLAIM, api_settings.JTI_CLAIM}
            for name in self.payload
        )

    @sensitive_variables()
    def _sign(self) -> str:
        login, now = self._find_login(), datetime_to_epoch(aware_utcnow())
        limit = now + int(api_settings.ACCESS_TOKEN_LIFETIME.total_seconds()) + 1
        ends, issued = (count_seconds(self.payload[name]) for name in ("exp", "iat"))
        if ends > limit:
            raise ImproperlyConfigured(refusals.SHORT_ACCESS)
        if issued > now + 1:
            raise ImproperlyConfigured(refusals.LATER)
        login = self.origin.note_signed(ends) if self.origin is not None else login
        scope, jti = self.payload.get("scope", login.scope), self.payload.get(api_settings.JTI_CLAIM or "jti")
        claims = self._list_claims()
        if api_settings.JTI_CLAIM not in {None, "jti"}:
            claims[api_settings.JTI_CLAIM] = jti
        return sessions.sign_access_token(
            replace(login, expires_at=min(ends, login.expires_at), scope=scope),
            claims,
            now=from_timestamp(min(issued, now)),
            jti=jti,
        )


class RefreshToken(BlacklistMixin["RefreshToken"], Token):
    """The refresh token of a session. The constructor checks the token, and :meth:`rotate` spends it."""

    token_type = "refresh"  # noqa: S105 - a kind of token
    lifetime = Lifetime("REFRESH_TOKEN_LIFETIME")
    access_token_class: type[AccessToken] = AccessToken
    no_copy_claims: tuple[str, ...] = ("token_type", "exp", "jti", "iat")
    current: tokens.RefreshToken | None = None
    """The refresh token of drf-tessera. ``None`` for the handle of a session."""
    signed_until = 0
    """The latest end of the access tokens that were signed for this token, in seconds since the epoch."""

    def _begin(self) -> None:
        self._usual_end = int(time.time() + get_settings().session_idle_lifetime.total_seconds())
        super()._begin()

    @sensitive_variables()
    def _read(self, token: str) -> None:
        found = reading.read_refresh(token)
        self.current, self.login = found.current, found.login
        self._payload.fill(found.claims)

    def _take(self, user: Any, current: tokens.RefreshToken) -> None:
        chosen = count_seconds(self.payload["exp"])
        claims, self.current, self.login = dict(self.payload), current, current.facts
        self._payload.drop("jti")
        self._payload.fill({**claims, **reading.describe_session(current.facts)})
        if abs(chosen - self._usual_end) > 1:  # between the two clocks the second may have changed
            self.payload["exp"] = chosen
        listing.note_session(user, self.current)

    def admit(self, key: str, value: Any) -> Any:
        """Return the value to store for a claim that the project sets.

        A shorter life is written into the session.

        Raises:
            ImproperlyConfigured: no token can have this claim.
        """
        found, login = super().admit(key, value), self.login
        began = datetime_to_epoch(self.current_time) if login is None else login.auth_time
        if key in {"jti", api_settings.JTI_CLAIM} and (login is None or value != login.session_id.hex):
            raise ImproperlyConfigured(refusals.OWN_ID)
        if key == "iat" and count_seconds(value) != began:
            raise ImproperlyConfigured(refusals.LOGIN_TIME)
        if key == "exp" and login is None:
            self._check_end(count_seconds(value))
        return self._shorten(count_seconds(value)) if key == "exp" and login is not None else found

    def _check_end(self, until: int) -> None:
        now = datetime_to_epoch(aware_utcnow())
        if until > now + int(get_settings().session_idle_lifetime.total_seconds()) + 1:
            raise ImproperlyConfigured(refusals.ONE_LIFETIME)

    def _shorten(self, until: int) -> int:
        """Shorten the session to ``until``, and return the end that the session now has."""
        current, now = self.current, datetime_to_epoch(aware_utcnow())
        if current is not None and until == current.facts.expires_at:
            return until
        self._check_end(until)
        if current is None or self.token is not None or now < until < self.signed_until:
            raise ImproperlyConfigured(refusals.ONE_LIFETIME)
        if until <= now and self.signed_until:
            sessions.revoke(current.facts.session_id)  # its access tokens end too
        self.current = sessions.shorten_refresh_token(current, from_timestamp(max(until, 0)))
        self.login = self.current.facts
        return self.login.expires_at

    def set_iat(self, claim: str = "iat", at_time: datetime | None = None) -> None:
        """Set a time. The ``iat`` of a session's refresh token is the time of the login, and stays."""
        if claim != "iat" or at_time is not None or self.login is None:
            super().set_iat(claim, at_time)

    def note_signed(self, ends: int) -> tokens.SessionFacts:
        """Remember that an access token was signed that ends at ``ends``. Return the session as it is now."""
        facts = self._find_current().facts
        self.signed_until = max(self.signed_until, min(ends, facts.expires_at))
        return replace(facts, claims={})

    @property
    def access_token(self) -> AccessToken:
        """A new access token of the same session, with the claims of this refresh token."""
        facts = self._find_current().facts
        access = self.access_token_class()
        access.origin, access.login = self, replace(facts, claims={})
        skipped = {*self.no_copy_claims, api_settings.TOKEN_TYPE_CLAIM, api_settings.JTI_CLAIM}
        kept = {name: value for name, value in self.payload.items() if name not in skipped}
        access._payload.fill(kept)  # noqa: SLF001 - a token of this module
        return access

    def find_user(self) -> AbstractBaseUser | None:
        """Return the user of the session, or ``None`` if the user no longer exists."""
        return find_user_by("pk", self._find_login().sub)

    def _find_current(self) -> tokens.RefreshToken:
        self._find_login()
        if self.current is None:
            raise TokenError(refusals.HANDLE)
        return self.current

    @sensitive_variables()
    def __str__(self) -> str:
        if self.current is None and reading.to_text(self.token).startswith(HANDLE_PREFIX):
            return reading.to_text(self.token)
        scope = self.payload.get("scope")
        return sessions.rewrite_refresh_token(self._find_current(), self._list_claims(), scope=scope)

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
            raise reading.explain_refresh(error, token) from None

    def set_jti(self) -> None:
        """Refuse rotation by hand, because two holders of one token could both rotate the token.

        Raises:
            ImproperlyConfigured: the token came from a client.
        """
        if self.token is not None:
            raise ImproperlyConfigured(refusals.BY_HAND)
        if self.login is None:
            super().set_jti()


class UntypedToken(AccessToken):
    """A valid token of any type."""

    token_type = "untyped"  # noqa: S105 - a kind of token
    lifetime = timedelta(seconds=0)

    def verify_token_type(self) -> None:
        """Accept every type."""

    @sensitive_variables()
    def _read(self, token: str) -> None:
        self._accept(token, reading.read_any(token))


class SlidingToken(BlacklistMixin["SlidingToken"], Token):
    """A class that always refuses.

    A sliding token is its own refresh token, so every request would carry the token that renews itself.
    """

    token_type = "sliding"  # noqa: S105 - a kind of token
    lifetime = Lifetime("SLIDING_TOKEN_LIFETIME")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TokenError(refusals.SLIDING)


def _list_parts(kind: type) -> dict[str, Any]:
    return {
        name: part for name, part in vars(kind).items() if not name.startswith("__") or name == "__init__"
    }


_MADE = [(kind, _list_parts(kind)) for kind in (Token, BlacklistMixin, AccessToken, RefreshToken)]


def is_patched() -> bool:
    """Return whether a project has changed a class of this module, such as ``AccessToken.lifetime``."""
    return any(_list_parts(kind) != parts for kind, parts in _MADE)

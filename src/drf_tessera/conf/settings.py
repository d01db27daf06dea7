"""The ``TESSERA`` setting as one frozen, typed object that follows every change.

Call :func:`get_settings` inside functions, never while a module is being imported. The object is cached, and
dropped when Django's ``setting_changed`` reports a change. That is why ``override_settings`` works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial, update_wrapper
from threading import Lock
from typing import Any, Final, Generic, Literal, TypeVar

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.encoding import force_bytes

from drf_tessera.conf.foreign import TRANSLATORS, Translator, read_foreign
from drf_tessera.conf.issuers import READERS, Issuer
from drf_tessera.conf.keys import KeySource
from drf_tessera.conf.problems import name_marks, name_unknown, name_wrong
from drf_tessera.conf.tenants import (
    ByTenant,
    TenantOf,
    enter_request,
    find_automatically,
    find_name,
    find_schema,
    use_name,
)
from drf_tessera.conf.transports import COOKIE, PROFILES
from drf_tessera.conf.values import (
    DEFAULT_AUDIENCE,
    Lifetimes,
    Problem,
    Reader,
    WrongValueError,
)
from drf_tessera.exceptions import SettingsError
from drf_tessera.forks import after_fork, notice_fork
from drf_tessera.jose.keys import Key
from drf_tessera.rotation import Policy
from drf_tessera.texts import Text

T = TypeVar("T")

AUTHORIZATION: Final = "Authorization"
"""The usual header of a token (RFC 6750, section 2.1)."""

_WATCHED: Final = frozenset(
    {
        *("TESSERA", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "CACHES", "AUTH_USER_MODEL"),
        *("INSTALLED_APPS", "TENANT_APPS", "TENANT_TYPES"),  # they say whether django-tenants is used
    }
)
_choosing: Final = [Lock()]
"""Held for the choice between the values that two threads have built at once. Nothing is called meanwhile."""

after_fork(lambda: _choosing.__setitem__(0, Lock()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The project's choices. ``docs/reference/settings.md`` explains each name.

    The field names are the keys of ``TESSERA`` in lower case. The ``repr`` shows no secrets.
    """

    access_lifetime: timedelta = timedelta(minutes=5)
    session_idle_lifetime: timedelta = timedelta(days=14)
    session_lifetime: timedelta = timedelta(days=90)
    remember_me: Lifetimes | None = None
    refresh_grace: timedelta = timedelta(seconds=30)
    refresh_recoveries: int = 5
    clock_skew: timedelta = timedelta(seconds=5)
    max_sessions_per_user: int | None = None
    issuer: str | None = None
    audience: tuple[str, ...] = DEFAULT_AUDIENCE
    tenant: TenantOf | None = None
    header_name: str = AUTHORIZATION
    header_prefix: str = "Bearer"
    keys: tuple[Key | KeySource, ...] = ()
    key_rotation: timedelta | None = timedelta(days=90)
    jwks_max_age: timedelta = timedelta(hours=1)
    issuers: tuple[Issuer, ...] = ()
    introspection_clients: Mapping[str, str] = field(default_factory=dict, repr=False)
    resource: str | None = None
    claims: Callable[..., Mapping[str, Any]] | None = None
    challenge: Callable[..., Any] | None = None
    user: str = "lazy"
    user_fields: tuple[str, ...] = ()
    revocation_poll: timedelta = timedelta(seconds=1)
    revocation_max_staleness: timedelta = timedelta(seconds=30)
    revocation_cache: str | None = None
    profile: tuple[str, ...] = ("api",)
    access_cookie: bool = False
    cookie_path: str | None = None
    cookie_samesite: Literal["Lax", "Strict", "None"] = "Lax"
    cookie_secure: bool | None = None
    login_rate_per_account: str | None = "10/min"
    login_rate_per_account_everywhere: str | None = "100/hour"
    login_rate_per_address: str | None = "60/min"
    logins_at_once: int | None = 2
    token_rate_per_session: str | None = "600/min"  # noqa: S105 - a rate
    token_rate_per_address: str | None = "6000/min"  # noqa: S105 - a rate
    personal_token_scopes: tuple[str, ...] = ()
    personal_token_lifetime: timedelta = timedelta(days=365)
    legacy_tokens_until: datetime | None = None
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """``SECRET_KEY`` and then ``SECRET_KEY_FALLBACKS``; not a key of ``TESSERA``."""

    @property
    def reads_user(self) -> bool:
        """Return whether an access token needs more of the user's row than the primary key."""
        return self.claims is not None or bool(self.user_fields)

    @property
    def lifetimes(self) -> Lifetimes:
        """Return how long a session lasts, unless its login says otherwise."""
        return Lifetimes(idle=self.session_idle_lifetime, absolute=self.session_lifetime)

    @property
    def transports(self) -> tuple[str, ...]:
        """Return the transports that ``PROFILE`` offers. The first one is for clients that do not choose."""
        return tuple(PROFILES[name] for name in self.profile)

    @property
    def takes_legacy_tokens(self) -> bool:
        """Return whether tokens of other packages are still accepted."""
        return self.legacy_tokens_until is None or datetime.now(tz=UTC) < self.legacy_tokens_until

    def choose_policy(self, recoveries: int | None = None, *, idle: timedelta | None = None) -> Policy:
        """Return the policy of the refresh rule.

        Args:
            recoveries: another number than that of the setting.
            idle: the idle lifetime of the session, if it is not that of the setting.
        """
        forgiven = self.refresh_recoveries if recoveries is None else recoveries
        # A session that is used once in its idle limit must find its window closed.
        longest = (idle or self.session_idle_lifetime) / 2
        return Policy(grace=self.refresh_grace, recoveries=forgiven, longest=longest)


KEYS: Final = tuple(item.name.upper() for item in fields(Settings) if item.name != "secrets")
"""Every key that ``TESSERA`` may have."""

_cached: Settings | None = None


def get_settings() -> Settings:
    """Return the settings in force.

    Raises:
        SettingsError: some value is not valid. The message lists every problem.
    """
    global _cached  # noqa: PLW0603 - one slot, cleared by the signal below
    found = _cached
    if found is not None:
        return found
    settings, problems = read_settings()
    if problems:
        listed = "; ".join(f"{problem.id}: {problem.message}" for problem in problems)
        raise SettingsError(f"The TESSERA settings are not valid. {listed}")
    with _choosing[0]:
        found = _cached = _cached or settings
    return found


def forget_settings(*, setting: str, **kwargs: object) -> None:
    """Drop the cached settings when a setting changes that they are made of (``setting_changed``)."""
    global _cached  # noqa: PLW0603 - see get_settings
    if setting in _WATCHED or setting in TRANSLATORS:
        _cached = None


setting_changed.connect(forget_settings, dispatch_uid="drf_tessera.conf")


class PerSettings(Generic[T]):
    """Build a value from the settings once, and again when the settings change.

    The value is also dropped in a forked child, because the child may have inherited a lock held by a thread
    that does not exist in the child.
    """

    def __init__(self, make: Callable[[Settings], T]) -> None:
        self._make = make
        self._held: tuple[Settings, T] | None = None
        update_wrapper(self, make)
        after_fork(self.forget)

    def __call__(self) -> T:
        """Return the value for the settings in force.

        Raises:
            SettingsError: see :func:`get_settings`.
        """
        settings = _cached or get_settings()  # reading _cached first saves a call on every request
        held = self._held
        if held is None or held[0] is not settings:
            return self._choose(settings, self._make(settings))
        return held[1]

    def _choose(self, settings: Settings, value: T) -> T:
        """Return ``value``, or the value that another thread has built in the meantime.

        If each thread used its own value for a while, one would record in its own feed that a session has
        ended, and all others would ask the other feed.
        """
        with _choosing[0]:
            held = self._held
            if held is None or held[0] is not settings:
                held = self._held = settings, value
            return held[1]

    def forget(self) -> None:
        """Drop the value. The next call builds a new one."""
        self._held = None


def per_settings(make: Callable[[Settings], T]) -> PerSettings[T]:
    """Wrap ``make`` so that its value is built once for each :class:`Settings` object.

    Args:
        make: builds the value. It may be called by two threads at once; the first value is kept.
    """
    return PerSettings(make)


class PerTenant(PerSettings[T]):
    """Build a value once for each settings and tenant. Without ``TENANT`` this is :class:`PerSettings`."""

    def __init__(self, make: Callable[[Settings], T], name: Callable[[], str] | None = None) -> None:
        super().__init__(make)
        self._name = name
        self._by_tenant: tuple[Settings, ByTenant[T]] | None = None

    def __call__(self) -> T:
        """Return the value for the settings in force and the present tenant.

        Raises:
            SettingsError: see :func:`get_settings`.
            ProjectError: see :func:`current_tenant`.
        """
        settings = _cached or get_settings()
        if settings.tenant is not None:
            return self._find(settings, self._name() if self._name else find_name(settings.tenant))
        held = self._held
        if held is None or held[0] is not settings:
            return self._choose(settings, self._make(settings))
        return held[1]

    def _find(self, settings: Settings, name: str) -> T:
        held = self._by_tenant
        if held is None or held[0] is not settings:
            with _choosing[0]:
                held = self._by_tenant
                if held is None or held[0] is not settings:
                    held = self._by_tenant = settings, ByTenant()
        return held[1].find(name, lambda: self._make(settings))

    def forget(self) -> None:
        """Drop the values of all tenants. The next call of each tenant builds a new one."""
        super().forget()
        self._by_tenant = None


def per_tenant(make: Callable[[Settings], T]) -> PerTenant[T]:
    """Wrap ``make`` so that its value is built once for each :class:`Settings` object and each tenant.

    Everything that a process remembers about users, tokens and sessions is such a value, because a primary
    key is another person in another tenant. The values of at most :data:`MAX_TENANTS` tenants are kept.

    Args:
        make: builds the value. It may ask :func:`current_tenant`.
    """
    return PerTenant(make)


def per_group(name: Callable[[], str]) -> Callable[[Callable[[Settings], T]], PerTenant[T]]:
    """Wrap a function as :func:`per_tenant` does, for a value that several tenants share.

    Args:
        name: returns the name of the group to which the present tenant belongs. It is called for each use of
            the value if the project has tenants.
    """
    return partial(PerTenant, name=name)


# -- Tenants ---------------------------------------------------------------------------------------


def current_tenant() -> str:
    """Return the name of the present tenant. The name is empty without ``TENANT``.

    Inside a request, ``TENANT`` was called with the request. Elsewhere ``TENANT`` is called with ``None``.

    Raises:
        ProjectError: ``TENANT`` did not return a name.
    """
    find = get_settings().tenant
    return "" if find is None else find_name(find)


def enter_tenant(request: Any) -> None:
    """Use the tenant of a request until the request is over. ``TENANT`` is called once for each request.

    The authentication classes and the endpoints call this function. Code that uses tokens before them, such
    as a middleware, calls it first.

    Args:
        request: Django's own, or REST framework's.

    Raises:
        ProjectError: ``TENANT`` did not return a name.
    """
    notice_fork()  # before the request waits for a lock that a thread of the parent may have held
    find = (_cached or get_settings()).tenant
    if find is not None:
        enter_request(find, getattr(request, "_request", request))  # REST framework has Django's own inside


@contextmanager
def use_tenant(name: str) -> Iterator[None]:
    """Use a tenant inside the block, for a command or a job.

    With django-tenants the schema in use is the tenant, so its own ``schema_context`` is enough.

    Raises:
        SettingsError: ``TENANT`` is not set, or the project uses django-tenants.
        ProjectError: ``name`` is not a text, or is too long.
    """
    find = get_settings().tenant
    if find is None:
        raise SettingsError("use_tenant() needs TESSERA['TENANT'].")
    if find is find_schema:
        raise SettingsError("Use schema_context() of django-tenants in place of use_tenant().")
    with use_name(find, name):
        yield


@contextmanager
def as_tenant(name: str) -> Iterator[None]:
    """Use a tenant inside the block, in a thread that works for it and knows no request.

    With django-tenants this does nothing, because the connection of the thread has the schema in use.
    """
    find = get_settings().tenant
    with nullcontext() if find is None or find is find_schema else use_name(find, name):
        yield


# -- Reading ---------------------------------------------------------------------------------------


def translate_setting(name: str, translate: Translator, readers: Mapping[str, Reader] | None = None) -> None:
    """Read the setting of another package too. Its values count for keys that ``TESSERA`` does not have.

    Args:
        name: the name of a Django setting, such as ``SIMPLE_JWT``.
        translate: returns keys of ``TESSERA`` for the value of that setting. It is called every time that the
            settings are read.
        readers: check and convert the keys of that setting before the translation (see ``conf.READERS``).
    """
    TRANSLATORS[name] = (translate, readers or {})
    forget_settings(setting="TESSERA")


def read_settings() -> tuple[Settings, list[Problem]]:
    """Read the settings without the cache. Return them and their problems, which the system checks report.

    In the returned settings a value with a problem has its default.
    """
    raw = getattr(django_settings, "TESSERA", {})
    if not isinstance(raw, Mapping):
        return Settings(), [
            Problem(
                id="tessera.E001",
                message=Text(
                    "%(name)s must be a dict, not %(kind)s.", name="TESSERA", kind=type(raw).__name__
                ),
                hint=Text('Write TESSERA = {"ACCESS_LIFETIME": timedelta(minutes=5)}, or leave it out.'),
            )
        ]
    problems = [name_unknown(key, KEYS) for key in raw if key not in KEYS]
    others, source_of, wrong_others = read_foreign(raw)
    problems += wrong_others
    raw = {**others, **raw}
    values: dict[str, Any] = {}
    for key in KEYS:
        if key not in raw:
            continue
        try:
            values[key.lower()] = READERS[key](raw[key])
        except WrongValueError as wrong:
            problems.append(name_wrong(key, wrong, source_of.get(key)))
    if raw.get("TENANT") is None:
        values["tenant"] = find_automatically()
    secrets, wrong_secrets = _read_secrets()
    settings = Settings(**values, secrets=secrets)
    problems += wrong_secrets + _compare_lifetimes(settings) + _compare_cookies(settings)
    problems += name_marks(
        {key: raw[key] for key in KEYS if key in raw}, has_tenants=settings.tenant is not None
    )
    return settings, problems + _compare_issuers(settings)


def _read_secrets() -> tuple[tuple[bytes, ...], list[Problem]]:
    """Read ``SECRET_KEY`` and its fallbacks. Empty fallbacks are left out, because anybody can guess them."""
    fallbacks: Any = django_settings.SECRET_KEY_FALLBACKS
    listed = fallbacks if isinstance(fallbacks, list | tuple) else ()
    good = [secret for secret in listed if isinstance(secret, str | bytes) and secret]
    secrets = tuple(force_bytes(secret) for secret in (django_settings.SECRET_KEY, *good))
    if isinstance(fallbacks, list | tuple) and len(good) == len(listed):
        return secrets, []
    return secrets, [
        Problem(
            id="tessera.E015",
            message=Text("SECRET_KEY_FALLBACKS must be a list of strings that are not empty."),
            hint=Text("Remove the entries None and '', because they would be keys that everybody knows."),
        )
    ]


_ORDERED: Final = (
    ("REFRESH_GRACE", "SESSION_IDLE_LIFETIME"),
    ("ACCESS_LIFETIME", "SESSION_IDLE_LIFETIME"),
    ("SESSION_IDLE_LIFETIME", "SESSION_LIFETIME"),
    ("REVOCATION_POLL", "REVOCATION_MAX_STALENESS"),
    ("JWKS_MAX_AGE", "KEY_ROTATION"),
)


def _compare_lifetimes(settings: Settings) -> list[Problem]:
    pairs = [
        (short, getattr(settings, short.lower()), long, getattr(settings, long.lower()))
        for short, long in _ORDERED
    ]
    return [
        Problem(
            id="tessera.E004",
            message=Text(
                "TESSERA[%(short)r] (%(low)s) is longer than %(long)s (%(high)s).",
                **{"short": short, "low": low, "long": long, "high": high},
            ),
            hint=Text("Shorten %(short)s or lengthen %(long)s.", short=short, long=long),
        )
        for short, low, long, high in pairs
        if high is not None and low > high
    ]


def _compare_cookies(settings: Settings) -> list[Problem]:
    """Find settings of cookies that contradict each other."""
    found = []
    if settings.access_cookie and COOKIE not in settings.transports:
        text = Text(
            "TESSERA['ACCESS_COOKIE'] is on without 'browser' in TESSERA['PROFILE']: no cookie is read."
        )
        found.append((text, Text("Add 'browser' to PROFILE, or leave ACCESS_COOKIE out.")))
    if settings.cookie_secure is False and settings.cookie_samesite == "None":
        found.append(
            (
                Text("TESSERA['COOKIE_SAMESITE'] is 'None' without Secure, and browsers drop such cookies."),
                Text("Leave COOKIE_SECURE out."),
            )
        )
    return [Problem(id="tessera.E017", message=message, hint=hint) for message, hint in found]


def _compare_issuers(settings: Settings) -> list[Problem]:
    """Find another issuer that has the name of this server."""
    if settings.issuer not in {entry.issuer for entry in settings.issuers}:
        return []
    return [
        Problem(
            id="tessera.E040",
            message=Text(
                "TESSERA['ISSUERS'] has an entry for %(name)r, this server's own name.", name=settings.issuer
            ),
            hint=Text("Give TESSERA['ISSUER'] another value, or remove the entry."),
        )
    ]

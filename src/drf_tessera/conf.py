"""The ``TESSERA`` setting as one frozen, typed object, read live.

Call :func:`get_settings` inside functions, never while a module is being imported: the object is
cached, and thrown away whenever Django's ``setting_changed`` says so, which is what makes
``override_settings`` work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.encoding import force_bytes

from drf_tessera.exceptions import SettingsError
from drf_tessera.jose.keys import Key
from drf_tessera.readers import READERS, Reader, WrongValueError, suggest_key
from drf_tessera.rotation import Policy

DEFAULT_USER_SERIALIZER: Final = "drf_tessera.rest.serializers.UserSerializer"

_WATCHED: Final = frozenset({"TESSERA", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "CACHES", "AUTH_USER_MODEL"})
HEADER: Final = "header"
"""The transport of a refresh token in a body, beside an access token in the header."""
COOKIE: Final = "cookie"
"""The transport of a refresh token in a cookie that no script can read."""

_TRANSPORTS: Final = {"api": HEADER, "browser": COOKIE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with the settings: the id of its check, what, and what to do."""

    id: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the project chose. ``docs/reference/settings.md`` explains each name.

    The field names are the keys of ``TESSERA`` in lower case. Nothing secret is in the ``repr``.
    """

    access_lifetime: timedelta = timedelta(minutes=5)
    access_lifetime_jitter: timedelta = timedelta(0)
    session_idle_lifetime: timedelta = timedelta(days=14)
    session_lifetime: timedelta = timedelta(days=90)
    refresh_grace: timedelta = timedelta(seconds=30)
    refresh_recoveries: int = 5
    clock_skew: timedelta = timedelta(seconds=5)
    max_sessions_per_user: int | None = None
    issuer: str = "drf-tessera"
    audience: tuple[str, ...] = ("drf-tessera",)
    header_prefix: str = "Bearer"
    keys: tuple[Key, ...] = ()
    claims: Callable[..., Mapping[str, Any]] | None = None
    user: str = "lazy"
    user_fields: tuple[str, ...] = ()
    user_serializer: str = DEFAULT_USER_SERIALIZER
    revocation_poll: timedelta = timedelta(seconds=1)
    revocation_max_staleness: timedelta = timedelta(seconds=30)
    revocation_cache: str | None = None
    token_cache_size: int = 4096
    profile: tuple[str, ...] = ("api",)
    access_cookie: bool = False
    cookie_path: str | None = None
    cookie_samesite: Literal["Lax", "Strict", "None"] = "Lax"
    cookie_secure: bool | None = None
    cookie_partitioned: bool = False
    login_rate_per_account: str | None = "10/min"
    login_rate_per_address: str | None = "60/min"
    former_tokens_until: datetime | None = None
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """``SECRET_KEY`` and then ``SECRET_KEY_FALLBACKS``; not a key of ``TESSERA``."""

    @property
    def reads_user(self) -> bool:
        """Whether minting an access token needs the user's row, and not only its key."""
        return self.claims is not None or bool(self.user_fields)

    @property
    def transports(self) -> tuple[str, ...]:
        """How refresh tokens may travel; the first is for clients that do not say."""
        return tuple(_TRANSPORTS[name] for name in self.profile)

    @property
    def takes_former_tokens(self) -> bool:
        """Whether tokens of packages that came before are still taken."""
        return self.former_tokens_until is None or datetime.now(tz=UTC) < self.former_tokens_until

    def choose_policy(self, recoveries: int | None = None) -> Policy:
        """Give the policy of refreshing, with another number of ``recoveries`` if one is given."""
        forgiven = self.refresh_recoveries if recoveries is None else recoveries
        return Policy(grace=self.refresh_grace, recoveries=forgiven)


KEYS: Final = tuple(item.name.upper() for item in fields(Settings) if item.name != "secrets")
"""Every key that ``TESSERA`` may have."""

_cached: Settings | None = None


def get_settings() -> Settings:
    """Give the settings in force now.

    Raises:
        SettingsError: something in them cannot work; the message lists it all.
    """
    global _cached  # noqa: PLW0603 - one slot, cleared by the signal below
    if _cached is None:
        settings, problems = read_settings()
        if problems:
            listed = "; ".join(f"{problem.id}: {problem.message}" for problem in problems)
            raise SettingsError(f"The TESSERA settings are not valid. {listed}")
        _cached = settings
    return _cached


def forget_settings(*, setting: str, **kwargs: object) -> None:
    """Drop the cached settings when one that they are made of changes (``setting_changed``)."""
    global _cached  # noqa: PLW0603 - see get_settings
    if setting in _WATCHED or setting in _translators:
        _cached = None


setting_changed.connect(forget_settings, dispatch_uid="drf_tessera.conf")

_expecting = {"former tokens": False}


def expect_former_tokens() -> None:
    """Say that tokens of a package that came before may still be out: call it in ``AppConfig.ready``.

    From then on what ends all sessions of a user is noted for those tokens as well, although they have
    begun no session yet (:func:`drf_tessera.adoption.adopt`). A row for each such user.
    """
    _expecting["former tokens"] = True


def expects_former_tokens() -> bool:
    """Tell whether somebody has said so.

    Whatever ``FORMER_TOKENS_UNTIL`` says: that may be put off later.
    """
    return _expecting["former tokens"]


Translator = Callable[[Mapping[str, Any]], Mapping[str, Any]]
_translators: dict[str, tuple[Translator, Mapping[str, Reader]]] = {}


def translate_setting(name: str, translate: Translator, shapes: Mapping[str, Reader] | None = None) -> None:
    """Have another package's setting read, too: what it says counts where ``TESSERA`` is silent.

    Args:
        name: of Django's setting, such as ``SIMPLE_JWT``.
        translate: from its value to keys of ``TESSERA``. Called whenever the settings are read.
        shapes: how its keys are read (``drf_tessera.readers``), before they are translated.
    """
    _translators[name] = (translate, shapes or {})
    forget_settings(setting="TESSERA")


def _read_former(name: str, shapes: Mapping[str, Reader]) -> tuple[dict[str, Any], list[Problem]]:
    """Read another package's setting; what has a problem is left out."""
    raw: Any = getattr(django_settings, name, None) or {}
    if not isinstance(raw, Mapping):
        text = f"{name} must be a dict, not {type(raw).__name__}."
        return {}, [Problem(id="tessera.E020", message=text, hint="Or leave it out.")]
    good, problems = dict(raw), []
    for key in shapes.keys() & raw.keys():
        try:
            good[key] = shapes[key](raw[key])
        except WrongValueError as wrong:
            del good[key]
            text = f"{name}[{key!r}] {wrong}"
            problems.append(Problem(id="tessera.E020", message=text, hint=wrong.hint))
    return good, problems


def _read_others(own: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    """Collect what other packages' settings say in the words of ``TESSERA``; two must not contradict.

    Gives, besides, which setting says each key, and what is wrong.
    """
    found: dict[str, Any] = {}
    said_by: dict[str, str] = {}
    problems = []
    for name, (translate, shapes) in sorted(_translators.items()):
        raw, wrong = _read_former(name, shapes)
        problems += wrong
        for key, value in translate(raw).items():
            if key in found and found[key] != value and key not in own:
                problems.append(
                    Problem(
                        id="tessera.E019",
                        message=f"{said_by[key]} and {name} contradict each other about {key}.",
                        hint=f"Say which one counts: write {key} into TESSERA.",
                    )
                )
            found[key], said_by[key] = value, name
    return found, {key: name for key, name in said_by.items() if key not in own}, problems


def read_settings() -> tuple[Settings, list[Problem]]:
    """Read the settings afresh, with all that is wrong with them, for the system checks.

    A value with a problem is left at its default in the returned object.
    """
    raw = getattr(django_settings, "TESSERA", {})
    if not isinstance(raw, Mapping):
        return Settings(), [
            Problem(
                id="tessera.E001",
                message=f"TESSERA must be a dict, not {type(raw).__name__}.",
                hint='Write TESSERA = {"ACCESS_LIFETIME": timedelta(minutes=5)}, or leave it out.',
            )
        ]
    problems = [_name_unknown(key) for key in raw if key not in KEYS]
    others, said_by, wrong_others = _read_others(raw)
    problems += wrong_others
    raw = {**others, **raw}
    values: dict[str, Any] = {}
    for key in KEYS:
        if key not in raw:
            continue
        try:
            values[key.lower()] = READERS[key](raw[key])
        except WrongValueError as wrong:
            source, hint = "", wrong.hint
            if key in said_by:
                source = f" (from {said_by[key]})"
                hint += f" What TESSERA itself says goes before {said_by[key]}."
            problems.append(Problem(id=wrong.id, message=f"TESSERA[{key!r}]{source} {wrong}", hint=hint))
    secrets, wrong_secrets = _read_secrets()
    settings = Settings(**values, secrets=secrets)
    return settings, problems + wrong_secrets + _compare_lifetimes(settings) + _compare_cookies(settings)


def _read_secrets() -> tuple[tuple[bytes, ...], list[Problem]]:
    """Read ``SECRET_KEY`` and its fallbacks; a fallback that anybody could guess verifies nothing."""
    fallbacks: Any = django_settings.SECRET_KEY_FALLBACKS
    listed = fallbacks if isinstance(fallbacks, list | tuple) else ()
    good = [secret for secret in listed if isinstance(secret, str | bytes) and secret]
    secrets = tuple(force_bytes(secret) for secret in (django_settings.SECRET_KEY, *good))
    if isinstance(fallbacks, list | tuple) and len(good) == len(listed):
        return secrets, []
    return secrets, [
        Problem(
            id="tessera.E015",
            message="SECRET_KEY_FALLBACKS must be a list of texts that are not empty.",
            hint="An entry of None or '' would be a key that everybody knows. Leave out what is not set.",
        )
    ]


_FORMER: Final = {
    "ACCESS_TOKEN_LIFETIME": "ACCESS_LIFETIME",
    "EXPIRATION_DELTA": "ACCESS_LIFETIME",
    "REFRESH_TOKEN_LIFETIME": "SESSION_IDLE_LIFETIME",
    "REFRESH_LIFETIME": "SESSION_IDLE_LIFETIME",
    "REFRESH_EXPIRATION_DELTA": "SESSION_LIFETIME",
    "AUTH_HEADER_TYPES": "HEADER_PREFIX",
    "AUTH_HEADER_PREFIX": "HEADER_PREFIX",
    "SIGNING_KEY": "KEYS",
    "VERIFYING_KEY": "KEYS",
    "SECRET_KEY": "KEYS",
    "PRIVATE_KEY": "KEYS",
    "PUBLIC_KEY": "KEYS",
    "ALGORITHM": "KEYS",
    "LEEWAY": "CLOCK_SKEW",
    "PAYLOAD_HANDLER": "CLAIMS",
    "AUTH_COOKIE": "PROFILE",
    "AUTH_REFRESH_COOKIE": "PROFILE",
    "AUTH_COOKIE_SAMESITE": "COOKIE_SAMESITE",
    "AUTH_SAMESITE": "COOKIE_SAMESITE",
    "AUTH_SECURE": "COOKIE_SECURE",
    "AUTH_COOKIE_SECURE": "COOKIE_SECURE",
    "AUTH_COOKIE_PATH": "COOKIE_PATH",
    "AUTH_REFRESH_COOKIE_PATH": "COOKIE_PATH",
    "RESPONSE_PAYLOAD_HANDLER": "USER_SERIALIZER",
}
"""What people know from other packages, and what it is called here."""


def _name_unknown(key: object) -> Problem:
    former = _FORMER.get(str(key).upper().removeprefix("JWT_"))
    hint = f"Did you mean {former!r}?" if former else suggest_key(key, KEYS)
    return Problem(id="tessera.E002", message=f"TESSERA has no key {key!r}.", hint=hint)


_ORDERED: Final = (
    ("REFRESH_GRACE", "SESSION_IDLE_LIFETIME"),
    ("ACCESS_LIFETIME", "SESSION_IDLE_LIFETIME"),
    ("SESSION_IDLE_LIFETIME", "SESSION_LIFETIME"),
    ("REVOCATION_POLL", "REVOCATION_MAX_STALENESS"),
)


def _compare_lifetimes(settings: Settings) -> list[Problem]:
    pairs = [
        (short, getattr(settings, short.lower()), long, getattr(settings, long.lower()))
        for short, long in _ORDERED
    ]
    half = settings.access_lifetime / 2
    pairs.append(("ACCESS_LIFETIME_JITTER", settings.access_lifetime_jitter, "ACCESS_LIFETIME / 2", half))
    return [
        Problem(
            id="tessera.E004",
            message=f"TESSERA[{short!r}] ({low}) is longer than {long} ({high}).",
            hint=f"Shorten {short} or lengthen {long.partition(' ')[0]}.",
        )
        for short, low, long, high in pairs
        if low > high
    ]


def _compare_cookies(settings: Settings) -> list[Problem]:
    """Find what contradicts itself: a browser would drop such cookies, or nobody would read them."""
    found = []
    if settings.access_cookie and COOKIE not in settings.transports:
        found.append(
            (
                "TESSERA['ACCESS_COOKIE'] is on without 'browser' in TESSERA['PROFILE']: no cookie is read.",
                "Add 'browser' to PROFILE, or leave ACCESS_COOKIE out.",
            )
        )
    if settings.cookie_secure is False and settings.cookie_samesite == "None":
        found.append(
            (
                "TESSERA['COOKIE_SAMESITE'] is 'None' without Secure, and browsers drop such cookies.",
                "Leave COOKIE_SECURE out.",
            )
        )
    if settings.cookie_secure is False and settings.cookie_partitioned:
        found.append(
            (
                "TESSERA['COOKIE_PARTITIONED'] is on without Secure, and browsers drop such cookies.",
                "Leave COOKIE_SECURE out.",
            )
        )
    return [Problem(id="tessera.E017", message=message, hint=hint) for message, hint in found]

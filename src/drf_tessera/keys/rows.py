"""The keys in the database. This module is the only writer of their table.

Two servers may rotate at once. The number of a key is unique, so only one of two new keys gets it, and the
other server finds that key when it looks again. No row is locked. A change is a few statements, in an order
that leaves a key that signs after each of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any, Final, TypeVar

from django.db import Error, IntegrityError, ProgrammingError
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_variables

from drf_tessera.conf import DATABASE, PUBLIC_ALGORITHMS, KeySource, Settings, current_tenant, get_settings
from drf_tessera.database import MAX_ATTEMPTS, explain_trouble, find_database, persist, read_calmly, savepoint
from drf_tessera.exceptions import (
    DatabaseUnavailable,
    KeyMaterialError,
    ProjectError,
    TemporarilyUnavailable,
)
from drf_tessera.jose.algorithms import generate_jwk
from drf_tessera.jose.keys import Key
from drf_tessera.jose.life import NEVER, Life, Pace, Stage, find_end, find_retirement, find_stage
from drf_tessera.keys.sealing import reseal, seal, unseal
from drf_tessera.models import SigningKey
from drf_tessera.moments import from_timestamp, to_timestamp
from drf_tessera.texts import Text

T = TypeVar("T")

CLOCKS: Final = 60.0
"""Seconds by which the clocks of servers and of verifiers may differ."""

_DAY: Final = 86_400.0

LEAST_AGE: Final = 1.0
"""Seconds. No process reads the table more often than that, unless a token names an unknown key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One key of the database, and its life at a moment. Times are seconds since the epoch."""

    number: int
    kid: str
    alg: str
    stage: Stage
    public: str = field(repr=False)
    private: str = field(repr=False)
    """Encrypted."""
    life: Life
    published_at: float
    retires_at: float
    """``NEVER`` without a successor."""
    gone_at: float
    """``NEVER`` without a successor."""
    cached: float = 0
    """The longest ``JWKS_MAX_AGE`` that is known of its time, in seconds."""
    lifetime: float = 0
    """The longest ``ACCESS_LIFETIME`` that is known of its time, in seconds."""

    @sensitive_variables()
    def open(self, settings: Settings, tenant: str) -> Key:
        """Return the key with its private part.

        Raises:
            KeyMaterialError: ``SECRET_KEY`` is another one, or the row was damaged.
        """
        key = Key.from_jwk(open_private(self, settings, tenant), self.alg)
        if key.thumbprint != self.kid:
            raise KeyMaterialError(Text("The private key is not that of this row."))
        return key

    def read_public(self) -> Key:
        """Return the key without its private part.

        Raises:
            KeyMaterialError: the row was damaged.
        """
        return Key.from_jwk(json.loads(self.public), self.alg, self.kid)


@sensitive_variables()
def open_private(key: Listed, settings: Settings, tenant: str) -> dict[str, Any]:
    """Return the private JWK of a key.

    Raises:
        KeyMaterialError: ``SECRET_KEY`` is another one, or the row was damaged.
    """
    return unseal(key.private, settings.secrets, tenant)


def find_pace(settings: Settings, keys: Iterable[Listed | SigningKey] = ()) -> Pace:
    """Return how fast news of keys travels and how long tokens live, under these settings.

    Args:
        settings: the settings.
        keys: the keys of the table. They remember longer times: sets that were published before a setting
            was lowered are still used, and so are tokens.
    """
    kept = [key for key in keys if not isinstance(key, Listed) or key.stage is not Stage.GONE]
    poll = max(settings.revocation_poll.total_seconds(), LEAST_AGE)
    return Pace(
        read=poll + settings.revocation_max_staleness.total_seconds(),
        cached=max([settings.jwks_max_age.total_seconds(), *(key.cached for key in kept)]),
        lifetime=max([settings.access_lifetime.total_seconds(), *(key.lifetime for key in kept)]),
        skew=CLOCKS,
    )


def uses_database(settings: Settings) -> bool:
    """Return whether ``KEYS`` has an entry for the database."""
    return _find_source(settings) is not None


def _find_source(settings: Settings) -> KeySource | None:
    sources = (key for key in settings.keys if isinstance(key, KeySource))
    return next((source for source in sources if source.kind == DATABASE), None)


def list_keys(now: float | None = None) -> list[Listed]:
    """Return the keys of the present tenant in the database, oldest first.

    Raises:
        TemporarilyUnavailable: the database does not answer.
        ProjectError: the table is missing.
    """
    return _try(partial(read_calmly, partial(_list, time.time() if now is None else now)))


def rotate_keys(alg: str | None = None, *, if_due: bool = False) -> tuple[Listed, bool]:
    """Publish the next key, unless one is published already that does not sign yet.

    Return the key, and whether it is new. If nothing else signs, the key signs at once. Keys whose time is
    over are deleted, and the others are encrypted under the present ``SECRET_KEY``.

    Args:
        alg: the algorithm. By default that of ``KEYS``.
        if_due: publish a key only if ``KEY_ROTATION`` says so, or if there is none.

    Raises:
        TemporarilyUnavailable: the database does not answer.
        ProjectError: the table is missing, or ``KEYS`` has no entry for the database.
    """
    return _repeat(partial(_rotate, alg, if_due=if_due))


def retire_key(kid: str) -> Listed:
    """Publish the key that takes over from a key that signs, and return it.

    Raises:
        KeyMaterialError: there is no such key, or it does not sign.
        TemporarilyUnavailable, ProjectError: as for :func:`rotate_keys`.
    """
    found = _find(list_keys(), kid)
    if found.stage is not Stage.SIGNING:
        raise KeyMaterialError(
            Text(
                "The key %(kid)s is %(stage)s. Only a key that signs can be retired.",
                kid=kid,
                stage=found.stage,
            )
        )
    return rotate_keys()[0]


def revoke_key(kid: str) -> Listed | None:
    """Mark a stolen key as revoked. Return the key that signs from now on, if that is another one.

    The caller publishes the news. A second call does no harm.

    Raises:
        KeyMaterialError: there is no such key.
        TemporarilyUnavailable, ProjectError: as for :func:`rotate_keys`.
    """
    return _repeat(partial(_revoke, kid))


def tidy_keys() -> None:
    """Delete the keys whose time is over, and encrypt the others under the present ``SECRET_KEY``.

    Raises:
        TemporarilyUnavailable, ProjectError: as for :func:`rotate_keys`.
    """

    def tidy() -> None:
        now = time.time()
        _tidy(_list(now), now)

    _repeat(tidy)


def is_due(keys: Sequence[Listed], settings: Settings, now: float) -> bool:
    """Return whether the next key has to be published, so that it signs when ``KEY_ROTATION`` is over."""
    signing = next((key for key in keys if key.stage is Stage.SIGNING), None)
    if signing is None:
        return not any(key.stage is Stage.PUBLISHED for key in keys)
    if settings.key_rotation is None or signing.retires_at != NEVER:
        return False
    pace = find_pace(settings, keys)
    return now >= signing.life.signs_at + settings.key_rotation.total_seconds() - pace.delay


def find_overdue(keys: Sequence[Listed], settings: Settings, now: float) -> Listed | None:
    """Return the key that signs although its successor should have been published long ago, or ``None``.

    A job that runs once a week is not late yet if ``KEY_ROTATION`` is 90 days.
    """
    signing = next((key for key in keys if key.stage is Stage.SIGNING), None)
    if signing is None or settings.key_rotation is None:
        return None
    patience = max(_DAY, settings.key_rotation.total_seconds() / 10)
    return signing if is_due(keys, settings, now - patience) else None


def list_overdue() -> list[tuple[str, Listed]]:
    """Return the overdue key of each tenant whose keys are in the table, with the name of the tenant.

    Raises:
        TemporarilyUnavailable, ProjectError: see :func:`list_keys`.
    """
    now, settings = time.time(), get_settings()
    late = {tenant: find_overdue(found, settings, now) for tenant, found in list_all_keys(now).items()}
    return [(tenant, key) for tenant, key in late.items() if key is not None]


def list_all_keys(now: float | None = None) -> dict[str, list[Listed]]:
    """Return the keys of each tenant whose keys are in the table, oldest first, by the name of the tenant.

    Raises:
        TemporarilyUnavailable, ProjectError: see :func:`list_keys`.
    """
    moment = time.time() if now is None else now
    rows = _try(partial(read_calmly, lambda: list(_rows().order_by("tenant", "number"))))
    return {tenant: _describe(rows, moment, tenant) for tenant in dict.fromkeys(row.tenant for row in rows)}


# -- Reading ---------------------------------------------------------------------------------------


def _rows() -> QuerySet[SigningKey]:
    return SigningKey._default_manager.using(find_database())


def _list(now: float) -> list[Listed]:
    return _describe(list(_rows().filter(tenant=current_tenant()).order_by("number")), now)


def _describe(found: Sequence[SigningKey], now: float, tenant: str | None = None) -> list[Listed]:
    # A collation may take "a" for "A", and these are two tenants.
    tenant = current_tenant() if tenant is None else tenant
    rows = [row for row in found if row.tenant == tenant]
    lives = [
        Life(
            signs_at=to_timestamp(row.signs_at),
            revoked_at=NEVER if row.revoked_at is None else to_timestamp(row.revoked_at),
        )
        for row in rows
    ]
    pace = find_pace(get_settings(), rows)
    return [
        Listed(
            number=row.number,
            kid=row.kid,
            alg=row.alg,
            public=row.public,
            private=row.private,
            stage=find_stage(lives, index, pace, now),
            life=lives[index],
            published_at=to_timestamp(row.published_at),
            retires_at=find_retirement(lives, index),
            gone_at=find_end(lives, index, pace),
            cached=row.cached,
            lifetime=row.lifetime,
        )
        for index, row in enumerate(rows)
    ]


def _find(keys: Sequence[Listed], kid: str) -> Listed:
    """Return the key whose ``kid`` begins with a text, as the commands of git do.

    Raises:
        KeyMaterialError: there is not exactly one.
    """
    found = [key for key in keys if kid and key.kid.startswith(kid)]
    if len(found) != 1:
        raise KeyMaterialError(
            Text(
                "%(count)s keys of the database have a kid that begins with %(kid)r.",
                count=len(found),
                kid=kid,
            )
        )
    return found[0]


# -- Writing ---------------------------------------------------------------------------------------


def _read_second() -> float:
    """Return the present second. A database keeps fractions otherwise than a float does."""
    return float(int(time.time()))


def _rotate(alg: str | None, *, if_due: bool) -> tuple[Listed, bool]:
    now, settings = _read_second(), get_settings()
    found = list(_rows().filter(tenant=current_tenant()).order_by("number"))
    keys = _describe(found, now)
    pending = [key for key in keys if key.stage is Stage.PUBLISHED]
    if not pending and (not if_due or is_due(keys, settings, now)):
        waits = len(settings.keys) > 1 or any(key.stage is Stage.SIGNING for key in keys)
        number = _insert(found, alg, now, now + find_pace(settings, keys).delay if waits else now)
        _tidy(keys, now)
        return next(key for key in _list(now) if key.number == number), True
    _tidy(keys, now)
    return (pending or keys)[-1], False


def _revoke(kid: str) -> Listed | None:
    now = _read_second()
    found = list(_rows().filter(tenant=current_tenant()).order_by("number"))
    keys = _describe(found, now)
    stolen = _find(keys, kid)
    number = None
    if stolen.stage is Stage.SIGNING:
        number = _follow(
            found, keys, stolen, now
        )  # before the key is revoked, because then nothing would sign
    _rows().filter(tenant=current_tenant(), kid=stolen.kid).filter(revoked_at=None).update(
        revoked_at=from_timestamp(now), private=""
    )
    return next((key for key in _list(now) if key.number == number), None)


def _follow(found: Sequence[SigningKey], keys: Sequence[Listed], stolen: Listed, now: float) -> int:
    """Return the number of the key that signs from now on. It may be a new key."""
    pending = [key for key in keys if key.stage is Stage.PUBLISHED]
    if not pending:
        return _insert(found, stolen.alg, now, now)
    _rows().filter(tenant=current_tenant(), kid=pending[-1].kid).update(signs_at=from_timestamp(now))
    return pending[-1].number


@sensitive_variables()
def _insert(found: Sequence[SigningKey], alg: str | None, now: float, signs_at: float) -> int:
    settings, tenant = get_settings(), current_tenant()
    source = _find_source(settings)
    if source is None:
        raise ProjectError(Text('TESSERA["KEYS"] has no entry {"database": True}, so no key is kept there.'))
    alg = alg or source.alg
    if alg not in PUBLIC_ALGORITHMS:
        raise KeyMaterialError(
            Text("alg must be one of %(choices)s.", choices=", ".join(sorted(PUBLIC_ALGORITHMS)))
        )
    private = generate_jwk(alg)
    # The number is that of the caller's reading, so it is taken if another server has been faster. Tenants
    # that a collation takes for this one count, too.
    number = max((row.number for row in found), default=0) + 1
    with savepoint():
        _rows().create(
            tenant=tenant,
            number=number,
            kid=private["kid"],
            alg=alg,
            public=json.dumps(Key.from_jwk(private).public),
            private=seal(private, settings.secrets, tenant),
            published_at=from_timestamp(now),
            signs_at=from_timestamp(signs_at),
            **_read_ages(settings),
        )
    return number


def _tidy(keys: Sequence[Listed], now: float) -> None:
    """Delete the keys whose time is over, and encrypt the others under the present secret."""
    settings, tenant = get_settings(), current_tenant()
    pace, ages = find_pace(settings, keys), _read_ages(settings)
    for key in keys:
        over = key.gone_at if key.stage is not Stage.REVOKED else key.life.revoked_at + pace.rest
        row = _rows().filter(tenant=tenant, kid=key.kid)
        if key.stage in (Stage.GONE, Stage.REVOKED) and now >= over:
            row.delete()
        elif key.private:
            fresh = reseal(key.private, settings.secrets, tenant)
            if fresh is not None:
                row.filter(private=key.private).update(private=fresh)
        if key is keys[-1]:
            for name, seconds in ages.items():
                if getattr(key, name) < seconds:
                    row.filter(**{f"{name}__lt": seconds}).update(**{name: seconds})


def _read_ages(settings: Settings) -> dict[str, int]:
    """Return the times of the settings that a key remembers, in whole seconds."""
    pace = find_pace(settings)
    return {"cached": ceil(pace.cached), "lifetime": ceil(pace.lifetime)}


def _repeat(action: Callable[[], T]) -> T:
    """Call ``action``, and again if another server was faster.

    There is no transaction around the action: SQLite refuses one that reads before it writes, and the number
    of a key tells whether the reading is still true.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            return _try(partial(persist, action, repeatable=False))
        except IntegrityError:
            continue
    raise TemporarilyUnavailable(gettext_noop("Other servers change the keys all the time; try again."))


def _try(action: Callable[[], T]) -> T:
    """Call ``action``, and translate errors of the database."""
    try:
        return action()
    except IntegrityError:
        raise
    except Error as error:
        broken = isinstance(error, TransactionManagementError)
        if (isinstance(error, ProgrammingError) and not broken) or "no such table" in str(error):
            raise ProjectError(
                f"The table {SigningKey._meta.db_table} cannot be read. Run 'manage.py migrate'. ({error})"
            ) from error
        raise explain_trouble(error) or DatabaseUnavailable() from error

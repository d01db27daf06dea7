"""The keys that this process knows, and which of them signs at the moment.

No request asks the database for keys. The worker of the feed reads them again when a notice says that they
have changed, and once a minute in any case. Before a login they are read again at most once per
``REVOCATION_POLL``, because a process that was idle may not know that another key signs now. A token with
an unknown key has the same effect. A thread of the crew does this too, because the database may hang
(:mod:`drf_tessera.workers`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from django.apps import AppConfig
from django.db import router
from django.db.models.signals import post_migrate

from drf_tessera.conf import (
    DATABASE,
    DERIVED,
    KeySource,
    Settings,
    as_tenant,
    current_tenant,
    get_settings,
    per_tenant,
)
from drf_tessera.database import after_transaction, find_database, has_table, is_in_transaction
from drf_tessera.exceptions import KeyMaterialError, KeysUnavailable, TemporarilyUnavailable
from drf_tessera.jose.keys import Key, KeyRing
from drf_tessera.jose.life import NEVER, Stage, find_next_change, find_stage
from drf_tessera.keys.files import KeyFile
from drf_tessera.keys.rows import LEAST_AGE, Listed, find_overdue, find_pace, list_keys, rotate_keys
from drf_tessera.keys.sealing import derive
from drf_tessera.models import SigningKey
from drf_tessera.workers.readers import ANY_TIME, RowReader

logger: Final = logging.getLogger(__name__)

REREAD: Final = 60.0
"""Seconds after which the worker reads the table again, if the news of a change was lost."""

_ACCESS_LABEL: Final = b"drf_tessera access token HS256"


_books: Final[WeakSet[Book]] = WeakSet()
"""The books of all tenants."""


class State(NamedTuple):
    """The ring for a span of time, in seconds since the epoch."""

    ring: KeyRing
    since: float
    until: float


class Book:
    """The keys of one tenant, as far as one process knows. Several threads may use it."""

    def __init__(self, settings: Settings, tenant: str) -> None:
        self._settings = settings
        self.tenant: str = tenant
        self._pace = find_pace(settings)
        self._poll = max(settings.revocation_poll.total_seconds(), LEAST_AGE)
        self._files = {
            key.path: KeyFile(key.path)
            for key in settings.keys
            if isinstance(key, KeySource) and key.path is not None
        }
        self._fixed = self._load_fixed()
        self._in_database = any(_is_of(key, DATABASE) for key in settings.keys)
        self._listed: list[Listed] | None = None
        self._opened: dict[str, Key] = {}
        self._state: State | None = None
        self._lock = Lock()
        """Guards the knowledge. It is never held during a query, because the database may hang."""
        self._reader = RowReader(
            self._look,
            poll=settings.revocation_poll.total_seconds(),
            staleness=settings.revocation_max_staleness.total_seconds(),
        )
        self._read_at = self._looked_at = ANY_TIME
        self._changed, self._warned_of = False, ""
        _books.add(self)

    def _load_fixed(self) -> dict[int, list[Key]]:
        """Return the keys that stay the same, by the place of their entry."""
        entries = self._settings.keys or (KeySource(kind=DERIVED),)
        found: dict[int, list[Key]] = {}
        for place, entry in enumerate(entries):
            if isinstance(entry, Key):
                found[place] = [entry]
            elif entry.kind == DERIVED:
                found[place] = list(_derive_keys(self._settings.secrets, self.tenant))
            elif entry.make is not None:
                found[place] = [_make_signing(entry)]
        return found

    def find(self) -> KeyRing:
        """Return the ring of this moment. Usually this costs a comparison of two times.

        Raises:
            KeysUnavailable: the keys were never read, and cannot be read now.
        """
        state = self._state
        if state is not None and (state.until == NEVER or state.since <= time.time() < state.until):
            return state.ring
        if self._in_database and self._listed is None:
            before = self._looked_at
            try:
                self._reader.read()
                self._looked_at = before  # a test case may end, and roll its keys back, within a poll
            except TemporarilyUnavailable as error:
                raise KeysUnavailable from error
        with self._lock:
            return self._renew()

    def refresh(self, age: float | None = None) -> None:
        """Read the keys again if the knowledge is older than ``age`` seconds. By default, one poll.

        If the database does not answer, the old knowledge is used for ``REVOCATION_MAX_STALENESS``.

        Raises:
            TemporarilyUnavailable: the knowledge is older than that.
        """
        if not self._in_database and not self._files:
            return
        limit, now = self._poll if age is None else age, time.monotonic()
        if 0 <= now - self._looked_at <= limit:
            return
        try:
            if self._in_database:
                self._reader.read(now - limit)
            else:
                self._look()
        except TemporarilyUnavailable:
            if self._listed is None or time.monotonic() - self._read_at > self._pace.read:
                raise

    def _look(self) -> None:
        """Read the table and the files, and compute the ring."""
        began = time.monotonic()
        try:
            self._read()
            with self._lock:
                self._renew()
        finally:
            self._looked_at = began

    @property
    def is_known(self) -> bool:
        """Return whether the keys of this tenant come from the table, and were read."""
        return self._in_database and self._listed is not None

    def mark_changed(self) -> None:
        """Record that the table has changed."""
        self._changed = True

    def forget(self) -> None:
        """Drop the keys of the table. The next call reads them."""
        with self._lock:
            self._listed = self._state = None
            self._opened.clear()
            self._read_at = self._looked_at = ANY_TIME
        self._reader.forget()

    def catch_up(self) -> None:
        """Read the table if it has changed, or was not read for a minute. The worker of the feed calls this.

        Raises:
            TemporarilyUnavailable: the database does not answer. The next call tries again.
        """
        if not self.is_known:
            return  # the first request reads it
        if not self._changed and 0 <= time.monotonic() - self._read_at <= REREAD:
            return
        self._changed = False  # no request does this, because its own reading may hang
        try:
            self._read()
        except BaseException:
            self._changed = True
            raise
        with suppress(KeysUnavailable), self._lock:  # the requests of this tenant say so, and no others
            self._renew()

    def _read(self) -> None:
        if not self._in_database:
            return
        began = time.monotonic()
        with as_tenant(self.tenant):
            listed = list_keys() or self._make_first()
        with self._lock:
            # A reading that hung for a while knows less than a later one. A test may have set the clock back.
            if not began < self._read_at <= time.monotonic():
                self._listed, self._read_at = listed, began
                self._pace = find_pace(self._settings, listed)
        self._warn()

    def _warn(self) -> None:
        """Log once that nobody rotates the keys."""
        late = find_overdue(self._listed or (), self._settings, time.time())
        if late is not None and late.kid != self._warned_of:
            self._warned_of = late.kid
            logger.warning(
                "The key %s has signed for longer than KEY_ROTATION. Run 'manage.py tessera_keys rotate "
                "--if-due' by cron.",
                late.kid,
            )

    def _make_first(self) -> list[Listed]:
        """Create the first key, unless another key signs until an operator makes one."""
        if len(self._settings.keys) > 1:
            return []
        rotate_keys(if_due=True)
        if is_in_transaction():
            after_transaction(self.mark_changed)  # a rollback may take the key away
        return list_keys()

    # -- Under the lock ------------------------------------------------------------------------------------

    def _renew(self) -> KeyRing:
        """Compute the ring of this moment."""
        now = time.time()
        for file in self._files.values():
            file.look()
        known: dict[str, tuple[Key, bool]] = {}
        for key, signs in self._list(now):
            known.pop(key.kid, None)  # a key may be in two places, and the last one counts
            known[key.kid] = key, signs
        ring = KeyRing(
            [key for key, _ in known.values()],
            next((key for key, signs in reversed(known.values()) if signs), None),
        )
        before = self._state
        if before is not None and before.ring.keys == ring.keys and before.ring.signing == ring.signing:
            ring = before.ring
        self._state = State(ring, now, self._find_end(now))
        if before is None and not ring.keys:
            self._state = None
            raise KeysUnavailable
        return ring

    def _find_end(self, now: float) -> float:
        lives = [item.life for item in self._listed or ()]
        change = find_next_change(lives, self._pace, now)
        return min(change, now + self._poll) if self._files else change

    def _list(self, now: float) -> Iterator[tuple[Key, bool]]:
        """Yield each key in force, oldest first, and whether it may sign."""
        for place, entry in enumerate(self._settings.keys or (None,)):
            if place in self._fixed:
                for key in self._fixed[place]:
                    yield key, key.can_sign
            elif isinstance(entry, KeySource) and entry.path is not None:
                for key in self._files[entry.path].keys:
                    yield key, key.can_sign
            else:
                yield from self._list_stored(now)

    def _list_stored(self, now: float) -> Iterator[tuple[Key, bool]]:
        listed = self._listed or []
        lives = [item.life for item in listed]
        for index, item in enumerate(listed):
            stage = find_stage(lives, index, self._pace, now)
            if stage in (Stage.GONE, Stage.REVOKED):
                self._opened.pop(item.kid, None)
                continue
            key = self._opened.get(item.kid)
            if key is None:
                key = self._open(item)
            if key is not None:
                self._opened[item.kid] = key
                yield key, key.can_sign and stage is Stage.SIGNING

    def _open(self, item: Listed) -> Key | None:
        """Return a key with its private part if that can be decrypted, and without it otherwise."""
        try:
            return item.open(self._settings, self.tenant)
        except KeyMaterialError as error:
            logger.warning("The key %s cannot sign. %s", item.kid, error.detail)
        try:
            return item.read_public()
        except (KeyMaterialError, ValueError):
            return None


def _is_of(key: object, kind: str) -> bool:
    return isinstance(key, KeySource) and key.kind == kind


def _make_signing(entry: KeySource) -> Key:
    """Return the key of a signer of the project.

    Raises:
        KeysUnavailable: the signer cannot be used at the moment.
    """
    try:
        return Key.from_signer(entry.make())  # type: ignore[misc]  # the caller has looked
    except Exception as error:
        logger.exception("The signer of TESSERA['KEYS'] cannot be used.")
        raise KeysUnavailable from error


def _derive_keys(secrets: tuple[bytes, ...], tenant: str) -> Iterator[Key]:
    """Derive one key from each secret, the present one last, because a ring's newest key signs."""
    for secret in reversed(list(dict.fromkeys(secrets))):
        yield Key.from_secret(derive(secret, _ACCESS_LABEL, tenant))


@per_tenant
def find_book(settings: Settings) -> Book:
    """Return the keys that this process knows for the present tenant."""
    return Book(settings, current_tenant())


def connect(config: AppConfig) -> None:
    """Create the first key after ``migrate`` and ``flush``. The app calls this once, when it is ready."""
    post_migrate.connect(_follow_migrate, sender=config, dispatch_uid="drf_tessera.keys")


def _follow_migrate(*, using: str, **kwargs: Any) -> None:
    """Create the first key, and forget the keys of a table that was flushed between two tests."""
    for book in list(_books):
        book.forget()
    settings = get_settings()
    if (
        len(settings.keys) != 1
        or not _is_of(settings.keys[0], DATABASE)
        or using != find_database()
        or not router.allow_migrate_model(using, SigningKey)
        or not has_table(using, SigningKey)
    ):
        return
    rotate_keys(if_due=True)

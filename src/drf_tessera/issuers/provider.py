"""The keys of one issuer: fetched rarely, kept through outages, by one thread at a time.

A request waits for the provider only if the keys that are known cannot decide: none are known yet, or the
token names another one. Known keys are renewed by a thread of their own. So a provider that is slow or down
delays nobody whose key is known, and a flood of forged tokens makes one fetch in ``COOLDOWN``.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Final

from drf_tessera.conf import Issuer, is_loopback, is_safe_address
from drf_tessera.exceptions import IssuerUnavailable, TokenKeyUnknown, TokenUnsupported
from drf_tessera.issuers.fetching import WHOLE_TIME, Answer, FetchError, fetch
from drf_tessera.issuers.published import KeySet, KeySetError, read_key_set
from drf_tessera.jose.encoding import EncodingError, decode_json_object
from drf_tessera.jose.keys import Key

logger: Final = logging.getLogger(__name__)

COOLDOWN: Final = 30.0
"""Seconds between two fetches because of unknown keys."""

RETRY: Final = 10.0
"""Seconds for which a failure is remembered."""

USUAL, SHORTEST, LONGEST = 3600.0, 300.0, 21_600.0
"""Seconds until known keys are renewed: if the answer does not say, at least, and at most."""

KEPT: Final = 86_400.0
"""Seconds for which keys are used that could not be renewed.

The limit exists, because a provider withdraws a stolen key by publishing a set without it.
"""

_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])", re.IGNORECASE)
_NEVER: Final = float("-inf")


class Provider:
    """The keys of one issuer, as far as one process knows. Several threads may use it."""

    def __init__(self, issuer: Issuer, get: Callable[[str], Answer] = fetch) -> None:
        self._issuer = issuer
        self._get = get
        self._known: KeySet | None = None
        self._lock = Lock()
        self._jwks_uri = issuer.jwks_uri
        self._tries = 0
        self._renew_at = _NEVER
        self._drop_at = _NEVER
        self._ask_again_at = _NEVER
        """Until then a failure is remembered."""
        self._look_again_at = _NEVER
        """Until then an unknown key stays unknown."""
        self._failing = False

    def find(self, kid: str | None, alg: str) -> tuple[Key, ...]:
        """Return the keys that a token with these two may be signed by.

        Raises:
            TokenUnsupported: the algorithm is not accepted, or not the one of this key.
            TokenKeyUnknown: the issuer has no such key.
            IssuerUnavailable: nobody knows, because the issuer does not answer.
        """
        if alg not in self._issuer.algorithms:
            raise TokenUnsupported  # before anything is fetched
        tries = self._tries
        known = self._get_known()
        if known is None:
            known = self._wait(tries)
        try:
            return known.find(kid, alg)
        except TokenKeyUnknown:
            if not self._failing and time.monotonic() < self._look_again_at and self._tries == tries:
                raise
        return self._wait(tries, for_unknown=True).find(kid, alg)

    def _get_known(self) -> KeySet | None:
        """Return the known keys, and have them renewed in the background if that is due."""
        known, now = self._known, time.monotonic()
        if known is None or now < self._renew_at:
            return known
        if now >= self._drop_at:
            return None
        if now >= self._ask_again_at and self._lock.acquire(blocking=False):
            self._renew_at = now + RETRY  # the next request need not try, even if the thread fails
            Thread(target=self._renew, name="drf-tessera issuers", daemon=True).start()
        return known

    def _renew(self) -> None:
        try:
            self._ask()
        finally:
            self._lock.release()

    def _wait(self, tries: int, *, for_unknown: bool = False) -> KeySet:
        """Return the keys after a fetch, of this thread or another, that the caller has not seen the end of.

        Raises:
            IssuerUnavailable: the fetch failed, now or a short time ago.
        """
        if self._tries == tries and time.monotonic() < self._ask_again_at:
            raise self._explain()
        # Two fetches: a discovery document and a key set. In an outage only one thread at a time waits.
        if not self._lock.acquire(timeout=0 if self._failing else 2 * WHOLE_TIME):
            raise self._explain()
        try:
            if self._tries == tries:
                if for_unknown:
                    self._look_again_at = time.monotonic() + COOLDOWN
                self._ask()
        finally:
            self._lock.release()
        if self._failing or self._known is None:
            raise self._explain()
        return self._known

    def _explain(self) -> IssuerUnavailable:
        return IssuerUnavailable(round(max(1.0, self._ask_again_at - time.monotonic())))

    def _ask(self) -> None:
        """Fetch the keys. The caller holds the lock."""
        try:
            answer = self._get(self._find_jwks_uri())
            found = read_key_set(answer.body, self._issuer.algorithms)
        except (FetchError, KeySetError) as error:
            self._fail(error)
        else:
            self._learn(found, answer)
        self._tries += 1

    def _find_jwks_uri(self) -> str:
        """Return where the keys are (OpenID Connect Discovery, section 4)."""
        if self._jwks_uri is not None:
            return self._jwks_uri
        name = self._issuer.issuer
        try:
            found = decode_json_object(self._get(f"{name.rstrip('/')}/.well-known/openid-configuration").body)
        except EncodingError:
            raise FetchError("The discovery document is not JSON.") from None
        if found.get("issuer") != name:
            raise FetchError("The discovery document is of another issuer.")
        place = found.get("jwks_uri")
        # A provider elsewhere must not make this server ask itself.
        if not isinstance(place, str) or not is_safe_address(place) or is_loopback(place) > is_loopback(name):
            raise FetchError("The discovery document names no acceptable address of keys.")
        self._jwks_uri = place
        return place

    def _fail(self, error: Exception) -> None:
        now = time.monotonic()
        self._ask_again_at = now + RETRY
        self._jwks_uri = self._issuer.jwks_uri  # perhaps the keys have moved
        if not self._failing:
            self._failing = True
            logger.error("The keys of %s cannot be read. %s", self._issuer.issuer, error)
        if self._known is not None and now >= self._drop_at:
            self._known = None

    def _learn(self, found: KeySet, answer: Answer) -> None:
        now = time.monotonic()
        told = _MAX_AGE.search(answer.cache_control)
        seconds = min(max(float(told[1]), SHORTEST), LONGEST) if told else USUAL
        self._known, self._renew_at, self._drop_at = found, now + seconds, now + KEPT
        self._ask_again_at = _NEVER
        if self._failing:
            self._failing = False
            logger.warning("The keys of %s can be read again.", self._issuer.issuer)


class Given:
    """The keys that the settings have. Nothing is fetched."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._known = KeySet((key.kid, key) for key in issuer.keys)

    def find(self, kid: str | None, alg: str) -> tuple[Key, ...]:
        """Return the keys that a token with these two may be signed by.

        Raises:
            TokenUnsupported, TokenKeyUnknown: as for :class:`Provider`.
        """
        if alg not in self._issuer.algorithms:
            raise TokenUnsupported
        return self._known.find(kid, alg)

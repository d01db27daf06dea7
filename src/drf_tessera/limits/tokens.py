"""The limits of refreshes, verifications and logouts. No honest client meets them.

A request with an authentic token counts for its session, and any other request counts for its address. So the
many clients behind one address do not share a limit, as long as their tokens are authentic.

These limits are counted in lots: a process adds its count to the shared one after a tenth of the limit. So a
usual refresh asks no cache, and each further process exceeds the limit by a tenth at most.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from drf_tessera.conf import get_settings
from drf_tessera.limits.counters import Budget, Reservation, read_rate, refund_all, reserve_all
from drf_tessera.limits.logins import list_address_keys

_LOTS: Final = 10
"""How many lots make up a limit."""


class TokenRequest:
    """One request to an endpoint for tokens: counted for its address, until its session is known."""

    __slots__ = ("_held", "_kind")

    def __init__(self, kind: str, address: str | None) -> None:
        """Count the request for its address.

        Args:
            kind: the endpoint. Each kind has limits of its own.
            address: the client's address, or ``None`` if it is not known.

        Raises:
            TooManyAttempts: the limit of the address is reached.
        """
        self._kind = kind
        self._held: list[Reservation] = reserve_all(self._list_address_budgets(address))

    def count_for(self, session_id: UUID) -> None:
        """Count the request for the session of its token, and no longer for its address.

        Raises:
            TooManyAttempts: the limit of the session is reached.
        """
        refund_all(self._held)
        rate = get_settings().token_rate_per_session
        if rate is not None:
            self._held = reserve_all([self._make("token_rate_per_session", str(session_id), rate)])

    def _list_address_budgets(self, address: str | None) -> list[Budget]:
        rate = get_settings().token_rate_per_address
        if rate is None:
            return []
        keys = list_address_keys(address)
        return [self._make("token_rate_per_address", key, rate, factor) for key, factor in keys]

    def _make(self, name: str, key: str, rate: str, factor: int = 1) -> Budget:
        number, seconds = read_rate(rate)
        limit = number * factor
        return Budget(
            name=name, key=f"{self._kind} {key}", limit=limit, seconds=seconds, lot=max(1, limit // _LOTS)
        )

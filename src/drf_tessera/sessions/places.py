"""The places where a user has logged in before: networks and devices. Reads only."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import QuerySet

from drf_tessera.models import Session
from drf_tessera.networks import UNKNOWN, name_network
from drf_tessera.sessions import rows

MOST: Final = 500
"""How many of the latest sessions are looked at."""


def has_logged_in_from(users: QuerySet[Any], network: str) -> bool:
    """Return whether one of these users has logged in from this network. One query.

    Every session counts, whether it has ended or not, as long as its row exists. Nobody has logged in from
    the network of the clients without an address.
    """
    if network == UNKNOWN:
        return False
    logins = rows.select_sessions().filter(personal=False, ip__isnull=False)
    found = logins.filter(user_id__in=users.order_by().values("pk"))
    addresses = found.order_by("-created_at").values_list("ip", flat=True)[:MOST]
    return any(name_network(str(address)) == network for address in set(addresses))


class News(NamedTuple):
    """The things about a login that are new to its user."""

    network: bool
    """Whether no earlier session has this network. A network without an address is not new."""
    device: bool
    """Whether no earlier session has this device."""
    previous: Session | None
    """The earlier session that was used last, if it came from another network."""


def find_news(session: Session) -> News:
    """Compare a login with the earlier sessions of its user. One query."""
    logins = rows.select_sessions().filter(personal=False, user_id=session.user_id)
    earlier = logins.exclude(pk=session.pk)
    found = list(earlier.only("ip", "device", "created_at", "rotated_at").order_by("-created_at")[:MOST])
    network = name_network(session.ip)
    known = {name_network(address) for address in {row.ip for row in found} if address is not None}
    latest = max(found, key=lambda row: row.last_used_at, default=None)
    networks = {network, name_network(None if latest is None else latest.ip)}
    moved = UNKNOWN not in networks and len(networks) == 2
    return News(
        network=network != UNKNOWN and network not in known,
        device=session.device not in {row.device for row in found},
        previous=latest if moved else None,
    )

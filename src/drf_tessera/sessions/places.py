"""The places where a user has logged in before: networks and devices. Reads only."""

from __future__ import annotations

from typing import Any, Final

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


def find_news(session: Session) -> tuple[bool, bool]:
    """Return whether no earlier session of the user has this network, and none has this device.

    One query. A network without an address is not new.
    """
    logins = rows.select_sessions().filter(personal=False, user_id=session.user_id)
    earlier = logins.exclude(pk=session.pk)
    found = list(earlier.order_by("-created_at").values_list("ip", "device")[:MOST])
    network = name_network(session.ip)
    known = {name_network(address) for address in {ip for ip, _ in found} if address is not None}
    new_network = network != UNKNOWN and network not in known
    return new_network, session.device not in {device for _, device in found}

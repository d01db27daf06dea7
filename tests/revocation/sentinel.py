"""A cache on the primary that Redis Sentinel names, as projects write it."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.sentinel import Sentinel


class SentinelClient(RedisCacheClient):
    """``LOCATION`` is ``redis://host:port/name`` with the address of the sentinel and the primary's name."""

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        address, _, name = self._servers[0].removeprefix("redis://").partition("/")
        host, _, port = address.partition(":")
        return Sentinel([(host, int(port))], socket_timeout=1).master_for(name, socket_timeout=1)


class SentinelCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = SentinelClient

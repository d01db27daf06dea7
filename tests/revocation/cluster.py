"""A cache on a Redis Cluster, as projects write it. `docs/howto/deploy.md` names this file."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.cluster import RedisCluster


class ClusterClient(RedisCacheClient):
    """``LOCATION`` is the address of one node, which names the others."""

    @cached_property
    def _cluster(self) -> Any:
        return RedisCluster.from_url(self._servers[0], socket_timeout=1, socket_connect_timeout=1)

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        return self._cluster

    def set_many(self, data: dict[str, Any], timeout: int | None) -> None:
        """Set each key by a command of its own, because this driver has no MSET in a pipeline."""
        pipeline = self._cluster.pipeline()
        for key, value in data.items():
            pipeline.set(key, self._serializer.dumps(value), ex=timeout)
        pipeline.execute()


class ClusterCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = ClusterClient

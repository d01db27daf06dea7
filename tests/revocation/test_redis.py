"""Redis loses what it has: each logout is still heard by processes that run and by processes that start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import caches

from drf_tessera import sessions
from drf_tessera.exceptions import ProjectError, SessionEnded
from drf_tessera.installation import read_installation_id
from drf_tessera.revocation.caches import CacheStore
from drf_tessera.revocation.feed import Feed, get_feed
from drf_tessera.revocation.notices import Notice
from tests.revocation.test_feed import make_due
from tests.servers import REDIS_BACKEND, Cluster, Redis, Sentinel, find_client, wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.server, pytest.mark.once]  # the store is Redis

Make = Callable[..., Redis]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def start(*options: str, kind: type[Redis] = Redis) -> Any:
            folder = tmp_path / str(time.monotonic_ns())
            folder.mkdir()
            found = kind(folder, keeps=False)
            if kind is Redis:
                found.start(*options)
            stack.callback(found.stop)
            return found

        yield start


def use(settings: Any, location: str, backend: str = REDIS_BACKEND) -> None:
    """Set the Redis of all processes."""
    settings.CACHES = {**settings.CACHES, "news": {"BACKEND": backend, "LOCATION": location}}


def start_process() -> Feed:
    """Return the feed of a process that starts now, beside the feed of this process."""
    return Feed(CacheStore("news", table=read_installation_id), poll=0, staleness=600)


def has_ended(feed: Feed, session_id: UUID) -> bool:
    make_due(feed)
    try:
        feed.check(session_id)
    except SessionEnded:
        return True
    return False


def answers(feed: Feed) -> bool:
    """Return whether the feed can read all that it needs."""
    make_due(feed)
    return not feed.describe().is_failing


def find_counter() -> str:
    """Return the name of the counter in the cache."""
    store = get_feed().store
    assert isinstance(store, CacheStore)
    return store._counter


class World:
    """One process that ends sessions, and another process that is running all the time."""

    def __init__(self, user: AbstractBaseUser, settings: Any, location: str, **options: str) -> None:
        use(settings, location, **options)
        settings.TESSERA = {"REVOCATION_CACHE": "news"}
        self._user = user
        self.other = start_process()
        self.is_felt(self.end())

    def end(self) -> UUID:
        session_id = sessions.start(self._user).session_id
        sessions.revoke(session_id)
        return session_id

    def is_felt(self, *ended: UUID) -> None:
        """Check that the running process and a new one know that the sessions have ended."""
        for feed in (self.other, start_process()):
            # A request waits for a second at most, and a slow machine may need longer for a first pull.
            wait_until(lambda: answers(feed), "the feed cannot read what it needs")  # noqa: B023
            assert not has_ended(feed, uuid4())
            assert [session_id for session_id in ended if not has_ended(feed, session_id)] == []


def test_an_emptied_redis(anna: AbstractBaseUser, settings: Any, make: Make) -> None:
    world = World(anna, settings, make().url)
    before = world.end()
    caches["news"].clear()
    world.is_felt(before, world.end())


def test_a_redis_that_starts_again_without_its_entries(
    anna: AbstractBaseUser, settings: Any, make: Make
) -> None:
    redis = make()
    world = World(anna, settings, redis.url)
    before = world.end()
    redis.stop()
    redis.start()
    world.is_felt(before, world.end())


@pytest.mark.parametrize("after", [0, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 3, 10))])
def test_a_promoted_replica_that_has_missed_writes(
    anna: AbstractBaseUser, settings: Any, make: Make, after: int
) -> None:
    """It gives the numbers of the lost notices out again, and perhaps more of them."""
    primary = make()
    replica = make("--replicaof", "127.0.0.1", str(primary.port))
    world = World(anna, settings, primary.url)
    use(settings, replica.url)
    wait_until(lambda: caches["news"].get(find_counter()) is not None, "the replica does not follow")
    known = world.end
    use(settings, primary.url)
    first = known()
    copied = caches["news"].get(find_counter())
    use(settings, replica.url)
    wait_until(lambda: caches["news"].get(find_counter()) == copied, "the replica does not follow")
    find_client(caches["news"]).replicaof("NO", "ONE")
    use(settings, primary.url)
    lost = [world.end() for _ in range(3)]
    assert has_ended(world.other, lost[0])
    unheard = world.end()
    primary.stop()
    use(settings, replica.url)
    world.is_felt(first, *lost, unheard, *[world.end() for _ in range(after)])


def test_a_logout_while_redis_is_down_is_not_forgotten_if_its_process_dies(
    anna: AbstractBaseUser, settings: Any, make: Make
) -> None:
    redis = make()
    world = World(anna, settings, redis.url)
    redis.stop()
    ended = world.end()
    assert not answers(world.other)
    get_feed.forget()  # and the notices that it could not publish
    redis.start()
    world.is_felt(ended, world.end())


def test_a_poisoned_entry_stops_nobody(anna: AbstractBaseUser, settings: Any, make: Make) -> None:
    world = World(anna, settings, make().url)
    before, name = world.end(), f"{find_counter()}:{caches['news'].incr(find_counter())}"
    client = find_client(caches["news"])
    client.set(caches["news"].make_key(name), b"poison")
    world.is_felt(before, world.end())


CLUSTER = "tests.revocation.cluster.ClusterCache"


@pytest.fixture
def cluster(tmp_path: Path, settings: Any) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    found.start()
    use(settings, found.nodes[0].url, CLUSTER)
    wait_until(lambda: is_up(caches["news"]), "the cluster does not start")
    yield found
    found.stop()


def is_up(cache: Any) -> bool:
    try:
        cache.set("key", 1)
    except Exception:  # noqa: BLE001 - the driver has many
        return False
    return True


@pytest.mark.long
def test_a_node_of_a_cluster_that_comes_back_without_its_entries(
    anna: AbstractBaseUser, settings: Any, cluster: Cluster
) -> None:
    """All keys of a table are in one slot, so one node has them."""
    world = World(anna, settings, cluster.nodes[0].url, backend=CLUSTER)
    before, client = world.end(), caches["news"]._cache.get_client(None)  # type: ignore[attr-defined]
    (slot,) = {client.keyslot(f":1:{find_counter()}{rest}") for rest in ("", ":1", ":2")}
    port = client.nodes_manager.get_node_from_slot(slot).port
    (node,) = [node for node in cluster.nodes if node.port == port]
    node.stop()
    meanwhile = world.end()
    assert not answers(world.other)
    cluster.start_node(node)
    wait_until(lambda: answers(world.other), "the cluster does not come back")
    world.is_felt(before, meanwhile, world.end())


def test_a_cluster_behind_a_backend_that_knows_no_clusters_is_a_mistake(
    settings: Any, cluster: Cluster
) -> None:
    """Only the node that has the keys answers such a backend."""
    found = []
    for node in cluster.nodes:
        use(settings, node.url)
        store = CacheStore("news")
        for attempt in (store.pull, lambda: store.publish([Notice(uuid4(), 2**40)])):  # noqa: B023
            try:
                attempt()
            except ProjectError as error:
                found.append(str(error))
    assert len(found) == 4
    assert all("is a Redis Cluster, but its backend" in text for text in found)


@pytest.mark.long
def test_sentinel_promotes_a_replica(anna: AbstractBaseUser, settings: Any, make: Make) -> None:
    primary = make()
    replica = make("--replicaof", "127.0.0.1", str(primary.port))
    sentinel: Any = make(kind=Sentinel)
    sentinel.watch(primary)
    location = f"{sentinel.url.removesuffix('/0')}/{Sentinel.NAME}"
    world = World(anna, settings, location, backend="tests.revocation.sentinel.SentinelCache")
    before = world.end()
    use(settings, replica.url)
    counted = f":1:{find_counter()}"
    client = find_client(caches["news"])
    wait_until(lambda: client.get(counted) is not None, "the replica does not follow")
    use(settings, location, "tests.revocation.sentinel.SentinelCache")
    primary.stop()
    meanwhile = world.end()
    wait_until(lambda: answers(world.other), "the sentinel promotes no replica")
    world.is_felt(before, meanwhile, world.end())
    assert client.info("replication")["role"] == "master"

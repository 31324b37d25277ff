import asyncio
import os
import socket
from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis

from core.cache import Cache
from runtime.instance import Instance


@pytest.fixture
async def cache(runtime: Instance) -> AsyncGenerator[Cache]:
    """Return a cache that no other test uses."""
    cache = Cache.connect(runtime.redis_url, f"test-{os.urandom(4).hex()}")
    yield cache
    await cache.close()


async def test_a_value_comes_back_as_it_was(cache: Cache) -> None:
    value = {"data": [1, 2.5, None, "é"], "nested": {"a": True}}
    await cache.set("key", value, ttl_s=10)
    assert await cache.get("key") == value


async def test_an_unknown_key_is_a_miss(cache: Cache) -> None:
    assert await cache.get("unknown") is None


async def test_a_value_expires(cache: Cache) -> None:
    await cache.set("key", 1, ttl_s=1)
    await asyncio.sleep(1.2)
    assert await cache.get("key") is None


async def test_a_deleted_value_is_a_miss(cache: Cache) -> None:
    await cache.set("key", 1, ttl_s=10)
    await cache.delete("key")
    assert await cache.get("key") is None


async def test_namespaces_do_not_meet(cache: Cache, runtime: Instance) -> None:
    other = Cache.connect(runtime.redis_url, "other")
    await cache.set("key", 1, ttl_s=10)
    assert await other.get("key") is None
    await other.close()


async def test_a_value_that_is_not_ours_is_a_miss(cache: Cache, runtime: Instance) -> None:
    key = os.urandom(8).hex()
    await cache.set(key, 1, ttl_s=10)
    redis = Redis.from_url(runtime.redis_url)
    (address,) = [found async for found in redis.scan_iter(f"*{key}")]
    await redis.set(address, b"\xffnot json")
    await redis.aclose()
    assert await cache.get(key) is None


async def test_while_valkey_is_away_everything_is_a_miss() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        cache = Cache.connect(f"redis://:secret@127.0.0.1:{closed.getsockname()[1]}/0", "test")
        await cache.set("key", 1, ttl_s=10)
        assert await cache.get("key") is None
        await cache.delete("key")
        assert not await cache.is_reachable()
        await cache.close()


async def test_valkey_that_does_not_answer_costs_half_a_second_at_most() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        cache = Cache.connect(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0", "test")
        async with asyncio.timeout(2):
            assert await cache.get("key") is None
        await cache.close()

"""Several collectors, one rate: with a Valkey that can be ended."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from engine.valkey import Server
from ingestion.rates.buckets import Buckets
from ingestion.rates.sharing import Sharing
from tests.ingestion.harness import eventually

RATE = 50.0


class Collector:
    """What one collector knows of the rate, and a client that sends as fast as it may."""

    def __init__(self, url: str) -> None:
        self.buckets = Buckets(1)
        self.sharing = Sharing(url, self.buckets)
        self.running = asyncio.create_task(self.sharing.run())

    async def send(self, seconds: float, count: int = 1) -> int:
        """Try very often for a while; return how many tokens were got."""
        got = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got += count * (self.buckets.take("key:1", RATE, count) == 0)
            await asyncio.sleep(0.002)
        return got


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    """Return a running Valkey."""
    server = Server(tmp_path)
    await server.start()
    yield server
    await server.kill()


@pytest.fixture
async def collector(server: Server) -> AsyncGenerator[Callable[[], Collector]]:
    """Return a maker of collectors that know the server."""
    made: list[Collector] = []

    def make() -> Collector:
        made.append(Collector(server.url))
        return made[-1]

    yield make
    for one in made:
        one.running.cancel()
    await asyncio.gather(*(one.running for one in made), return_exceptions=True)


async def test_two_collectors_share_one_rate(collector: Callable[[], Collector]) -> None:
    """Both bursts may pass before they know of each other; the debt is paid within the next seconds."""
    one, other = collector(), collector()
    await asyncio.gather(one.send(3), other.send(3))
    got = sum(await asyncio.gather(one.send(4), other.send(4)))
    assert 0.7 * 4 * RATE < got < 1.3 * 4 * RATE


async def test_a_batch_at_one_collector_is_paid_for_at_the_other(collector: Callable[[], Collector]) -> None:
    one, other = collector(), collector()
    assert one.buckets.take("key:1", RATE, 10_000) == 0

    async def owes() -> bool:
        # It hears of the debt when it tells of something itself.
        return other.buckets.take("key:1", RATE, 1) > 100

    await eventually(owes)


async def test_while_valkey_is_away_each_has_the_whole_rate_and_afterwards_they_share_again(
    server: Server, collector: Callable[[], Collector]
) -> None:
    one, other = collector(), collector()
    await asyncio.gather(one.send(2.5), other.send(2.5))
    await server.kill()
    await asyncio.gather(one.send(1.5), other.send(1.5))
    assert not one.sharing.is_reached
    alone = await asyncio.gather(one.send(2), other.send(2))
    assert all(0.7 * 2 * RATE < got < 1.3 * 2 * RATE for got in alone)
    await server.start()
    # A token now and then is enough to find out.
    await asyncio.gather(one.send(2.5), other.send(2.5))
    assert one.sharing.is_reached
    got = sum(await asyncio.gather(one.send(3), other.send(3)))
    assert 0.7 * 3 * RATE < got < 1.3 * 3 * RATE


async def test_a_valkey_that_forgot_everything_gives_nobody_a_second_burst(
    server: Server, collector: Callable[[], Collector]
) -> None:
    one = collector()
    assert one.buckets.take("key:1", RATE, 1000) == 0
    await asyncio.sleep(0.5)
    redis = Redis.from_url(server.url)
    await redis.flushall()
    await redis.aclose()
    assert one.buckets.take("key:1", RATE, 0) > 15


async def test_what_valkey_keeps_is_gone_when_it_does_not_matter_any_more(
    server: Server, collector: Callable[[], Collector]
) -> None:
    one = collector()
    assert one.buckets.take("key:1", RATE, 10) == 0
    redis = Redis.from_url(server.url)

    async def is_kept() -> bool:
        return bool(await redis.exists("radixinsight:rates:key:1"))

    async def is_gone() -> bool:
        return not await is_kept()

    await eventually(is_kept)
    assert 0 < await redis.pttl("radixinsight:rates:key:1") <= 1300
    await eventually(is_gone)
    await redis.aclose()

"""What the collector publishes of the events that it acknowledged, and that it costs nobody anything."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from core.events import LandedEvent
from core.live import COLLECTORS, Header, channel_of, unpack, unpack_beat
from core.metadata import Project
from engine.streams import landed
from engine.valkey import Server
from ingestion.live import LivePublisher
from ingestion.metrics import CollectorMetrics
from ingestion.protocols.canary import PATH
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys
from runtime.transactions import in_transaction
from tests.ingestion.harness import Collector, basic, free_port

EVENT = {"event": "buy", "userId": "ada"}
# Longer than until each collector has looked who listens.
NOTICED_S = 0.5


class Listener:
    """Hears what is published on a channel."""

    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    async def next(self, timeout_s: float = 60) -> bytes:
        """Return the next publication."""
        async with asyncio.timeout(timeout_s):
            while True:
                said = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
                if said is not None:
                    return said["data"]

    async def events(self) -> tuple[Header, list[LandedEvent]]:
        """Return the next publication with events."""
        return unpack(await self.next())

    async def hears_nothing(self, seconds: float = 0.6) -> bool:
        """Say whether nothing is published for a while."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def listening(url: str, channel: str) -> AsyncGenerator[Listener]:
    """Listen to a channel; when this begins, collectors know."""
    redis = Redis.from_url(url)
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(channel)
        await asyncio.sleep(NOTICED_S)
        yield Listener(pubsub)
    await redis.aclose()


Posting = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def post(project: ProjectKeys) -> Posting:
    """Return a way to send events of the project."""

    async def send(client: httpx.AsyncClient, *events: dict[str, Any], path: str = "/v1/batch") -> httpx.Response:
        batch = {"batch": [{"type": "track"} | EVENT | event for event in events]}
        return await client.post(path, json=batch, headers=basic(project.write_key))

    return send


async def _metric(client: httpx.AsyncClient, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    found = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line[:1] != "#"}
    return found.get(f"radixinsight_collector_live_{name}", 0.0)


async def test_an_acknowledged_event_is_published_as_it_lands(
    collector: Collector, runtime: Instance, project: ProjectKeys, post: Posting
) -> None:
    async with (
        collector(redis_url=runtime.redis_url) as client,
        listening(runtime.redis_url, channel_of(project.id)) as listener,
    ):
        began = time.monotonic()
        answer = await post(client, {"messageId": "m1", "properties": {"plan": "pro"}}, {"messageId": "m2"})
        assert answer.status_code == 200
        _, events = await listener.events()
        assert time.monotonic() - began < 2
        assert [(event.project_id, event.message_id, event.user_id) for event in events] == [
            (project.id, "m1", "ada"),
            (project.id, "m2", "ada"),
        ]
        assert bytes(events[0].properties) == b'{"plan":"pro"}'
        assert await _metric(client, "events_published_total") == 2
        # Tests beside this one listen to theirs.
        assert await _metric(client, "projects") >= 1


async def test_where_nobody_listens_nothing_is_published(
    collector: Collector, runtime: Instance, project: ProjectKeys, post: Posting
) -> None:
    async with (
        collector(redis_url=runtime.redis_url) as client,
        listening(runtime.redis_url, channel_of(project.id + 1_000_000)) as elsewhere,
    ):
        await post(client, {})
        assert await elsewhere.hears_nothing()
        assert await _metric(client, "events_published_total") == 0


async def test_what_is_refused_is_not_published(
    collector: Collector, runtime: Instance, project: ProjectKeys, post: Posting
) -> None:
    async with (
        collector(redis_url=runtime.redis_url) as client,
        listening(runtime.redis_url, channel_of(project.id)) as listener,
    ):
        await post(client, {"userId": "null"}, {"event": ""})
        assert await listener.hears_nothing()
        await post(client, {"userId": "null"}, {"messageId": "good"})
        assert [event.message_id for event in (await listener.events())[1]] == ["good"]


async def test_the_projects_rules_hold_for_what_is_published(
    collector: Collector, runtime: Instance, project: ProjectKeys, post: Posting
) -> None:
    rules = {
        "addresses": "drop",
        "bots": "reject",
        "properties": [
            {"path": "properties.card", "action": "drop"},
            {"path": "traits.email", "action": "mask"},
            {"path": "userId", "action": "hash"},
        ],
    }

    def set_rules(session: Any) -> None:
        session.get(Project, project.id).collection_rules = rules

    in_transaction(runtime.database_url, set_rules)
    async with (
        collector(redis_url=runtime.redis_url) as client,
        listening(runtime.redis_url, channel_of(project.id)) as listener,
    ):
        bot = {"userAgent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}
        await post(
            client,
            {"context": bot, "messageId": "bot"},
            {
                "messageId": "m1",
                # Not all of these letters are those of a hash.
                "userId": "grace",
                "properties": {"card": "visa of grace", "plan": "pro"},
                "traits": {"email": "grace@example.org"},
                "context": {"ip": "203.0.113.77"},
            },
        )
        publication = await listener.next()
    _, events = unpack(publication)
    assert [event.message_id for event in events] == ["m1"]
    assert events[0].user_id.startswith("hashed:")
    for secret in (b"visa", b"grace", b"203.0.113"):
        assert secret not in publication


async def test_canaries_are_not_published(collector: Collector, runtime: Instance, project: ProjectKeys) -> None:
    async with (
        collector(redis_url=runtime.redis_url) as client,
        listening(runtime.redis_url, channel_of(project.id)) as listener,
    ):
        answer = await client.post(
            PATH, json={"type": "track", "event": "c", "anonymousId": "c"}, headers=basic(project.write_key)
        )
        assert answer.status_code == 200
        assert await listener.hears_nothing()


async def test_more_than_the_rate_are_left_out_and_those_who_listen_can_see_how_many(
    collector: Collector, runtime: Instance, project: ProjectKeys, post: Posting
) -> None:
    async with (
        collector(redis_url=runtime.redis_url, live_events_per_second=10) as client,
        listening(runtime.redis_url, channel_of(project.id)) as listener,
    ):
        await post(client, *({"messageId": f"m{number}"} for number in range(50)))
        first, events = await listener.events()
        assert [event.message_id for event in events] == [f"m{number}" for number in range(10)]
        await asyncio.sleep(0.3)
        await post(client, {"messageId": "later"})
        then, events = await listener.events()
        assert [event.message_id for event in events] == ["later"]
        assert then.before - first.before == 50
        assert await _metric(client, 'events_missed_total{reason="rate"}') == 40


async def test_large_events_come_in_several_publications(
    collector: Collector, runtime: Instance, project: ProjectKeys, post: Posting
) -> None:
    text = "x" * 15_000
    async with (
        collector(redis_url=runtime.redis_url) as client,
        listening(runtime.redis_url, channel_of(project.id)) as listener,
    ):
        await post(client, *({"messageId": f"m{number}", "properties": {"text": text}} for number in range(40)))
        found: list[str] = []
        while len(found) < 40:
            publication = await listener.next()
            assert len(publication) < 300_000
            found += [event.message_id for event in unpack(publication)[1]]
        assert found == [f"m{number}" for number in range(40)]


def test_what_waits_in_memory_is_bounded(project: ProjectKeys) -> None:
    async def fill() -> None:
        metrics = CollectorMetrics()
        live = LivePublisher(
            f"redis://127.0.0.1:{free_port()}/0", metrics, events_per_second=100_000, oldest_unshipped_s=lambda: 0
        )
        live.listen_for(project.id)
        event = landed(project.id, "m", event="x" * 10_000)
        live.offer(project.id, [event] * 1000)
        missed = metrics.registry.get_sample_value(
            "radixinsight_collector_live_events_missed_total", {"reason": "memory"}
        )
        assert missed is not None
        assert 550 < missed < 620

    asyncio.run(fill())


async def test_valkey_being_away_delays_no_acknowledgement_and_its_return_is_noticed(
    collector: Collector, project: ProjectKeys, post: Posting, tmp_path: Path
) -> None:
    server = Server(tmp_path)
    await server.start()
    async with collector(redis_url=server.url) as client:
        async with listening(server.url, channel_of(project.id)) as listener:
            await post(client, {"messageId": "m1"})
            await listener.events()
            await server.kill()
            for number in range(20):
                began = time.monotonic()
                assert (await post(client, {"messageId": f"away-{number}"})).status_code == 200
                assert time.monotonic() - began < 2
                await asyncio.sleep(0.05)
        await server.start()
        async with listening(server.url, channel_of(project.id)) as listener:
            await asyncio.sleep(1)
            await post(client, {"messageId": "back"})
            assert [event.message_id for event in (await listener.events())[1]] == ["back"]
        assert await _metric(client, 'events_missed_total{reason="valkey"}') == 20
    await server.kill()


async def test_valkey_that_does_not_answer_delays_no_acknowledgement(collector: Collector, post: Posting) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        async with collector(redis_url=f"redis://127.0.0.1:{deaf.getsockname()[1]}/0") as client:
            await asyncio.sleep(0.2)
            began = time.monotonic()
            for _ in range(20):
                assert (await post(client, {})).status_code == 200
            assert time.monotonic() - began < 2


async def test_a_collector_tells_those_who_listen_how_old_its_oldest_event_is(
    collector: Collector, runtime: Instance, post: Posting, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Collectors of other tests speak on the channel that all of them share.
    channel = f"{COLLECTORS}:{uuid4()}"
    monkeypatch.setattr("ingestion.live.COLLECTORS", channel)
    async with collector(redis_url=runtime.redis_url) as client, listening(runtime.redis_url, channel) as listener:
        await post(client, {})
        await asyncio.sleep(1.5)
        beats = [unpack_beat(await listener.next()) for _ in range(2)]
        assert beats[1].oldest_unshipped_s > 1.5
        assert beats[0].collector == beats[1].collector


async def test_a_rate_of_nothing_publishes_nothing(
    collector: Collector, runtime: Instance, project: ProjectKeys, post: Posting
) -> None:
    async with (
        collector(redis_url=runtime.redis_url, live_events_per_second=0) as client,
        listening(runtime.redis_url, channel_of(project.id)) as listener,
    ):
        assert (await post(client, {})).status_code == 200
        assert await listener.hears_nothing()

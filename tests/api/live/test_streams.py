"""What an event stream shows, and what it does not."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from api.live import service
from api.settings import ApiSettings
from core.live import channel_of
from engine.streams import Publisher, event_stream, landed
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from tests.api.live.conftest import Serve, Served
from tests.ingestion.harness import eventually


@pytest.fixture
def other(runtime: Instance) -> ProjectKeys:
    """Return another tenant's project."""
    return create_project(runtime.database_url, "other", key_name="test")


async def test_an_event_is_shown_as_it_landed_without_addresses_and_keys(
    api: Served, project: ProjectKeys, publisher: Publisher
) -> None:
    async with event_stream(api.url, project.id, project.api_key) as stream:
        hello = await stream.next("hello")
        assert (hello.kind, hello.data) == ("hello", {"project_id": project.id, "resumed": None})
        event = landed(
            project.id,
            "m1",
            user_id="ada",
            ip="203.0.113.0",
            timestamp=1764182450.25,
            properties='{\n "plan": "pro",\r\n "n": [1,\n 2]}',
        )
        await publisher.publish(project.id, event)
        said = await stream.next("event")
    assert said.id
    assert said.data["message_id"] == "m1"
    assert said.data["user_id"] == "ada"
    assert said.data["timestamp"] == "2025-11-26T18:40:50.250Z"
    assert said.data["properties"] == {"plan": "pro", "n": [1, 2]}
    assert said.data["traits"] == {}
    assert not {"ip", "write_key_id", "batch_id"} & set(said.data)


async def test_no_stream_shows_another_projects_events(
    api: Served, project: ProjectKeys, other: ProjectKeys, publisher: Publisher
) -> None:
    async with (
        event_stream(api.url, project.id, project.api_key) as stream,
        event_stream(api.url, other.id, other.api_key) as theirs,
    ):
        await stream.next("hello")
        await theirs.next("hello")
        await publisher.publish(other.id, landed(other.id, "theirs"))
        await publisher.publish(project.id, landed(other.id, "astray"), landed(project.id, "ours"))
        assert (await theirs.next("event")).data["message_id"] == "theirs"
        assert (await stream.next("event")).data["message_id"] == "ours"
        assert await stream.is_silent("event", 0.3)


async def test_an_event_that_a_client_sends_again_is_shown_once(
    api: Served, project: ProjectKeys, publisher: Publisher
) -> None:
    async with event_stream(api.url, project.id, project.api_key) as stream:
        await stream.next("hello")
        for message_id in ("a", "b", "a", "c"):
            await publisher.publish(project.id, landed(project.id, message_id))
        assert [(await stream.next("event")).data["message_id"] for _ in range(3)] == ["a", "b", "c"]


async def test_what_is_no_publication_changes_nothing(api: Served, project: ProjectKeys, publisher: Publisher) -> None:
    async with event_stream(api.url, project.id, project.api_key) as stream:
        await stream.next("hello")
        for nonsense in (b"", b"\xff\xfe", b'["c",1]\n{"project_id":', b'["c"]\n{}', b'{"a":1}'):
            await publisher.redis.publish(channel_of(project.id), nonsense)
            await publisher.redis.publish(service.COLLECTORS, nonsense)
        await publisher.publish(project.id, landed(project.id, "of no calendar", timestamp=1e18))
        await publisher.publish(project.id, landed(project.id, "m1"))
        assert (await stream.next("event")).data["message_id"] == "m1"


async def test_more_than_the_rate_are_left_out_and_their_number_is_told(
    api: Served, project: ProjectKeys, publisher: Publisher
) -> None:
    async with event_stream(api.url, project.id, project.api_key, max_per_second=5) as stream:
        await stream.next("hello")
        await publisher.publish(project.id, *(landed(project.id, f"m{number}") for number in range(40)))
        for number in range(5):
            assert (await stream.next("event")).data["message_id"] == f"m{number}"
        assert (await stream.next("dropped")).data == {"over_rate": 35, "over_memory": 0, "missed": 0}
        await asyncio.sleep(1)
        await publisher.publish(project.id, landed(project.id, "later"))
        assert (await stream.next("event")).data["message_id"] == "later"
    assert api.metric("radixinsight_api_live_events_dropped_total", reason="over_rate") == 35
    assert api.metric("radixinsight_api_live_events_shown_total") == 6
    assert api.metric("radixinsight_api_live_events_received_total") == 41


async def test_what_a_collector_left_out_is_told(api: Served, project: ProjectKeys, publisher: Publisher) -> None:
    async with event_stream(api.url, project.id, project.api_key, event="rare") as stream:
        await stream.next("hello")
        await publisher.publish(project.id, landed(project.id, "m1"))
        await publisher.publish(project.id, landed(project.id, "m2"), left_out=7)
        assert (await stream.next("dropped")).data == {"over_rate": 0, "over_memory": 0, "missed": 7}


async def test_whoever_comes_back_gets_what_came_meanwhile(
    api: Served, project: ProjectKeys, publisher: Publisher
) -> None:
    async with event_stream(api.url, project.id, project.api_key) as stream:
        await stream.next("hello")
        await publisher.publish(project.id, landed(project.id, "before"))
        last = (await stream.next("event")).id
    await publisher.publish(project.id, *(landed(project.id, f"m{number}") for number in range(80)))
    async with event_stream(api.url, project.id, project.api_key, last_event_id=last, max_per_second=1) as stream:
        assert (await stream.next("hello")).data["resumed"] is True
        found = [(await stream.next("event")).data["message_id"] for _ in range(80)]
        assert found == [f"m{number}" for number in range(80)]
        await publisher.publish(project.id, landed(project.id, "after"))
        assert (await stream.next("event")).data["message_id"] == "after"


@pytest.mark.parametrize("last", ["c0-99", "nonsense", "x" * 200])
async def test_whoever_comes_back_too_late_is_told_so(
    api: Served, project: ProjectKeys, publisher: Publisher, last: str
) -> None:
    async with event_stream(api.url, project.id, project.api_key) as stream:
        await stream.next("hello")
        await publisher.publish(project.id, landed(project.id, "before"))
        await stream.next("event")
    async with event_stream(api.url, project.id, project.api_key, last_event_id=last) as stream:
        assert (await stream.next("hello")).data["resumed"] is False
        assert await stream.is_silent("event", 0.3)


@pytest.mark.parametrize("is_watched", [False, True])
async def test_whoever_comes_back_to_another_process_gets_what_came_meanwhile(
    api: Served, serve: Serve, settings: ApiSettings, project: ProjectKeys, publisher: Publisher, *, is_watched: bool
) -> None:
    async with serve(settings) as second, AsyncExitStack() as watching:
        async with event_stream(api.url, project.id, project.api_key) as stream:
            await stream.next("hello")
            await publisher.publish(project.id, landed(project.id, "before"))
            last = (await stream.next("event")).id
        await publisher.publish(project.id, landed(project.id, "m1"))
        if is_watched:
            # It listens to the project already, though not since the event before.
            own = await watching.enter_async_context(event_stream(second.url, project.id, project.api_key))
            await own.next("hello")
        await publisher.publish(project.id, landed(project.id, "m2"), landed(project.id, "m3"))
        async with event_stream(second.url, project.id, project.api_key, last_event_id=last) as stream:
            assert (await stream.next("hello")).data["resumed"] is True
            await publisher.publish(project.id, landed(project.id, "m4"))
            found = [(await stream.next("event")).data["message_id"] for _ in range(4)]
        assert found == ["m1", "m2", "m3", "m4"]


async def test_no_process_tells_another_of_other_projects_events(
    api: Served, serve: Serve, settings: ApiSettings, project: ProjectKeys, *, other: ProjectKeys, publisher: Publisher
) -> None:
    async with serve(settings) as second:
        async with event_stream(api.url, other.id, other.api_key) as stream:
            await stream.next("hello")
            await publisher.publish(other.id, landed(other.id, "before"))
            last = (await stream.next("event")).id
            await publisher.publish(other.id, landed(other.id, "secret"))
        async with event_stream(second.url, project.id, project.api_key, last_event_id=last) as stream:
            assert (await stream.next("hello")).data["resumed"] is False
            assert await stream.is_silent("event", 0.3)


async def test_events_are_kept_for_a_short_time_only(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, publisher: Publisher
) -> None:
    """They may have been erased meanwhile."""
    async with (
        serve(settings.model_copy(update={"live_resume_seconds": 0.5})) as api,
        event_stream(api.url, project.id, project.api_key) as stream,
    ):
        await stream.next("hello")
        await publisher.publish(project.id, landed(project.id, "m1"))
        last = (await stream.next("event")).id
        await publisher.publish(project.id, landed(project.id, "m2"))
        await stream.next("event")
        await asyncio.sleep(0.6)
        async with event_stream(api.url, project.id, project.api_key, last_event_id=last) as again:
            assert (await again.next("hello")).data["resumed"] is False


async def test_a_stream_that_wants_no_events_gets_none(api: Served, project: ProjectKeys, publisher: Publisher) -> None:
    async with event_stream(api.url, project.id, project.api_key, include="counters") as stream:
        await stream.next("hello")
        await publisher.publish(project.id, landed(project.id, "m1"), left_out=3)
        await stream.next("counters")
        await asyncio.sleep(0.2)
        assert await stream.is_silent("event", 0.3)
    assert {said.kind for said in stream.seen} == {"hello", "counters"}


async def test_a_stream_with_nothing_to_say_says_so(serve: Serve, settings: ApiSettings, project: ProjectKeys) -> None:
    async with (
        serve(settings.model_copy(update={"live_heartbeat_seconds": 0.2})) as api,
        event_stream(api.url, project.id, project.api_key, include="events") as stream,
    ):
        await stream.next("hello")
        assert (await stream.next()).kind == "heartbeat"
        assert (await stream.next()).kind == "heartbeat"


async def test_a_stopping_process_says_so_to_its_streams(
    serve: Serve, settings: ApiSettings, project: ProjectKeys
) -> None:
    async with serve(settings) as api, event_stream(api.url, project.id, project.api_key) as stream:
        await stream.next("hello")
        api.held.live.end_all()
        assert (await stream.next("closed")).data["reason"] == "going_away"
        assert await stream.has_ended()


async def test_a_project_that_nobody_looks_at_any_more_is_not_listened_to(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, publisher: Publisher
) -> None:
    async def listeners() -> int:
        return (await publisher.redis.pubsub_numsub(channel_of(project.id)))[0][1]

    async def is_alone() -> bool:
        return await listeners() == 0

    async with serve(settings.model_copy(update={"live_resume_seconds": 0.2})) as api:
        assert await listeners() == 0
        async with event_stream(api.url, project.id, project.api_key) as stream:
            await stream.next("hello")
            assert await listeners() == 1
        await eventually(is_alone)
        assert api.metric("radixinsight_api_live_readers", kind="sse") == 0
        assert api.metric("radixinsight_api_live_streams_ended_total", reason="disconnected") == 1

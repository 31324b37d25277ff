"""An event's way from a client to whoever watches, over processes that are killed on the way."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.streams import EventStreamReader, event_stream
from engine.valkey import Server
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from tests.ingestion.harness import Program, Sender

GOAL_S = 2.0


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncGenerator[Server]:
    """Return a running Valkey."""
    server = Server(tmp_path)
    await server.start()
    yield server
    await server.kill()


class Programs:
    """A collector and API processes that share a Valkey."""

    def __init__(self, runtime: Instance, directory: Path, valkey: Server) -> None:
        self._directory = directory
        self._environment = runtime.variables | {
            "REDIS_URL": valkey.url,
            "RADIXINSIGHT_DATA_DIR": str(directory),
            "RADIXINSIGHT_API_KEY_CACHE_SECONDS": "0",
        }
        self.started: list[Program] = []
        self.collector = self.start("ingestion")

    def start(self, module: str) -> Program:
        """Start another program."""
        log = self._directory / f"{module}-{len(self.started)}.log"
        self.started.append(Program(module, log, self._environment))
        return self.started[-1].start()


@pytest.fixture
def programs(runtime: Instance, tmp_path: Path, valkey: Server) -> Generator[Programs]:
    """Return a running collector, and a way to start API processes."""
    programs = Programs(runtime, tmp_path, valkey)
    yield programs
    for program in programs.started:
        program.stop()


async def _send(programs: Programs, project: ProjectKeys, *message_ids: str) -> float:
    """Send events; return when they were acknowledged."""
    sender = Sender(programs.collector.url, project.write_key)
    events: list[dict[str, Any]] = [{"messageId": message_id} for message_id in message_ids]
    answer = await asyncio.to_thread(sender.batch, *events)
    assert answer.status_code == 200, answer.text
    return time.monotonic()


async def _see(stream: EventStreamReader, *message_ids: str) -> float:
    """Wait until events are shown, these and no others; return when that was."""
    for message_id in message_ids:
        assert (await stream.next("event")).data["message_id"] == message_id
    return time.monotonic()


async def test_an_event_is_seen_within_two_seconds_and_by_nobody_else(
    programs: Programs, runtime: Instance, project: ProjectKeys
) -> None:
    other = create_project(runtime.database_url, "other", key_name="test")
    api = programs.start("api")
    async with (
        event_stream(api.url, project.id, project.api_key) as stream,
        event_stream(api.url, other.id, other.api_key) as theirs,
    ):
        await stream.next("hello")
        await theirs.next("hello")
        for number in range(10):
            acknowledged_at = await _send(programs, project, f"m{number}")
            assert await _see(stream, f"m{number}") - acknowledged_at < GOAL_S
        assert await theirs.is_silent("event", 1)
        await _send(programs, other, "theirs")
        await _see(theirs, "theirs")
        assert await stream.is_silent("event", 0.5)


async def test_a_stream_survives_the_restart_of_valkey(
    programs: Programs, project: ProjectKeys, valkey: Server
) -> None:
    api = programs.start("api")
    async with event_stream(api.url, project.id, project.api_key) as stream:
        await stream.next("hello")
        await _send(programs, project, "before")
        await _see(stream, "before")
        await valkey.kill()
        assert (await stream.next("degraded")).data == {"missing": ["valkey"]}
        await _send(programs, project, "meanwhile")
        await valkey.start()
        await stream.next("restored", timeout_s=60)
        # Collectors try once a second while Valkey is away.
        await asyncio.sleep(1.5)
        acknowledged_at = await _send(programs, project, "after")
        assert await _see(stream, "after") - acknowledged_at < GOAL_S


async def test_the_death_of_one_process_is_no_matter_to_those_of_another(
    programs: Programs, project: ProjectKeys
) -> None:
    first, second = programs.start("api"), programs.start("api")
    async with event_stream(second.url, project.id, project.api_key) as kept:
        await kept.next("hello")
        async with event_stream(first.url, project.id, project.api_key) as stream:
            await stream.next("hello")
            await _send(programs, project, "m1")
            await asyncio.gather(_see(stream, "m1"), _see(kept, "m1"))
            last = stream.seen[-1].id
            await asyncio.to_thread(first.kill)
            with pytest.raises(httpx.RemoteProtocolError):
                await stream.next("closed")
        await _send(programs, project, "m2", "m3")
        await _see(kept, "m2", "m3")
        async with event_stream(second.url, project.id, project.api_key, last_event_id=last) as again:
            assert (await again.next("hello")).data["resumed"] is True
            await _see(again, "m2", "m3")
            await _send(programs, project, "m4")
            await asyncio.gather(_see(again, "m4"), _see(kept, "m4"))


async def test_a_process_that_is_stopped_says_so_and_ends_at_once(programs: Programs, project: ProjectKeys) -> None:
    api = programs.start("api")
    async with event_stream(api.url, project.id, project.api_key) as stream:
        await stream.next("hello")
        began = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(api.stop))
        assert (await stream.next("closed")).data["reason"] == "going_away"
        assert await stream.has_ended()
        await stopping
        assert time.monotonic() - began < 2
        assert "Traceback" not in api.log.read_text()

"""How streams end: revoked keys, readers that are too slow, and how many there may be."""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from functools import partial

import httpx
import pytest
from sqlalchemy import text

from api.settings import ApiSettings
from core import metadata
from core.metadata import projects
from core.metadata.organisations import create_organisation
from engine.streams import Publisher, event_stream, landed
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from runtime.transactions import in_transaction
from tests.api.live.conftest import Serve, Served
from tests.ingestion.harness import eventually

BIG = '{"text":"' + "x" * 20_000 + '"}'


def _revoke(runtime: Instance, project: ProjectKeys) -> None:
    assert in_transaction(runtime.database_url, lambda session: projects.revoke_api_key(session, project.api_key))


async def test_a_revoked_key_ends_its_open_streams_and_no_others(
    api: Served, runtime: Instance, project: ProjectKeys, publisher: Publisher
) -> None:
    kept = in_transaction(runtime.database_url, lambda session: projects.create_api_key(session, project.id, "kept"))
    async with (
        event_stream(api.url, project.id, project.api_key) as stream,
        event_stream(api.url, project.id, kept) as other,
    ):
        await stream.next("hello")
        await other.next("hello")
        _revoke(runtime, project)
        closed = await stream.next("closed", timeout_s=60)
        assert closed.data["reason"] == "key_revoked"
        assert await stream.has_ended()
        await publisher.publish(project.id, landed(project.id, "m1"))
        assert (await other.next("event")).data["message_id"] == "m1"


async def test_a_stream_ends_where_its_organisation_may_not_be_reached_any_more_and_the_key_is_valid(
    api: Served, runtime: Instance, project: ProjectKeys
) -> None:
    organisation = in_transaction(runtime.database_url, lambda session: create_organisation(session, "Shop").id)
    moved = text("update projects set organisation_id = :organisation where id = :project")
    closed = text("update organisations set allowed_networks = '{192.0.2.0/24}' where id = :organisation")
    values = {"organisation": organisation, "project": project.id}
    async with event_stream(api.url, project.id, project.api_key) as stream:
        await stream.next("hello")
        engine = metadata.connect(runtime.database_url)
        with engine.begin() as connection:
            connection.execute(moved, values)
            connection.execute(closed, values)
        engine.dispose()
        assert (await stream.next("closed", timeout_s=60)).data["reason"] == "access_lost"
        assert await stream.has_ended()


def test_by_default_a_stream_outlives_its_key_by_ten_seconds_at_most(settings: ApiSettings) -> None:
    fields = type(settings).model_fields
    assert fields["key_cache_seconds"].default + fields["live_key_check_seconds"].default < 10


def _deaf(api: Served, project: ProjectKeys, *, upgrade: bool) -> socket.socket:
    """Open a stream and read nothing of it."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, port = api.url.removeprefix("http://").split(":")
    deaf.connect((host, int(port)))
    path = f"/v1/projects/{project.id}/live/{'socket' if upgrade else 'events'}?max_per_second=500"
    more = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        if upgrade
        else ""
    )
    deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {project.api_key}\r\n{more}\r\n".encode())
    return deaf


async def _has_streams(api: Served) -> bool:
    return bool(api.held.live.streams)


async def _has_no_streams(api: Served) -> bool:
    return not api.held.live.streams


async def _flood(publisher: Publisher, project: ProjectKeys, until: Callable[[], bool], timeout_s: float = 60) -> None:
    number = 0
    async with asyncio.timeout(timeout_s):
        while not until():
            events = [landed(project.id, f"f{number}-{place}", properties=BIG) for place in range(10)]
            await publisher.publish(project.id, *events)
            number += 1
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("upgrade", [False, True])
async def test_a_reader_that_reads_nothing_is_cut_off_and_the_others_go_on(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, publisher: Publisher, *, upgrade: bool
) -> None:
    limits = {"live_reader_max_bytes": 200_000, "live_send_seconds": 1.0}
    async with serve(settings.model_copy(update=limits)) as api:
        deaf = _deaf(api, project, upgrade=upgrade)
        kind = "websocket" if upgrade else "sse"
        async with event_stream(api.url, project.id, project.api_key, event="other") as stream:
            await stream.next("hello")

            def is_cut() -> bool:
                return api.metric("radixinsight_api_live_streams_ended_total", reason="slow_reader") == 1

            await _flood(publisher, project, is_cut)
            assert api.metric("radixinsight_api_live_readers", kind=kind) == (0 if upgrade else 1)
            await publisher.publish(project.id, landed(project.id, "after", event="other"))
            assert (await stream.next("event")).data["message_id"] == "after"
        # What the kernel has can still be read, and no end of the answer.
        deaf.settimeout(60)
        rest = b""
        while part := await asyncio.to_thread(deaf.recv, 65536):
            rest = part
        deaf.close()
        assert b"slow_reader" not in rest
        assert not rest.endswith(b"0\r\n\r\n")


async def test_a_reader_that_was_too_slow_and_reads_again_learns_why_it_ended(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, publisher: Publisher
) -> None:
    async with serve(settings.model_copy(update={"live_reader_max_bytes": 200_000})) as api:
        slow = _deaf(api, project, upgrade=False)
        await eventually(partial(_has_streams, api))
        (stream,) = api.held.live.streams
        await _flood(publisher, project, lambda: stream.ending is not None)
        slow.settimeout(60)

        def read() -> bytes:
            found = b""
            while not found.endswith(b"0\r\n\r\n"):
                part = slow.recv(65536)
                assert part, found[-300:]
                found = (found + part)[-2000:]
            return found

        end = await asyncio.to_thread(read)
        slow.close()
        assert b"event: closed\n" in end
        assert b'"reason":"slow_reader"' in end


async def test_a_project_may_have_so_many_streams_and_a_process_too(
    serve: Serve, settings: ApiSettings, runtime: Instance, project: ProjectKeys
) -> None:
    other = create_project(runtime.database_url, "other", key_name="test")
    limits = {"live_max_streams_per_project": 2, "live_max_streams": 3}

    async def refusal(api: Served, keys: ProjectKeys) -> httpx.Response:
        async with httpx.AsyncClient(base_url=api.url) as client:
            headers = {"authorization": f"Bearer {keys.api_key}"}
            return await client.get(f"/v1/projects/{keys.id}/live/events", headers=headers)

    async with serve(settings.model_copy(update=limits)) as api:
        async with (
            event_stream(api.url, project.id, project.api_key),
            event_stream(api.url, project.id, project.api_key) as second,
        ):
            answer = await refusal(api, project)
            assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")
            assert (answer.json()["limit"], answer.json()["allowed"]) == ("live_max_streams_per_project", 2)
            assert answer.headers["retry-after"] == "10"
            async with event_stream(api.url, other.id, other.api_key):
                assert (await refusal(api, other)).json()["limit"] == "live_max_streams"
            await second.next("hello")
        await eventually(partial(_has_no_streams, api))
        async with event_stream(api.url, project.id, project.api_key) as again:
            await again.next("hello")


async def test_a_stopping_process_does_not_wait_for_its_streams(
    serve: Serve, settings: ApiSettings, project: ProjectKeys
) -> None:
    async with serve(settings) as api:
        deaf = _deaf(api, project, upgrade=False)
        await eventually(partial(_has_streams, api))
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert b'"reason":"going_away"' in await asyncio.to_thread(deaf.recv, 65536)
    deaf.close()


async def test_no_message_says_anything_about_other_streams(
    api: Served, runtime: Instance, project: ProjectKeys
) -> None:
    other = create_project(runtime.database_url, "other", key_name="test")
    async with (
        event_stream(api.url, project.id, project.api_key) as stream,
        event_stream(api.url, other.id, other.api_key) as theirs,
    ):
        await stream.next("hello")
        await theirs.next("hello")
        _revoke(runtime, other)
        await theirs.next("closed")
        assert await stream.is_silent("closed", 0.5)
    assert other.api_key not in json.dumps([said.data for said in stream.seen])


async def test_more_at_once_than_may_wait_is_left_out_and_ends_nothing(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, publisher: Publisher
) -> None:
    async with (
        serve(settings.model_copy(update={"live_reader_max_bytes": 100_000})) as api,
        event_stream(api.url, project.id, project.api_key, max_per_second=500) as stream,
    ):
        await stream.next("hello")
        await publisher.publish(project.id, *(landed(project.id, f"m{number}", properties=BIG) for number in range(12)))
        assert [(await stream.next("event")).data["message_id"] for _ in range(4)] == ["m0", "m1", "m2", "m3"]
        assert (await stream.next("dropped")).data == {"over_rate": 0, "over_memory": 8, "missed": 0}
        await publisher.publish(project.id, landed(project.id, "after"))
        assert (await stream.next("event")).data["message_id"] == "after"

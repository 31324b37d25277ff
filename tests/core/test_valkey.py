"""What becomes of commands when a connection to Valkey breaks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as ConnectionLostError

from core.valkey import connect
from engine.valkey import Server


async def test_connections_that_valkey_closed_are_replaced_before_a_command_is_sent(tmp_path: Path) -> None:
    server = Server(tmp_path)
    await server.start()
    redis = connect(server.url, seconds=5)
    for number in range(3):
        assert await asyncio.gather(*(redis.set(f"key {number} {each}", 1) for each in range(8))) == [True] * 8
        await server.kill()
        await server.start()
    assert await redis.ping()
    await redis.aclose()
    await server.kill()


@asynccontextmanager
async def _forgetful(heard: list[bytes], most: int) -> AsyncGenerator[str]:
    """Stand in for a Valkey that breaks so many connections in the midst of a command."""
    broken = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal broken
        while said := await reader.read(65536):
            heard.extend([b"getdel"] * said.count(b"GETDEL"))
            if b"GETDEL" in said and broken < most:
                broken += 1
                break
            writer.write(b"+OK\r\n" * said.count(b"*"))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0?protocol=2"
    server.close()


@pytest.mark.parametrize(("is_repeatable", "broken", "sent"), [(False, 1, 1), (True, 1, 2), (True, 2, 2)])
async def test_a_command_whose_answer_is_lost_is_sent_once_more_where_that_is_no_harm(
    *, is_repeatable: bool, broken: int, sent: int
) -> None:
    heard: list[bytes] = []
    async with _forgetful(heard, broken) as url:
        redis = connect(url, seconds=5, is_repeatable=is_repeatable)
        try:
            assert await redis.getdel("key") == b"OK"
            assert sent > broken
        except ConnectionLostError:
            assert sent == broken
        await redis.aclose()
    assert len(heard) == sent

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import clickhouse_connect
import pytest
import pytest_asyncio
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.contract.clickhouse.harness import PASSWORDS, Server


@pytest_asyncio.fixture
async def client(server: Server, database: str) -> AsyncIterator[AsyncClient]:
    connected = await clickhouse_connect.get_async_client(
        host="127.0.0.1",
        port=server.port,
        username="radixinsight",
        password=PASSWORDS["radixinsight"],
        database=database,
        autogenerate_session_id=False,
    )
    yield connected
    await connected.close()


async def test_a_query_with_parameters_answers(client: AsyncClient) -> None:
    result = await client.query("select {x:UInt8} + 1 as y", parameters={"x": 41})
    assert (result.column_names, result.result_rows) == (("y",), [(42,)])


async def test_inserts_and_commands_work(client: AsyncClient) -> None:
    await client.command("create table t (x UInt64, s String) engine MergeTree order by x")
    summary = await client.insert("t", [[number, "v"] for number in range(5000)], column_names=["x", "s"])
    assert summary.written_rows == 5000
    assert await client.command("select sum(x) from t") == 12497500


async def test_rows_are_streamed(client: AsyncClient) -> None:
    stream = await client.query_row_block_stream(
        "select number from numbers(100000)", settings={"max_block_size": 10000}
    )
    async with stream:
        blocks: list[Any] = [block async for block in stream]
    assert sum(len(block) for block in blocks) == 100000


async def test_many_queries_run_at_once(client: AsyncClient) -> None:
    results = await asyncio.gather(
        *(client.query("select {n:UInt64}, sleep(0.1)", parameters={"n": number}) for number in range(30))
    )
    assert [result.result_rows[0][0] for result in results] == list(range(30))


async def test_an_error_is_raised_and_the_client_lives_on(client: AsyncClient) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        await client.query("select * from nowhere")
    assert await client.command("select 1") == 1


async def test_a_cancelled_query_stops_on_the_server(client: AsyncClient, server: Server) -> None:
    marker = f"m_{uuid.uuid4().hex}"
    counting = f"select count() from system.processes where query like '%{marker}%' and query not like '%processes%'"
    task = asyncio.create_task(
        client.query(f"select /* {marker} */ count() from numbers(1e12) where sipHash64(number) = 1")
    )
    while await asyncio.to_thread(server.value, counting) == "0":  # noqa: ASYNC110 - another process is watched
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        while await asyncio.to_thread(server.value, counting) != "0":  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.1)


async def test_arrow_and_frames_come_back(client: AsyncClient) -> None:
    assert (await client.query_arrow("select number as n from numbers(10)")).num_rows == 10
    assert len(await client.query_df("select number as n from numbers(10)")) == 10

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from tests.contract.clickhouse.harness import Server


@pytest.fixture
def client(server: Server, database: str) -> Iterator[Client]:
    connected = server.client("radixinsight", database=database)
    connected.command(
        "create table t (id UInt64, name String, at DateTime64(3, 'UTC'), amount Nullable(Float64)) "
        "engine MergeTree order by id"
    )
    yield connected
    connected.close()


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": pd.Series([1, 2, 3], dtype="uint64"),
            "name": ["a", "b", "ç"],
            "at": pd.to_datetime(["2026-01-01T00:00:00.001", "2026-01-02", "2026-01-03"], format="ISO8601", utc=True),
            "amount": [0.5, None, 2.5],
        }
    )


def test_a_pandas_frame_survives_the_way_in_and_out(client: Client) -> None:
    client.insert_df("t", frame())
    back = client.query_df("select id, name, at, amount from t order by id")
    assert back["id"].tolist() == [1, 2, 3]
    assert back["name"].tolist() == ["a", "b", "ç"]
    assert [value.isoformat() for value in back["at"].dt.tz_localize(None)] == [
        value.isoformat() for value in frame()["at"].dt.tz_localize(None)
    ]
    assert back["amount"].isna().tolist() == [False, True, False]


def test_frames_are_streamed(client: Client) -> None:
    sql = "select number from numbers(100000)"
    with client.query_df_stream(sql, settings={"max_block_size": 10000}) as frames:
        assert sum(len(part) for part in frames) == 100000


def test_an_arrow_table_survives_the_way_in_and_out(client: Client) -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.uint64()),
            "name": ["a", "b"],
            "at": pa.array([1_767_225_600_001, 1_767_225_600_002], pa.timestamp("ms", tz="UTC")),
            "amount": pa.array([1.5, None], pa.float64()),
        }
    )
    client.insert_arrow("t", table)
    back = client.query_arrow("select id, name, at, amount from t order by id", use_strings=True)
    assert back.to_pylist() == table.to_pylist()


def test_arrow_batches_are_streamed(client: Client) -> None:
    sql = "select number, toString(number) as s from numbers(200000)"
    with client.query_arrow_stream(sql) as batches:
        rows = sum(batch.num_rows for batch in batches)
    assert rows == 200000


def test_arrow_backed_frames_come_back(client: Client) -> None:
    back = client.query_df_arrow("select number as n from numbers(1000)")
    assert back["n"].tolist() == list(range(1000))


def test_numpy_arrays_come_back(client: Client) -> None:
    assert client.query_np("select number from numbers(1000)").sum() == 499500
    with client.query_np_stream("select number from numbers(100000)") as arrays:
        assert sum(len(part) for part in arrays) == 100000

import datetime as dt
import decimal
import ipaddress
import uuid
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.contract.clickhouse.harness import Server

DAY = dt.date(2026, 1, 2)
INSTANT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
MILLISECOND = INSTANT.replace(microsecond=678000)


@pytest.fixture
def client(server: Server, database: str) -> Iterator[Client]:
    connected = server.client("radixinsight", database=database, tz_mode="aware")
    yield connected
    connected.close()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("Int8", [-128, 127]),
        ("Int16", [-32768, 32767]),
        ("Int32", [-(2**31), 2**31 - 1]),
        ("Int64", [-(2**63), 2**63 - 1]),
        ("Int128", [-(2**127), 2**127 - 1]),
        ("Int256", [-(2**255), 2**255 - 1]),
        ("UInt8", [0, 255]),
        ("UInt16", [0, 65535]),
        ("UInt32", [0, 2**32 - 1]),
        ("UInt64", [0, 2**64 - 1]),
        ("UInt128", [0, 2**128 - 1]),
        ("UInt256", [0, 2**256 - 1]),
        ("Float32", [0.5, -1.25]),
        ("Float64", [0.1, float("inf")]),
        ("Bool", [True, False]),
        ("String", ["", "text ✓ \0 \\ '"]),
        ("FixedString(3)", [b"abc", b"\0\1\2"]),
        ("LowCardinality(String)", ["a", "b"]),
        ("LowCardinality(Nullable(String))", ["a", None]),
        ("Nullable(UInt8)", [1, None]),
        ("Nullable(String)", ["x", None]),
        ("Date", [DAY, dt.date(1970, 1, 1)]),
        ("Date32", [DAY, dt.date(1925, 1, 1)]),
        ("DateTime('UTC')", [INSTANT, INSTANT + dt.timedelta(hours=1)]),
        ("DateTime64(3, 'UTC')", [MILLISECOND, MILLISECOND + dt.timedelta(days=1)]),
        ("DateTime64(6, 'UTC')", [MILLISECOND + dt.timedelta(microseconds=1), INSTANT]),
        ("Nullable(DateTime64(3, 'UTC'))", [MILLISECOND, None]),
        ("Decimal(9, 2)", [decimal.Decimal("12.34"), decimal.Decimal("-0.01")]),
        ("Decimal(38, 10)", [decimal.Decimal("1.0000000001"), decimal.Decimal(0)]),
        ("UUID", [uuid.UUID(int=1), uuid.UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0")]),
        ("IPv4", [ipaddress.IPv4Address("10.0.0.1"), ipaddress.IPv4Address("255.255.255.255")]),
        ("IPv6", [ipaddress.IPv6Address("2001:db8::1"), ipaddress.IPv6Address("::1")]),
        ("Enum8('a' = 1, 'b' = 2)", ["a", "b"]),
        ("Enum16('a' = 1000, 'b' = -1)", ["a", "b"]),
        ("Array(UInt32)", [[1, 2, 3], []]),
        ("Array(Array(String))", [[["a"], []], []]),
        ("Array(Nullable(String))", [["a", None], []]),
        ("Array(LowCardinality(String))", [["a", "b", "a"], []]),
        ("Tuple(UInt8, String)", [(1, "a"), (2, "b")]),
        ("Tuple(x UInt8, y Array(String))", [{"x": 1, "y": ["a"]}, {"x": 2, "y": []}]),
        ("Map(String, UInt64)", [{"a": 1, "b": 2}, {}]),
        ("Map(LowCardinality(String), Array(String))", [{"a": ["x"]}, {}]),
        ("Array(Tuple(UInt8, String))", [[(1, "a")], []]),
        ("JSON", [{"a": {"b": 1}, "c": ["x"]}, {"d": True}]),
        ("Point", [(1.0, 2.0), (0.0, 0.0)]),
        ("Variant(String, UInt64)", ["x", 5]),
        ("Dynamic", ["x", "5"]),
    ],
)
def test_every_type_survives_the_way_in_and_out(client: Client, kind: str, values: list[object]) -> None:
    client.command(f"create table t (id UInt8, v {kind}) engine MergeTree order by id")
    client.insert("t", [[number, value] for number, value in enumerate(values)], column_names=["id", "v"])
    stored = [row[0] for row in client.query("select v from t order by id").result_rows]
    assert stored == values


def test_an_insert_tells_how_many_rows_it_wrote(client: Client) -> None:
    client.command("create table t (x UInt32) engine MergeTree order by x")
    assert client.insert("t", [[number] for number in range(1234)], column_names=["x"]).written_rows == 1234


def test_columns_that_are_left_out_get_their_defaults(client: Client) -> None:
    client.command(
        "create table t (x UInt32, y UInt32 default x + 1, z UInt32 materialized x * 2) engine MergeTree order by x"
    )
    client.insert("t", [[5]], column_names=["x"])
    assert client.query("select x, y, z from t").result_rows == [(5, 6, 10)]


def test_an_insert_by_columns_works_too(client: Client) -> None:
    client.command("create table t (x UInt32, s String) engine MergeTree order by x")
    client.insert("t", [[1, 2, 3], ["a", "b", "c"]], column_names=["x", "s"], column_oriented=True)
    assert client.query("select sum(x), groupArray(s) from t").result_rows == [(6, ["a", "b", "c"])]


def test_a_large_insert_goes_in_many_blocks(client: Client) -> None:
    client.command("create table t (x UInt64, s String) engine MergeTree order by x")
    rows = [[number, f"some value {number}"] for number in range(150_000)]
    assert client.insert("t", rows, column_names=["x", "s"]).written_rows == 150_000
    assert client.query("select uniqExact(s) from t").result_rows == [(150_000,)]


def test_a_raw_insert_sends_the_bytes_as_they_are(client: Client) -> None:
    client.command("create table t (x UInt64, s String) engine MergeTree order by x")
    client.raw_insert("t", ["x", "s"], b'1,"a"\n2,"b"\n', fmt="CSV")
    client.raw_insert("t", insert_block=b'{"x": 3, "s": "c"}\n', fmt="JSONEachRow")
    assert client.query("select arraySort(groupArray((x, s))) from t").result_rows == [
        ([(1, "a"), (2, "b"), (3, "c")],)
    ]


def test_a_deduplication_token_travels_with_an_insert(client: Client) -> None:
    client.command(
        "create table t (x UInt8) engine MergeTree order by x settings non_replicated_deduplication_window = 100"
    )
    for _ in range(2):
        client.insert("t", [[1]], column_names=["x"], settings={"insert_deduplication_token": "same"})
    assert client.query("select count() from t").result_rows == [(1,)]


def test_a_value_that_does_not_fit_is_an_error_and_nothing_is_stored(client: Client) -> None:
    client.command("create table t (x UInt8, constraint small check x < 10) engine MergeTree order by x")
    with pytest.raises(DatabaseError, match="VIOLATED_CONSTRAINT"):
        client.insert("t", [[5], [50]], column_names=["x"])
    assert client.query("select count() from t").result_rows == [(0,)]


def test_an_insert_into_a_table_that_is_not_there_is_an_error(client: Client) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.insert("nowhere", [[1]], column_names=["x"])


def test_the_reader_cannot_insert(server: Server, client: Client, database: str) -> None:
    client.command("create table t (x UInt8) engine MergeTree order by x")
    with server.client("reader", database=database) as reader, pytest.raises(DatabaseError):
        reader.insert("t", [[1]], column_names=["x"])
    assert client.query("select count() from t").result_rows == [(0,)]

import datetime as dt
import decimal
import ipaddress
import threading
import uuid
import zoneinfo
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

from tests.contract.clickhouse.harness import Server


@pytest.fixture
def client(server: Server, database: str) -> Iterator[Client]:
    connected = server.client("radixinsight", database=database)
    yield connected
    connected.close()


def test_the_client_learns_version_zone_and_settings_on_connecting(client: Client) -> None:
    assert str(client.server_version).startswith("26.")
    assert str(client.server_tz) == "UTC"
    assert int(client.server_settings["max_threads"].value.removeprefix("auto(").removesuffix(")")) > 0


def test_rows_come_back_as_python_values(client: Client) -> None:
    result = client.query(
        """
        select
            toInt8(-8), toUInt64(18446744073709551615), toInt128('-170141183460469231731687303715884105728'),
            toUInt256('7'), toFloat32(0.5), toFloat64(0.1), true, 'text ✓', toFixedString('ab', 2),
            toDate('2026-01-02'), toDate32('1950-01-02'), toDateTime('2026-01-02 03:04:05', 'UTC'),
            toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC'),
            toDecimal64('12.34', 2), toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0'),
            toIPv4('10.0.0.1'), toIPv6('2001:db8::1'),
            cast('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)'), toLowCardinality('low'),
            [1, 2], (1, 'x'), map('k', 1), cast(null, 'Nullable(UInt8)'), [[1], []], [(1, 'a')],
            cast(null, 'Nullable(String)')
        """
    )
    assert result.result_rows[0] == (
        -8,
        18446744073709551615,
        -170141183460469231731687303715884105728,
        7,
        0.5,
        0.1,
        True,
        "text ✓",
        b"ab",
        dt.date(2026, 1, 2),
        dt.date(1950, 1, 2),
        dt.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - the client drops the zone UTC
        dt.datetime(2026, 1, 2, 3, 4, 5, 678000),  # noqa: DTZ001 - see above
        decimal.Decimal("12.34"),
        uuid.UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
        ipaddress.IPv4Address("10.0.0.1"),
        ipaddress.IPv6Address("2001:db8::1"),
        "b",
        "low",
        [1, 2],
        (1, "x"),
        {"k": 1},
        None,
        [[1], []],
        [(1, "a")],
        None,
    )


def test_column_names_and_types_are_told_even_without_rows(client: Client) -> None:
    result = client.query("select toUInt8(1) as a, 'x' as b where 0")
    assert result.result_rows == []
    full = client.query("select toUInt8(1) as a, 'x' as b")
    assert full.column_names == ("a", "b")
    assert [column.name for column in full.column_types] == ["UInt8", "String"]


def test_an_empty_result_keeps_its_column_names(client: Client) -> None:
    client.command("create table t (a UInt8, b String) engine MergeTree order by a")
    result = client.query("select a, b from t limit 0")
    assert (result.column_names, result.result_rows) == (("a", "b"), [])


def test_json_and_dynamic_columns_come_back_as_objects(client: Client) -> None:
    client.command("create table t (id UInt8, j JSON) engine MergeTree order by id")
    client.insert("t", [[1, {"a": {"b": 5}, "c": "x"}], [2, {}]], column_names=["id", "j"])
    assert client.query("select j from t order by id").result_rows == [({"a": {"b": 5}, "c": "x"},), ({},)]
    assert client.query("select j.a.b::Int64 from t where id = 1").result_rows == [(5,)]


def test_parameters_are_bound_by_the_server(client: Client) -> None:
    values = {"s": "it's; --", "n": 7, "a": ["x", "y"], "d": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)}
    sql = "select {s:String}, {n:UInt8}, {a:Array(String)}, {d:DateTime('UTC')} = '2026-01-02 03:04:05'"
    assert client.query(sql, parameters=values).result_rows == [("it's; --", 7, ["x", "y"], 1)]


def test_settings_are_sent_with_a_query(client: Client) -> None:
    assert client.command("select getSetting('max_threads')", settings={"max_threads": 2}) == 2


def test_commands_return_what_they_find(client: Client) -> None:
    assert client.command("select 13") == 13
    assert client.command("select 'a', 'b'") == ["a", "b"]
    client.command("create table t (x UInt8) engine Memory")
    assert client.command("exists table t") == 1
    assert str(client.command("show create table t")).startswith("CREATE TABLE")


def test_a_query_knows_its_id_and_its_counts(client: Client) -> None:
    client.command("create table t (x UInt64) engine MergeTree order by x")
    client.command("insert into t select number from numbers(1000)")
    result = client.query("select x from t", settings={"query_id": "mine-42", "wait_end_of_query": 1})
    assert result.query_id == "mine-42"
    assert int(result.summary["read_rows"]) == 1000


def test_a_database_error_is_raised_with_its_code(client: Client) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE") as caught:
        client.query("select * from nowhere")
    assert caught.value.code == 60


def test_a_failure_in_mid_stream_is_raised(client: Client) -> None:
    sql = "select number, throwIf(number = 500000, 'in mid-stream') from numbers(1000000)"
    with pytest.raises((StreamFailureError, DatabaseError), match="in mid-stream"):
        _ = client.query(sql, settings={"max_block_size": 1000, "wait_end_of_query": 0}).result_rows
    assert client.command("select 1") == 1


def test_blocks_and_rows_are_streamed(client: Client) -> None:
    sql = "select number, toString(number) from numbers(200000)"
    with client.query_row_block_stream(sql, settings={"max_block_size": 10000}) as blocks:
        sizes = [len(block) for block in blocks]
    assert (sum(sizes), len(sizes) > 10) == (200000, True)
    with client.query_column_block_stream(sql) as blocks:
        assert sum(sum(block[0]) for block in blocks) == 200000 * 199999 // 2
    with client.query_rows_stream(sql) as rows:
        assert sum(1 for _ in rows) == 200000


def test_a_stream_may_be_left_before_its_end(client: Client) -> None:
    with client.query_row_block_stream(
        "select number from numbers(10000000)", settings={"max_block_size": 1000}
    ) as blocks:
        for block in blocks:
            assert block[0] == (0,)
            break
    assert client.command("select 1") == 1


def test_raw_queries_return_the_format_that_was_asked_for(client: Client) -> None:
    assert client.raw_query("select 1 as x", fmt="JSONEachRow") == b'{"x":1}\n'
    with client.raw_stream("select number from numbers(3)", fmt="CSV") as stream:
        assert b"".join(stream) == b"0\n1\n2\n"


def test_external_data_can_be_joined(client: Client) -> None:
    external = ExternalData(
        file_name="names.csv", data=b'2,"two"\n3,"three"', fmt="CSV", structure="id UInt64, name String"
    )
    sql = "select number, name from numbers(10) as n join names on names.id = n.number order by number"
    assert client.query(sql, external_data=external).result_rows == [(2, "two"), (3, "three")]


def test_a_clients_session_keeps_temporary_tables(server: Server) -> None:
    with server.client("radixinsight", session_id=uuid.uuid4().hex) as client:
        client.command("create temporary table mine (x UInt8)")
        client.insert("mine", [[1], [2]], column_names=["x"])
        assert client.query("select sum(x) from mine").result_rows == [(3,)]


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", "br", False])
def test_every_compression_of_the_client_works(server: Server, database: str, *, compress: str | bool) -> None:
    with server.client("radixinsight", database=database, compress=compress) as client:
        client.command("create table t (x UInt64, s String) engine MergeTree order by x")
        client.insert("t", [[number, f"value {number}"] for number in range(20000)], column_names=["x", "s"])
        assert client.query("select count(), sum(x) from t").result_rows == [(20000, 199990000)]
        assert len(client.query("select x, s from t").result_rows) == 20000


def test_times_are_told_in_the_zone_that_was_asked_for(client: Client) -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    row = client.query("select toDateTime64('2026-07-01 12:00:00', 3, 'Europe/Berlin')").result_rows[0]
    assert row[0] == dt.datetime(2026, 7, 1, 12, tzinfo=berlin)
    shown = client.query("select toDateTime('2026-07-01 10:00:00', 'UTC')", query_tz="Europe/Berlin").result_rows[0]
    assert shown[0] == dt.datetime(2026, 7, 1, 12, tzinfo=berlin)


def test_one_client_serves_many_threads_without_a_session(server: Server) -> None:
    results: list[int] = []
    with server.client("radixinsight", autogenerate_session_id=False) as client:

        def work(number: int) -> None:
            results.append(client.query("select {n:UInt64} * 2", parameters={"n": number}).result_rows[0][0])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [number * 2 for number in range(16)]


def test_the_database_may_be_dropped_under_a_client(client: Client, server: Server, database: str) -> None:
    server.query(f"drop database {database} sync")
    with pytest.raises(DatabaseError, match="UNKNOWN_DATABASE"):
        client.query("select 1")

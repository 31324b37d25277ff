import io
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pyarrow.ipc
import pyarrow.orc
import pyarrow.parquet
import pytest

from tests.contract.clickhouse.harness import PASSWORDS, Server, target

COLUMNS = "id UInt64, name String, amount Float64, at DateTime('UTC'), tags Array(String)"
ROWS = """select number as id, concat('n', toString(number)) as name, number / 4 as amount,
    toDateTime(number, 'UTC') as at, ['a', toString(number)] as tags from numbers(500)"""


@pytest.fixture
def table(server: Server, database: str) -> str:
    server.query(f"create table t ({COLUMNS}) engine MergeTree order by id", database=database)
    return database


@pytest.mark.parametrize(
    "name",
    [
        "Arrow", "ArrowStream", "Avro", "BSONEachRow", "CSV", "CSVWithNames", "CSVWithNamesAndTypes", "CustomSeparated",
        "JSON", "JSONColumns", "JSONColumnsWithMetadata", "JSONCompact", "JSONCompactColumns", "JSONCompactEachRow",
        "JSONCompactEachRowWithNamesAndTypes", "JSONEachRow", "JSONLines", "JSONObjectEachRow", "JSONStringsEachRow",
        "MsgPack", "NDJSON", "Native", "ORC", "Parquet", "RowBinary", "RowBinaryWithNames",
        "RowBinaryWithNamesAndTypes", "TSKV", "TSV", "TSVWithNames", "TSVWithNamesAndTypes", "TabSeparated", "Values",
    ],
)  # fmt: skip
def test_what_one_format_writes_it_also_reads(server: Server, table: str, name: str) -> None:
    written = server.query(f"{ROWS} format {name}", date_time_output_format="iso" if name == "JSON" else "simple")
    assert written.status == 200, written.text
    answer = server.insert(
        f"insert into t format {name}", written.body, database=table, date_time_input_format="best_effort"
    )
    assert answer.status == 200, answer.text
    stored = server.value("select count(), sum(id), sum(amount), sum(length(tags[2])) from t", database=table)
    assert stored == "500\t124750\t31187.5\t1390"


def _counters() -> dict[str, Callable[[bytes], int]]:
    """Say for each format how a reader of it counts the rows of a document."""
    return {
        "JSON": lambda body: len(json.loads(body)["data"]),
        "JSONCompact": lambda body: json.loads(body)["rows"],
        "JSONColumns": lambda body: len(json.loads(body)["number"]),
        "XML": lambda body: body.count(b"<row>") if body.rstrip().endswith(b"</result>") else -1,
        "Parquet": lambda body: int(pyarrow.parquet.read_table(io.BytesIO(body)).num_rows),
        "Arrow": lambda body: int(pyarrow.ipc.open_file(body).read_all().num_rows),
        "ArrowStream": lambda body: int(pyarrow.ipc.open_stream(body).read_all().num_rows),
        "ORC": lambda body: int(pyarrow.orc.ORCFile(io.BytesIO(body)).nrows),
        "PrettyCompactMonoBlock": lambda body: body.decode().count("│") // 2,
        "CSVWithNames": lambda body: body.count(b"\n") - 1,
        "TSVWithNamesAndTypes": lambda body: body.count(b"\n") - 2,
        "Vertical": lambda body: body.count(b"number: "),
    }


@pytest.mark.parametrize("name", _counters())
def test_a_result_of_many_blocks_is_one_document(server: Server, name: str) -> None:
    settings = "max_block_size = 100, output_format_pretty_max_rows = 10000, output_format_pretty_row_numbers = 0"
    answer = server.query(f"select number from numbers(5000) settings {settings} format {name}")
    assert answer.status == 200, answer.text
    assert _counters()[name](answer.body) == 5000


def test_statement_and_rows_may_come_in_one_body(server: Server, table: str) -> None:
    rows = b'{"id": 1, "name": "one"}\n{"id": 2, "name": "two"}\n'
    assert server.query(b"insert into t format JSONEachRow\n" + rows, database=table).status == 200
    assert (
        server.value("select groupArray(name) from (select name from t order by id)", database=table) == "['one','two']"
    )


def test_values_in_the_statement_are_inserted(server: Server, table: str) -> None:
    sql = "insert into t (id, name, tags) values (1, 'it''s', ['x']), (1 + 1, upper('b'), [])"
    assert server.query(sql, database=table).status == 200
    assert (
        server.value("select groupArray((id, name, tags)) from t", database=table) == "[(1,'it\\'s',['x']),(2,'B',[])]"
    )


def test_rows_are_inserted_while_they_arrive(server: Server, table: str) -> None:
    def rows() -> Iterator[bytes]:
        for number in range(2000):
            yield b'{"id": %d, "name": "chunk"}\n' % number

    assert server.insert("insert into t format JSONEachRow", rows(), database=table).status == 200
    assert server.value("select count() from t", database=table) == "2000"


def test_a_body_that_breaks_off_stores_nothing(server: Server, table: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        credentials = {"user": "admin", "password": PASSWORDS["admin"]}
        address = target(query="insert into t (id) format TSV", database=table, **credentials)
        client.sendall(
            f"POST {address} HTTP/1.1\r\n".encode() + b"Host: x\r\nContent-Length: 1000000\r\n\r\n" + b"1\n" * 1000
        )
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert server.value("select count() from t", database=table) == "0"
    assert server.insert("insert into t (id) format TSV", b"7\n", database=table).status == 200
    assert server.value("select groupArray(id) from t", database=table) == "[7]"


def test_a_client_that_asks_first_is_told_to_go_on(server: Server, table: str) -> None:
    """As curl does before a large body."""
    address = target(query="insert into t (id) format TSV", database=table, user="admin", password=PASSWORDS["admin"])
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        head = "Host: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
        client.sendall(f"POST {address} HTTP/1.1\r\n{head}".encode())
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"1\n2\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert server.value("select sum(id) from t", database=table) == "3"


def test_an_insert_without_rows_is_fine(server: Server, table: str) -> None:
    assert server.insert("insert into t format JSONEachRow", b"", database=table).status == 200
    assert server.value("select count() from t", database=table) == "0"


def test_settings_of_the_format_are_obeyed(server: Server, table: str) -> None:
    rows = b'{"id": 1, "surplus": true}\n'
    refused = server.insert(
        "insert into t format JSONEachRow", rows, database=table, input_format_skip_unknown_fields=0
    )
    assert refused.code == 117
    skipped = server.insert(
        "insert into t format JSONEachRow", rows, database=table, input_format_skip_unknown_fields=1
    )
    assert skipped.status == 200
    inline = "insert into t settings input_format_skip_unknown_fields = 1 format JSONEachRow"
    assert server.insert(inline, rows, database=table).status == 200
    assert server.value("select count() from t", database=table) == "2"


def test_input_reshapes_the_rows_on_their_way(server: Server, table: str) -> None:
    sql = "insert into t (id, name) select x * 10, upper(s) from input('x UInt64, s String') format CSV"
    answer = server.insert(sql, b'1,"a"\n2,"b"\n', database=table)
    assert answer.status == 200, answer.text
    assert server.value("select groupArray((id, name)) from t", database=table) == "[(10,'A'),(20,'B')]"


def test_the_same_deduplication_token_is_inserted_once(server: Server, database: str) -> None:
    sql = "create table t (x UInt8) engine MergeTree order by x settings non_replicated_deduplication_window = 100"
    server.query(sql, database=database)
    for token in ("a", "a", "b"):
        answer = server.insert("insert into t format TSV", b"1\n", database=database, insert_deduplication_token=token)
        assert answer.status == 200
    assert server.value("select count() from t", database=database) == "2"


def test_a_materialized_view_sees_the_rows_of_a_streamed_insert(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    server.query(
        "create materialized view m engine SummingMergeTree order by k as select x % 2 as k, 1 as n from t",
        database=database,
    )
    server.insert("insert into t format TSV", b"1\n2\n3\n", database=database)
    assert (
        server.value(
            "select groupArray((k, n)) from (select k, sum(n) as n from m group by k order by k)", database=database
        )
        == "[(0,1),(1,2)]"
    )


def multipart(parts: dict[str, tuple[dict[str, str], bytes]]) -> tuple[bytes, dict[str, str]]:
    boundary = "b0undary"
    body = b""
    for name, (extra, content) in parts.items():
        disposition = "; ".join([f'form-data; name="{name}"', *(f'{key}="{value}"' for key, value in extra.items())])
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def test_an_external_table_can_be_joined(server: Server) -> None:
    body, headers = multipart({"wanted": ({"filename": "wanted.tsv"}, b"2\ttwo\n4\tfour\n")})
    answer = server.request(
        "POST",
        target(
            query="select number, name from numbers(10) as n join wanted as w on n.number = w.id order by number",
            wanted_structure="id UInt64, name String",
        ),
        body,
        headers,
        "admin",
    )
    assert answer.text == "2\ttwo\n4\tfour\n"


def test_external_tables_have_formats_and_types_of_their_own(server: Server) -> None:
    body, headers = multipart(
        {
            "a": ({"filename": "a.csv"}, b'1,"x"\n'),
            "b": ({"filename": "b.jsonl"}, b'{"n": 5}\n{"n": 6}\n'),
        }
    )
    answer = server.request(
        "POST",
        target(
            query="select (select any(_2) from a), (select sum(n) from b)",
            a_format="CSV",
            a_types="UInt8,String",
            b_format="JSONEachRow",
            b_structure="n UInt64",
        ),
        body,
        headers,
        "admin",
    )
    assert answer.text == "x\t11\n", answer.text


def test_external_tables_are_gone_after_their_query(server: Server) -> None:
    body, headers = multipart({"fleeting": ({"filename": "f"}, b"1\n")})
    sql = target(query="select count() from fleeting", fleeting_structure="x UInt8")
    assert server.request("POST", sql, body, headers, "admin").text == "1\n"
    assert server.query("select count() from fleeting").code == 60


def test_query_and_parameters_may_be_form_fields(server: Server) -> None:
    body, headers = multipart({"query": ({}, b"select {x:UInt8} + 1"), "param_x": ({}, b"41")})
    assert server.request("POST", "/", body, headers, "admin").text == "42\n"


def test_rows_that_the_table_refuses_are_an_error(server: Server, database: str) -> None:
    """The engine's own streaming insert reports success here."""
    server.query(
        "create table t (x UInt8, constraint small check x < 10) engine MergeTree order by x", database=database
    )
    rows = b"".join(b"%d\n" % (n % 11) for n in range(1_000_000))
    for body in (b"5\n50\n", rows):
        answer = server.insert("insert into t format TSV", body, database=database)
        assert (answer.status, answer.code) == (500, 469), answer.text
    assert server.value("select count() from t", database=database) == "0"


def test_an_insert_into_too_many_partitions_is_an_error(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree partition by x order by x", database=database)
    answer = server.insert("insert into t format TSV", b"".join(b"%d\n" % n for n in range(200)), database=database)
    assert answer.code == 252, answer.text
    assert server.value("select count() from t", database=database) == "0"


def test_an_insert_that_fails_in_a_materialized_view_is_an_error(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    picky = "select throwIf(x = 50, 'picky') as refused from t"
    server.query(f"create materialized view m engine MergeTree order by tuple() as {picky}", database=database)
    answer = server.insert("insert into t format TSV", b"50\n", database=database)
    assert answer.code == 395, answer.text


def test_a_large_body_that_breaks_off_stores_nothing(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        credentials = {"user": "admin", "password": PASSWORDS["admin"]}
        address = target(query="insert into t format TSV", database=database, **credentials)
        client.sendall(f"POST {address} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n".encode())
        client.sendall(b"1234567\n" * 500_000)
    running = "select count() from system.processes where query like 'insert into t %' and current_database = '{}'"
    while server.value(running.format(database)) != "0":
        time.sleep(0.05)
    assert server.value("select count() from t", database=database) == "0"


def test_a_large_body_that_is_refused_at_its_start_is_answered(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    answer = server.insert("insert into t format TSV", b"one\n" + b"2\n" * 10_000_000, database=database)
    assert (answer.status, answer.code) == (400, 27), answer.text
    assert server.value("select count() from t", database=database) == "0"


def test_a_large_body_arrives_byte_for_byte(server: Server, database: str) -> None:
    server.query("create table t (n UInt64, s String) engine MergeTree order by n", database=database)
    rows = server.query("select number as n, hex(sipHash128(n)) as s from numbers(400000) format Native").body
    assert server.insert("insert into t format Native", rows, database=database).status == 200
    same = "select count(), countIf(s = hex(sipHash128(n))), sum(n) from t"
    assert server.value(same, database=database) == "400000\t400000\t79999800000"

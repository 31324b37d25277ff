import re
import threading
import time
import uuid

import pytest

from tests.contract.clickhouse.harness import Answer, Server, target


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("selec 1", 400, 62, "SYNTAX_ERROR"),
        ("select * from nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("select nofunction(1)", 404, 46, "UNKNOWN_FUNCTION"),
        ("select nocolumn", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("select toUInt8('x')", 400, 6, "CANNOT_PARSE_TEXT"),
        ("select 1 format NoFormat", 404, 73, "UNKNOWN_FORMAT"),
        ("select throwIf(1, 'on purpose')", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("select sleep(2) settings max_execution_time = 0.2", 408, 159, "TIMEOUT_EXCEEDED"),
        ("select 1 as x, x + [1]", 400, 43, "ILLEGAL_TYPE_OF_ARGUMENT"),
    ],
)
def test_an_error_has_the_real_servers_status_code_and_text(
    server: Server, sql: str, status: int, code: int, name: str
) -> None:
    answer = server.query(sql)
    if code == 43:  # the real server has no status of its own for this one
        status = 500
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["content-type"].startswith("text/plain")
    assert re.fullmatch(rf"Code: {code}\. DB::Exception: .*\({name}\) \(version [\d.]+ .*\)\n", answer.text, re.DOTALL)


def test_an_empty_query_is_a_syntax_error(server: Server) -> None:
    answer = server.query("")
    assert (answer.status, answer.code) == (400, 62)
    assert "Empty query" in answer.text


def test_a_get_request_changes_nothing(server: Server, database: str) -> None:
    sql = f"create table {database}.t (x UInt8) engine Memory"
    answer = server.get(target(query=sql), user="admin")
    assert (answer.status, answer.code) == (500, 164)
    assert server.value(f"exists table {database}.t") == "0"


def test_the_query_id_is_told_with_an_error_too(server: Server) -> None:
    assert server.query("selec 1", query_id="failing").headers["x-clickhouse-query-id"] == "failing"


MID_STREAM = (
    "select number, throwIf(number = 300000, 'in mid-stream') from numbers(1000000) settings max_block_size = 1000"
)


@pytest.mark.parametrize("name", ["TSV", "Native", "JSONEachRow", "JSON", "Parquet", "RowBinary", "CSVWithNames"])
def test_a_failure_in_mid_stream_ends_the_body_with_a_tagged_exception(server: Server, name: str) -> None:
    answer = server.query(f"{MID_STREAM} format {name}")
    if answer.status == 200:
        tag = answer.headers["x-clickhouse-exception-tag"]
        found = re.search(
            rf"__exception__\r\n{tag}\r\n(?P<text>.*)\n(?P<length>\d+) {tag}\r\n__exception__\r\n$".encode(),
            answer.body,
            re.DOTALL,
        )
        assert found is not None, answer.body[-500:]
        assert int(found["length"]) == len(found["text"]) + 1
        assert b"Code: 395. DB::Exception: in mid-stream" in found["text"]
        assert not answer.complete, "the body must not look whole"
    else:  # a format that is written at its end fails before anything was sent
        assert (answer.status, answer.code) == (500, 395)
        assert name == "Parquet"


def test_a_failure_in_mid_stream_becomes_a_clean_error_with_wait_end_of_query(server: Server) -> None:
    answer = server.query(f"{MID_STREAM} format TSV", wait_end_of_query=1)
    assert (answer.status, answer.code) == (500, 395)
    assert answer.text.startswith("Code: 395. DB::Exception: in mid-stream")


def test_after_a_failure_in_mid_stream_the_server_serves_on(server: Server) -> None:
    for _ in range(5):
        server.query(f"{MID_STREAM} format Native")
    assert server.value("select 1") == "1"
    assert server.value("select count() from system.processes where query like '%300000%mid-stream%'") == "1"


def test_a_broken_insert_names_the_row_and_stores_nothing(server: Server, database: str) -> None:
    server.query("create table t (x UInt8) engine MergeTree order by x", database=database)
    answer = server.insert("insert into t format TSV", b"1\n2\nthree\n", database=database)
    assert answer.status == 400
    assert "row 3" in answer.text
    assert server.value("select count() from t", database=database) == "0"


def test_chained_statements_are_refused(server: Server, database: str) -> None:
    answer = server.query(f"select 1; create table {database}.t (x UInt8) engine Memory")
    assert (answer.status, answer.code) == (400, 62)
    assert "Multi-statements are not allowed" in answer.text
    assert server.value(f"exists table {database}.t") == "0"


def test_one_trailing_semicolon_and_comments_are_fine(server: Server) -> None:
    assert server.query("/* ; */ select ';' as `a;b` -- ; more\n;  -- the end; really\n").text == ";\n"


def test_a_chain_is_refused_behind_comments_quotes_and_inserts(server: Server, database: str) -> None:
    server.query("create table t (x String) engine Memory", database=database)
    for sql in (
        "select 1 /* ; */; drop table t",
        "select ';'; drop table t",
        "select $$a$$; drop table t",
        "insert into t select 'x'; drop table t",
        "insert into t values ('x'); drop table t",
    ):
        answer = server.query(sql, database=database)
        assert answer.status == 400, sql
    assert server.value("exists table t", database=database) == "1"


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize(
    "sql",
    [
        "select sleepEachRow(0.1) from numbers(300) settings max_block_size = 1 format Null",
        "select number, sleepEachRow(0.01) from numbers(3000) settings max_block_size = 10 format Native",
        "select number, sleepEachRow(0.01) from numbers(3000) settings max_block_size = 10 format JSON",
        "select count() from numbers(1e12) where sipHash64(number) = 1 format Native",
        "insert into function null('x UInt64') select sleepEachRow(0.1) from numbers(300) settings max_block_size = 1",
    ],
)
def test_a_query_is_killed_by_its_id_whatever_it_does(server: Server, how: str, sql: str) -> None:
    """The query can't leave its handle before the KILL is over, and a KILL SYNC not end before the query has."""
    query_id = f"named-{uuid.uuid4()}"
    address = target(user="admin", password="a-secret", query_id=query_id)
    outcome: list[Answer] = []
    asking = threading.Thread(target=lambda: outcome.append(server.request("POST", address, sql.encode(), user=None)))
    asking.start()
    deadline = time.monotonic() + 10
    while not server.query(f"kill query where query_id = '{query_id}' {how}").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    asking.join(20)
    assert not asking.is_alive()
    assert outcome[0].code == 394 or b"QUERY_WAS_CANCELLED" in outcome[0].body or not outcome[0].complete


def test_a_query_that_was_killed_says_so(server: Server) -> None:
    connection = server.connection()
    connection.request(
        "POST",
        target(user="admin", password="a-secret", query_id="victim"),
        "select sleepEachRow(0.1) from numbers(300) settings max_block_size = 1 format Null",
    )
    deadline = time.monotonic() + 10
    running = "select count() from system.processes where query like 'select sleepEachRow%numbers(300)%'"
    while server.value(running) != "1":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    server.query("kill query where query like 'select sleepEachRow%numbers(300)%' sync")
    response = connection.getresponse()
    assert response.status == 500
    assert response.getheader("X-ClickHouse-Exception-Code") == "394"
    connection.close()

import json
import uuid

import pytest

from tests.contract.clickhouse.harness import Server


@pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
def test_the_health_paths_answer_ok_without_credentials(server: Server, path: str) -> None:
    answer = server.get(path)
    assert (answer.status, answer.text) == (200, "Ok.\n")


def test_an_unknown_path_is_not_found(server: Server) -> None:
    answer = server.get("/nowhere", user="admin")
    assert answer.status == 404
    assert "There is no handle /nowhere" in answer.text


def test_a_query_may_stand_in_the_url(server: Server) -> None:
    answer = server.get("/?query=select%20%27url%27", user="admin")
    assert (answer.status, answer.text) == (200, "url\n")


def test_a_query_may_stand_in_the_body(server: Server) -> None:
    assert server.query("select 'body'").text == "body\n"


def test_url_and_body_are_one_query_joined_by_a_line_break(server: Server) -> None:
    assert server.query("42", query="select").text == "42\n"


def test_a_head_request_has_headers_and_no_body(server: Server) -> None:
    answer = server.request("HEAD", "/?query=select%201")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["x-clickhouse-format"] == "TabSeparated"


def test_every_answer_carries_the_headers_that_clients_read(server: Server) -> None:
    headers = server.query("select 1").headers
    assert headers["x-clickhouse-timezone"] == "UTC"
    assert headers["x-clickhouse-format"] == "TabSeparated"
    assert headers["x-clickhouse-server-display-name"]
    assert headers["content-type"] == "text/tab-separated-values; charset=UTF-8"
    assert uuid.UUID(headers["x-clickhouse-query-id"])
    assert len(headers["x-clickhouse-exception-tag"]) == 16
    assert "x-clickhouse-exception-code" not in headers


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("JSON", "application/json; charset=UTF-8"),
        ("JSONEachRow", "application/x-ndjson; charset=UTF-8"),
        ("CSV", "text/csv; charset=UTF-8; header=absent"),
        ("CSVWithNames", "text/csv; charset=UTF-8; header=present"),
        ("Native", "application/octet-stream"),
        ("Parquet", "application/octet-stream"),
        ("XML", "application/xml; charset=UTF-8"),
        ("Pretty", "text/plain; charset=UTF-8"),
    ],
)
def test_the_content_type_follows_the_format(server: Server, name: str, content_type: str) -> None:
    answer = server.query(f"select 1 as x format {name}")
    assert answer.status == 200
    assert answer.headers["x-clickhouse-format"] == name
    assert answer.headers["content-type"] == content_type


def test_the_default_format_comes_from_the_url_or_the_header_and_the_query_overrules_both(server: Server) -> None:
    assert server.query("select 1 as x", default_format="JSONEachRow").text == '{"x":1}\n'
    assert server.query("select 1 as x", headers={"X-ClickHouse-Format": "CSVWithNames"}).text == '"x"\n1\n'
    assert server.query("select 1 as x format TSV", default_format="JSONEachRow").text == "1\n"


def test_the_database_comes_from_the_url_or_the_header(server: Server, database: str) -> None:
    assert server.query("select currentDatabase()", database=database).text == f"{database}\n"
    assert server.query("select currentDatabase()", headers={"X-ClickHouse-Database": database}).text == f"{database}\n"
    assert server.query("select currentDatabase()").text == "default\n"


def test_an_unknown_database_is_named_in_the_error(server: Server) -> None:
    answer = server.query("select 1", database="nowhere")
    assert (answer.status, answer.code) == (404, 81)
    assert "nowhere" in answer.text


def test_settings_in_the_url_hold_for_that_query_only(server: Server) -> None:
    sql = "select getSetting('max_threads')"
    assert server.query(sql, max_threads=3).text == "3\n"
    assert server.query(sql, max_threads=1).text == "1\n"
    assert server.query("select value, changed from system.settings where name = 'max_block_size'").text == "65409\t0\n"


def test_an_unknown_setting_is_refused(server: Server) -> None:
    answer = server.query("select 1", no_such_setting=1)
    assert (answer.status, answer.code) == (404, 115)
    assert "no_such_setting" in answer.text


def test_parameters_are_bound_by_type_and_never_read_as_sql(server: Server) -> None:
    awkward = "it's; drop table x --\t\\"
    answer = server.query(
        "select {n:UInt8} + 1, {s:String}, {a:Array(String)} format JSONCompactEachRow",
        param_n=41,
        param_s=awkward.replace("\\", "\\\\").replace("\t", "\\t"),
        param_a="['x', 'y']",
    )
    assert json.loads(answer.text) == [42, awkward, ["x", "y"]]


def test_a_missing_parameter_is_named(server: Server) -> None:
    answer = server.query("select {missing:UInt8}")
    assert answer.code == 456
    assert "missing" in answer.text


def test_parameters_work_in_inserts_and_ddl(server: Server, database: str) -> None:
    create = server.query("create table {t:Identifier} (x String) engine Memory", database=database, param_t="made")
    assert create.status == 200
    insert = "insert into {t:Identifier} select {v:String}"
    assert server.query(insert, database=database, param_t="made", param_v="bound").status == 200
    assert server.value("select x from made", database=database) == "bound"


def test_the_query_id_is_the_clients_when_it_gives_one(server: Server) -> None:
    mine = f"mine-{uuid.uuid4()}"
    assert server.query("select 1", query_id=mine).headers["x-clickhouse-query-id"] == mine


def test_the_summary_counts_what_was_written(server: Server, database: str) -> None:
    server.query("create table t (x UInt64, s String) engine MergeTree order by x", database=database)
    inline = server.query("insert into t select number, 'abc' from numbers(1000)", database=database)
    assert json.loads(inline.headers["x-clickhouse-summary"])["written_rows"] == "1000"
    body = server.insert("insert into t format TSV", b"1\ta\n2\tb\n3\tc\n", database=database)
    assert json.loads(body.headers["x-clickhouse-summary"])["written_rows"] == "3"
    assert int(json.loads(body.headers["x-clickhouse-summary"])["written_bytes"]) > 0


def test_the_summary_counts_what_was_read_and_returned(server: Server, database: str) -> None:
    server.query("create table t (x UInt64) engine MergeTree order by x", database=database)
    server.query("insert into t select number from numbers(50000)", database=database)
    answer = server.query("select x from t where x % 5 = 0", database=database, wait_end_of_query=1)
    summary = json.loads(answer.headers["x-clickhouse-summary"])
    assert summary["read_rows"] == "50000"
    assert int(summary["read_bytes"]) == 50000 * 8
    assert summary["result_rows"] == "10000"
    assert int(summary["elapsed_ns"]) > 0


def test_one_connection_serves_many_queries(server: Server) -> None:
    connection = server.connection()
    for number in range(3):
        connection.request("GET", f"/?query=select%20{number}&user=admin&password=a-secret")
        response = connection.getresponse()
        assert response.read() == f"{number}\n".encode()
        assert response.getheader("Connection", "").lower() == "keep-alive"
    connection.close()


def test_a_client_may_ask_for_the_connection_to_be_closed(server: Server) -> None:
    assert server.get("/ping", headers={"Connection": "close"}).headers["connection"].lower() == "close"


def test_http_1_0_is_answered_without_chunks(server: Server) -> None:
    connection = server.connection()
    connection.connect()
    connection.sock.sendall(b"GET /?query=select+7&user=admin&password=a-secret HTTP/1.0\r\n\r\n")
    received = b""
    while block := connection.sock.recv(65536):
        received += block
    connection.close()
    head, _, body = received.partition(b"\r\n\r\n")
    assert body == b"7\n"
    assert b"chunked" not in head.lower()


def test_a_pipelined_second_request_is_answered_in_turn(server: Server) -> None:
    connection = server.connection()
    connection.connect()
    one = b"GET /?query=select+%d&user=admin&password=a-secret HTTP/1.1\r\nHost: x\r\n%s\r\n"
    connection.sock.sendall(one % (1, b"") + one % (2, b"Connection: close\r\n"))
    received = b""
    while block := connection.sock.recv(65536):
        received += block
    connection.close()
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.index(b"1\n") < received.index(b"2\n")


def test_a_browser_may_ask_from_another_origin_only_when_it_says_so(server: Server) -> None:
    answer = server.query("select 1", headers={"Origin": "http://elsewhere"}, add_http_cors_header=1)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in server.query("select 1").headers

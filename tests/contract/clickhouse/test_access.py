import pytest

from tests.contract.clickhouse.harness import PASSWORDS, Server, basic, target

USERS = sorted(PASSWORDS)


@pytest.mark.parametrize("user", USERS)
def test_a_user_may_prove_himself_in_each_of_the_usual_ways(server: Server, user: str) -> None:
    password = PASSWORDS[user]
    ways = [
        server.get("/?query=select%20currentUser()", headers=basic(user, password)),
        server.get("/?query=select%20currentUser()", headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password}),
        server.get(target(query="select currentUser()", user=user, password=password)),
    ]
    assert [(answer.status, answer.text) for answer in ways] == [(200, f"{user}\n")] * 3


def test_without_credentials_a_browser_is_asked_for_them(server: Server) -> None:
    answer = server.get("/?query=select%201")
    assert (answer.status, answer.code) == (401, 194)
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("user", ["admin", "nobody", "default", ""])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_and_an_unknown_user_look_the_same(server: Server, user: str, password: str) -> None:
    answer = server.get("/?query=select%201", headers=basic(user, password))
    if user in {"default", ""} and not password:
        assert answer.status in {401, 403}
        return
    assert (answer.status, answer.code) == (403, 516)
    assert "password is incorrect, or there is no user with such name" in answer.text


def test_two_kinds_of_credentials_at_once_are_refused(server: Server) -> None:
    headers = basic("admin", PASSWORDS["admin"]) | {"X-ClickHouse-User": "reader"}
    assert server.get("/?query=select%201", headers=headers).status == 403


def test_broken_basic_credentials_are_refused(server: Server) -> None:
    for value in ("Basic !!!", "Basic", "Bearer abc", "Basic bm9jb2xvbg=="):
        assert server.get("/?query=select%201", headers={"Authorization": value}).status in {400, 401, 403}


def test_basic_credentials_outside_ascii_are_wrong_ones(server: Server) -> None:
    answer = server.get("/?query=select%201", headers={"Authorization": "Basic w\u00fc=="})
    assert (answer.status, answer.code) == (403, 516)


def test_no_password_shows_in_errors_query_texts_or_logs(server: Server) -> None:
    server.get(target(query="selec", user="admin", password=PASSWORDS["admin"]))
    server.get(target(query="select 1", user="admin", password="mistyped-secret"))
    server.query("system flush logs")
    logged = server.value(
        "select count() from system.query_log where query not like '%query_log%' and query like '%a-secret%'"
    )
    assert logged == "0"
    log = server.log.read_text()
    assert "a-secret" not in log
    assert "mistyped-secret" not in log


def test_the_reader_reads(server: Server, stocked: str) -> None:
    assert server.value("select sum(x) from t", user="reader", database=stocked) == "45"
    assert server.query("show tables", user="reader", database=stocked).text == "t\n"
    assert server.query("describe table t", user="reader", database=stocked).status == 200
    assert server.query("explain select x from t", user="reader", database=stocked).status == 200


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t values (1)",
        "insert into t select 1",
        "create table u (x UInt8) engine Memory",
        "create temporary table u (x UInt8)",
        "create view u as select 1",
        "create database u_other",
        "create function u_plus as (x) -> x + 1",
        "alter table t delete where 1",
        "alter table t add column y UInt8",
        "delete from t where 1",
        "update t set x = 1 where 1",
        "truncate table t",
        "drop table t",
        "rename table t to u",
        "optimize table t final",
        "kill query where 1",
        "system flush logs",
        "system stop merges",
        "detach table t",
        "backup table t to Disk('backups', 'x')",
        "set readonly = 0",
        "set max_execution_time = 0",
        "grant all on *.* to reader",
        "create user intruder",
    ],
)
def test_the_reader_changes_nothing(server: Server, stocked: str, sql: str) -> None:
    answer = server.query(sql, user="reader", database=stocked)
    assert answer.status >= 400, answer.text
    assert answer.code in {164, 497, 36, 48, 62, 452, 1, 344}, answer.text
    assert server.value("select count(), sum(x) from t", database=stocked) == "10\t45"
    assert server.query("show tables", database=stocked).text == "t\n"


def test_the_reader_cannot_lift_his_own_limits(server: Server) -> None:
    for attempt in (
        server.query("select 1", user="reader", readonly=0),
        server.query("select 1", user="reader", allow_ddl=1),
        server.query("select 1 settings readonly = 0", user="reader"),
        server.query("select 1 settings max_execution_time = 0", user="reader"),
        server.query("select 1", user="reader", max_memory_usage=0),
    ):
        assert attempt.status >= 400, attempt.text
        assert attempt.code in {164, 452}, attempt.text


def test_the_reader_may_set_what_shapes_his_answer(server: Server) -> None:
    answer = server.query(
        "select toUInt64(1) as x format JSONEachRow",
        user="reader",
        output_format_json_quote_64bit_integers=1,
        max_block_size=1000,
        max_threads=1,
    )
    assert answer.text == '{"x":"1"}\n'


def test_the_working_user_reads_writes_and_defines(server: Server, database: str) -> None:
    def run(sql: str) -> None:
        answer = server.query(sql, user="radixinsight", database=database)
        assert answer.status == 200, f"{sql}: {answer.text}"

    run("create table t (x UInt64) engine ReplacingMergeTree order by x")
    run("insert into t select number from numbers(10)")
    run("alter table t add column y String default 'y'")
    run("alter table t delete where x > 5 settings mutations_sync = 2")
    run("create view v as select x from t")
    run("create materialized view m engine MergeTree order by x as select x from t")
    source = f"clickhouse(db '{database}' table 't' user 'radixinsight' password '{PASSWORDS['radixinsight']}')"
    run(f"create dictionary d (x UInt64, y String) primary key x source({source}) layout(hashed()) lifetime(0)")
    run("select dictGet('d', 'y', toUInt64(1))")
    run("drop dictionary d")
    run("rename table t to t2")
    run("optimize table t2 final")
    run("select * from merge(currentDatabase(), '^t2$')")
    run("drop table t2 sync")
    inner = f"{database}_inner"
    run(f"create database {inner}")
    run(f"drop database {inner}")


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "sql", ["system shutdown", "SYSTEM  SHUTDOWN", "system /* x */ shutdown", "system kill", "SyStEm -- x\n kIlL"]
)
def test_nobody_can_switch_the_server_off_by_a_query(server: Server, user: str, sql: str) -> None:
    answer = server.query(sql, user=user)
    assert answer.status >= 400
    assert answer.code in {164, 497}, answer.text
    assert server.query("select 1").text == "1\n"

import pytest

from runtime.clickhouse.access import Guard
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.users import Role

GUARD = Guard(
    frozenset({"file", "url", "s3", "remote", "numbers", "merge", "view", "null", "brand_new"}),
    frozenset({"mergetree", "memory", "file", "url", "atomic", "filesystem", "brandnewengine"}),
)


def is_refused(sql: str, role: Role = Role.WRITER) -> bool:
    try:
        GUARD.check(sql, role)
    except ClickHouseError as error:
        return error.code == 497
    return False


@pytest.mark.parametrize(
    "sql",
    [
        "select * from file('/etc/passwd')",
        "select file('/etc/passwd')",
        r"select * from `fi\x6ce`('x')",
        "select * from \u201cfile\u201d('x')",
        "select * from brand_new('x')",
        "select arrayMap(p -> file(p), ['x'])",
        "select 1 as a$x$, file('x') as b$x$",
        "select 1,.0x$$, file('x') as b$$",
        "select 1,.5into outfile 'x'",
        "select * apply file from t",
        "select * apply(file) from t",
        "create table t as url('x')",
        "create table u engine = BrandNewEngine",
        "create table u (x UInt8) engine File(CSV)",
        "create table u (x UInt8) engine MergeTree order by x settings disk = disk(type = local, path = '/')",
        "create database d engine = Filesystem('/')",
        "create dictionary d (a UInt64) primary key a source(http(url 'x')) layout(flat())",
        "create dictionary d (a UInt64) primary key a source(clickhouse(host 'far' table 't')) layout(flat())",
        "create dictionary d (a UInt64) primary key a source(clickhouse(query 'select * from file(1)')) layout(flat())",
        "select 1 from t settings additional_table_filters = {'t': 'file(\\'x\\') != 1'}",
        "select 1 format Template settings format_template_row = '/etc/passwd'",
        "set dialect = 'prql'",
        "select 1 into outfile 'x'",
        "insert into t from infile 'x' format CSV",
        "attach table u from '/x' (a UInt8) engine Memory",
        "backup table t to Disk('a', 'b')",
        "create named collection n as a = 1",
        "create or replace user u",
        "grant all on *.* to x",
        "copy t to 'x'",
    ],
)
def test_what_reaches_outside_the_database_is_the_admins(sql: str) -> None:
    assert is_refused(sql)
    assert is_refused(sql, Role.READER)
    assert not is_refused(sql, Role.ADMIN)


@pytest.mark.parametrize(
    "sql",
    [
        "select 'file(1)', url from file where x in ('into outfile')",
        "create table file (url String) engine MergeTree order by url",
        "create or replace table db.file (url String) engine Memory",
        "insert into file (url) values ('file(1)')",
        "insert into table db.url (x) select 1",
        "select count() as file from t group by 1 -- file(1)",
        "select * from numbers(10), merge('a', 'b'), view(select 1)",
        "create dictionary d (a UInt64) primary key a source(clickhouse(table 't' db 'd')) layout(flat())",
        "create function f as (x) -> x + 1",
        "select 1 settings max_threads = 1, log_comment = 'a(b)'",
    ],
)
def test_names_and_data_that_only_look_like_it_are_fine(sql: str) -> None:
    assert not is_refused(sql)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("sql", ["system shutdown", "SYSTEM/**/KILL", "system -- x\n suspend for 1 second"])
def test_nobody_ends_the_server(sql: str, role: Role) -> None:
    assert is_refused(sql, role)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format_template_row", "/etc/passwd"),
        ("dialect", "prql"),
        ("additional_table_filters", "{'t': 'file(\\'x\\') = 1'}"),
        ("additional_result_filter", "file('x') = 1"),
    ],
)
def test_settings_that_reach_outside_are_the_admins(name: str, value: str) -> None:
    with pytest.raises(ClickHouseError, match="Only an admin"):
        GUARD.check_setting(name, value, Role.WRITER)
    GUARD.check_setting(name, value, Role.ADMIN)


def test_a_long_query_is_looked_at_to_its_end() -> None:
    assert is_refused(f"select {'1 + ' * 100_000} file('x')")

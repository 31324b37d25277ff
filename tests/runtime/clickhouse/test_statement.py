import pytest

from runtime.clickhouse.insert_head import parse_insert
from runtime.clickhouse.statement import first_word, parse


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("select 1 format JSON", "JSON"),
        ("select 1 FORMAT `JSON`;", "JSON"),
        ("select 1 format /* x */ CSV -- end", "CSV"),
        ("select 1 settings max_threads = 1 format TSV", "TSV"),
        ("select 1 format TSV settings max_threads = 1", "TSV"),
        ("select * from (select 1 format JSON)", None),
        ("select format from t", None),
        ("select 'format JSON'", None),
        ("select 1", None),
    ],
)
def test_the_format_is_that_of_the_closing_clause(sql: str, name: str | None) -> None:
    clause = parse(sql).format
    assert (clause.name if clause else None) == name


@pytest.mark.parametrize(
    ("sql", "rewritten"),
    [
        ("select 1", "select 1 into outfile 'f' truncate format CSV "),
        ("select 1 ; -- end", "select 1 into outfile 'f' truncate format CSV "),
        ("select 1 format JSON", "select 1  into outfile 'f' truncate format CSV "),
        (
            "select 1 format JSON settings a = 1",
            "select 1  into outfile 'f' truncate format CSV  settings a = 1",
        ),
    ],
)
def test_a_result_is_sent_to_a_file_in_place_of_its_format_clause(sql: str, rewritten: str) -> None:
    assert parse(sql).to_file("f", "CSV") == rewritten


@pytest.mark.parametrize("sql", ["select 1", "select version()", "SELECT 1 + 1 AS two, 'x'"])
def test_a_query_of_constants_is_small(sql: str) -> None:
    assert parse(sql).is_small


@pytest.mark.parametrize("sql", ["select x from t", "select range(1000000000)", "select *\nfrom numbers(1e9)"])
def test_what_may_grow_is_not_small(sql: str) -> None:
    assert not parse(sql).is_small


def test_a_select_that_writes_a_file_itself_is_not_streamed() -> None:
    assert not parse("select 1 into outfile 'x'").is_select
    assert parse("select 'into outfile'").is_select


@pytest.mark.parametrize("sql", ["set a = 1", "USE db", "create temporary table t (x UInt8)"])
def test_what_lasts_in_a_handle_is_recognised(sql: str) -> None:
    assert parse(sql).changes_context


@pytest.mark.parametrize("sql", ["-- x\n insert into t", "/* a */INSERT", "insert"])
def test_the_first_word_stands_behind_comments(sql: str) -> None:
    assert first_word(sql) == "INSERT"


@pytest.mark.parametrize(
    ("sql", "head", "name", "rows"),
    [
        ("insert into t format CSV\n1,2", "insert into t ", "CSV", "1,2"),
        ("insert into t format CSV\r\n1", "insert into t ", "CSV", "1"),
        ("insert into t format CSV  \t\n\n1", "insert into t ", "CSV", "\n1"),
        ('insert into t (a, b) format JSONEachRow {"a":1}', "insert into t (a, b) ", "JSONEachRow", '{"a":1}'),
        ("insert into t values (1)", "insert into t ", "Values", " (1)"),
        ("insert into values values (1)", "insert into values ", "Values", " (1)"),
        ("insert into db.values values (1)", "insert into db.values ", "Values", " (1)"),
        ("insert into `format` format TSV\nx", "insert into `format` ", "TSV", "x"),
        ("insert into t /* values (0) */ format TSV\nx", "insert into t /* values (0) */ ", "TSV", "x"),
    ],
)
def test_the_rows_of_an_insert_are_found(sql: str, head: str, name: str, rows: str) -> None:
    found = parse_insert(sql)
    assert found is not None
    assert (found.text, found.format, sql[found.data_start :]) == (head, name, rows)


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t",
        "insert into t select 1",
        "insert into t select 1 format CSV",
        "insert into t (a); drop table t; insert into t format CSV\n1",
        "insert into t from infile 'x' format CSV",
        "select 1 format CSV",
        "insert into t (format) ",
    ],
)
def test_an_insert_without_rows_of_its_own_is_left_whole(sql: str) -> None:
    assert parse_insert(sql) is None


def test_the_rows_of_input_are_found_and_its_structure_too() -> None:
    sql = "insert into t select a + 1 from input('a UInt8') where a > 1 format CSV\n1"
    found = parse_insert(sql)
    assert found is not None
    assert found.input is not None
    assert found.input.structure == "a UInt8"
    assert sql[found.input.start : found.input.end] == "input('a UInt8')"
    assert sql[found.data_start :] == "1"

"""What a request says beside its query: formats, structures and types never become SQL that nobody looks at."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.clickhouse.harness import Answer, Server, target

SECRET = "s3cr3t-on-disk"
USERS = ["radixinsight", "reader"]
QUERIES = ["select x from t", "select 1", "select x from t order by x", "show tables"]


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(f"{SECRET}\n")
    return path


def external(server: Server, user: str, database: str, sql: str = "select * from ext", **declared: str) -> Answer:
    """Send a query with one external table `ext`, of the row `1`."""
    body = b'--b\r\nContent-Disposition: form-data; name="ext"; filename="ext"\r\n\r\n1\n\r\n--b--\r\n'
    address = target(query=sql, database=database, **declared)
    return server.request("POST", address, body, {"Content-Type": "multipart/form-data; boundary=b"}, user)


def by_setting(server: Server, user: str, database: str, name: str, sql: str) -> Answer:
    return server.query(sql, user, None, database=database, default_format=name)


def by_header(server: Server, user: str, database: str, name: str, sql: str) -> Answer:
    return server.query(sql, user, {"X-ClickHouse-Format": name.replace("\r\n", "\t")}, database=database)


def by_quoted_name(server: Server, user: str, database: str, name: str, sql: str) -> Answer:
    return server.query(f"{sql} format `{name}`", user, None, database=database)


def by_external_table(server: Server, user: str, database: str, name: str, _: str) -> Answer:
    return external(server, user, database, ext_structure="x UInt8", ext_format=name)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "name",
    [
        "TSV; drop table t",
        "TSV\r\nX-Evil: 1",
        "TSV settings max_threads = 1",
        "TSV; select * from file('{path}', LineAsString)",
        "TSV; select * from file('{path}', LineAsString) into outfile '{path}.out'",
        "TSV /*",
        " TSV",
        "1TSV",
        "TSVé",
    ],
)
@pytest.mark.parametrize("send", [by_setting, by_quoted_name, by_external_table])
def test_a_format_is_a_name_and_nothing_else(  # noqa: PLR0917 - fixtures and parameters
    server: Server, stocked: str, secret_file: Path, send: Callable[..., Answer], name: str, user: str
) -> None:
    for sql in QUERIES:
        answer = send(server, user, stocked, name.replace("{path}", str(secret_file)), sql)
        assert (answer.status, answer.code) == (404, 73), answer.text
        assert "x-evil" not in answer.headers
        assert SECRET not in answer.text
    assert list(secret_file.parent.iterdir()) == [secret_file]
    assert server.value("select sum(x), count() from t", database=stocked) == "45\t10"


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", ["TSV; drop table t", "TSV settings max_threads = 1", "`TSV`", "TSV\tX-Evil: 1"])
def test_a_format_in_a_header_is_a_name_and_nothing_else(server: Server, stocked: str, name: str, user: str) -> None:
    for sql in QUERIES:
        answer = by_header(server, user, stocked, name, sql)
        assert (answer.status, answer.code) == (404, 73), answer.text
    assert server.value("select sum(x), count() from t", database=stocked) == "45\t10"


@pytest.mark.parametrize("user", USERS)
def test_a_dollar_sign_within_a_word_hides_nothing(server: Server, secret_file: Path, user: str) -> None:
    for first, last in (("a$x$", "b$x$"), ("$1$x$", "b$x$"), ("a$$", "b$$"), ("$a$x$", "$b$x$")):
        answer = server.query(f"select 1 as {first}, file('{secret_file}') as {last}", user)
        assert answer.code == 497, answer.text
        assert SECRET not in answer.text


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", ["TSV", "JSONEachRow", "TabSeparatedWithNames"])
def test_a_plain_format_still_works_everywhere(server: Server, stocked: str, name: str, user: str) -> None:
    for send in (by_setting, by_header):
        assert send(server, user, stocked, name, "select x from t").headers["x-clickhouse-format"] == name
    assert external(server, user, stocked, ext_structure="x UInt8", ext_format="TSV").text == "1\n"


@pytest.mark.parametrize("user", USERS)
def test_a_fraction_hides_no_word_that_follows_it(server: Server, secret_file: Path, user: str) -> None:
    assert server.query(f"select 1,.5into outfile '{secret_file}.out'", user).code == 497
    assert server.query(f"select 1,.0x$$, file('{secret_file}') as b$$", user).code == 497
    assert list(secret_file.parent.iterdir()) == [secret_file]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "declared",
    [
        {"ext_structure": "x UInt8, constraint c check throwIf(length(file('{path}')) > 0) = 0"},
        {"ext_structure": "x UInt8, constraint c check throwIf(1, 'it ran') = 0"},
        {"ext_structure": "x UInt8, constraint c assume throwIf(1, 'it ran') = 0"},
        {"ext_structure": "x UInt8, y UInt8 default throwIf(1, 'it ran')"},
        {"ext_structure": "x UInt8, y UInt8 materialized throwIf(1, 'it ran')"},
        {"ext_structure": "x UInt8, y UInt8 alias throwIf(1, 'it ran')"},
        {"ext_structure": "x UInt8, y default throwIf(1, 'it ran')"},
        {"ext_structure": "x UInt8, index i throwIf(1, 'it ran') type minmax"},
        {"ext_structure": "x UInt8, projection p (select throwIf(1, 'it ran'))"},
        {"ext_structure": "x UInt8 codec(NONE)"},
        {"ext_structure": "x UInt8 ttl now()"},
        {"ext_structure": "x UInt8) engine = File(TSV, '{path}') --"},
        {"ext_structure": "x UInt8) engine = Memory; drop table t --"},
        {"ext_types": "UInt8, constraint c check throwIf(1, 'it ran') = 0"},
        {"ext_types": "UInt8 default throwIf(1, 'it ran')"},
        {"ext_types": "UInt8) engine = Memory; drop table t --"},
    ],
)
def test_a_structure_is_names_and_types_and_nothing_else(
    server: Server, stocked: str, secret_file: Path, declared: dict[str, str], user: str
) -> None:
    filled = {name: value.replace("{path}", str(secret_file)) for name, value in declared.items()}
    answers = [external(server, user, stocked, **filled)]
    if structure := filled.get("ext_structure", "").replace("'", "''"):
        sql = f"insert into t select x from input('{structure}') format TSV"
        answers.append(server.insert(sql, b"1\n", user, database=stocked))
    for answer in answers:
        assert answer.code in {62, 164, 497}, answer.text
    assert server.value("select sum(x), count() from t", database=stocked) == "45\t10"


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    ("structure", "row"),
    [
        ("default Nullable(UInt8)", "1"),
        ("index UInt8, check String", "1\ta"),
        ("`a b` UInt8 null", "1"),
        ("x Enum8('a,b' = -1, 'c' = 1)", "c"),
        ("n.a Array(UInt8)", "[1]"),
        ("x Tuple(a UInt8, type Decimal(10, 2))", "(1,2.5)"),
        ("x DateTime64(3, 'UTC'), y Double Precision", "2026-01-01 00:00:00.000\t1.5"),
    ],
)
def test_every_plain_structure_is_taken(server: Server, database: str, structure: str, row: str, user: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="ext"; filename="ext"\r\n\r\n%b\n\r\n--b--\r\n' % row.encode()
    address = target(query="select count() from ext", database=database, ext_structure=structure)
    answer = server.request("POST", address, body, {"Content-Type": "multipart/form-data; boundary=b"}, user)
    assert answer.text == "1\n"

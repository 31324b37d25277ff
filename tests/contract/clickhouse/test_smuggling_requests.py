"""What reaches a file without being written plainly in the query: settings, parameters, structures, lexer tricks."""

from pathlib import Path

import pytest

from tests.contract.clickhouse.harness import PASSWORDS, Server, basic, target

SECRET = "s3cr3t-on-disk"

TRICKS = [
    "select * from /* /* */ file('{path}', LineAsString)",
    "select * from /* /* */ */ file('{path}', LineAsString)",
    "select '\\'', file('{path}') --'",
    "select '''', file('{path}') --'",
    'select "a\\"", file(\'{path}\') --"',
    "select `a\\``, file('{path}') --`",
    "select $a$ ' $a$, file('{path}') --'",
    "select $$ ' $$, file('{path}') --'",
    "select ‘it's’, file('{path}') --'",  # noqa: RUF001 - the engine takes these quotes too
    "select * from file\u00a0('{path}', LineAsString)",
    "select * from file\u2003('{path}', LineAsString)",
    "select * from \ufefffile('{path}', LineAsString)",
    "select * from file\0('{path}', LineAsString)",
    "select 1\0; select * from file('{path}', LineAsString)",
    "select * from numbers(1) # x\n, file('{path}', LineAsString)",
    "select * from numbers(1) #x\n, file('{path}', LineAsString)",
    "select * from numbers(1) // x\n, file('{path}', LineAsString)",
    "select * from numbers(2) / /* x */ file('{path}', LineAsString)",
    "select 1file('{path}')",
    "select 0x1file('{path}')",
    "select x'66', file('{path}')",
    "select * apply(file) from (select '{path}')",
    "select columns('.*') apply(x -> file(x)) from (select '{path}' as p)",
    "select arrayMap(file, ['{path}'])",
    "select arrayMap((file), ['{path}'])",
    "select arrayMap(`file` as f, ['{path}'])",
    "with (p -> file(p)) as f select arrayMap(f, ['{path}'])",
    "select * apply file from (select '{path}')",
    "select * from (select '{path}' as p) where file(p) != ''",
    "select dictGet(file('{path}'), 'a', 1)",
    "parallel with select 1",
    "explain syntax run_query_tree_passes = 1 select * from file('{path}', LineAsString)",
    "explain estimate select * from file('{path}', LineAsString)",
    "execute as default select * from file('{path}', LineAsString)",
    "from file('{path}', LineAsString) select *",
    "table file('{path}', LineAsString)",
    "with recursive r as (select * from file('{path}', LineAsString)) select * from r",
    "select * from merge('system', '^one$') where dummy in (select 0 from file('{path}', LineAsString))",
    "select (select file('{path}')) settings max_threads = 1",
    "select 1 settings additional_table_filters = {'system.one': 'file(\\'{path}\\') != \\'\\''}",
    "select * from system.one settings additional_result_filter = 'throwIf(file(\\'{path}\\') != \\'\\')'",
    "insert into t select 1 from (select file('{path}'))",
    "insert into t (x) values (length(file('{path}')))",
    "insert into t (x) format Values (length(file('{path}')))",
    "alter table t delete where file('{path}') != ''",
    "create view v as select 1; select file('{path}')",
]


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(f"{SECRET}\n")
    return path


@pytest.mark.parametrize("user", ["radixinsight", "reader"])
@pytest.mark.parametrize("sql", TRICKS)
def test_no_trick_of_writing_opens_a_file(server: Server, stocked: str, secret_file: Path, sql: str, user: str) -> None:
    answer = server.query(sql.replace("{path}", str(secret_file)), user=user, database=stocked)
    assert SECRET not in answer.text
    assert answer.status >= 400, answer.text
    assert server.value("select sum(x), count() from t", database=stocked) == "45\t10"


@pytest.mark.parametrize("user", ["radixinsight", "reader"])
def test_settings_in_the_url_open_no_file(server: Server, stocked: str, secret_file: Path, user: str) -> None:
    call = f"file('{secret_file}') != ''"
    quoted = call.replace("'", "\\'")
    tries: list[dict[str, object]] = [
        {"additional_table_filters": f"{{'{stocked}.t': '{quoted}'}}"},
        {"additional_result_filter": f"throwIf({call}, 'it opened')"},
        {"dialect": "kusto"},
        {"dialect": "prql"},
        {"format_schema": str(secret_file)},
        {"format_schema_source": "file"},
        {"format_template_resultset": str(secret_file)},
        {"format_template_row": str(secret_file)},
        {"implicit_table_at_top_level": f"file('{secret_file}')"},
    ]
    for tried in tries:
        answer = server.query("select x from t", user, None, database=stocked, **tried)
        assert answer.status >= 400 or answer.text.count("\n") == 10, tried
        assert "it opened" not in answer.text
        assert SECRET not in answer.text


@pytest.mark.parametrize("user", ["radixinsight", "reader"])
def test_parameters_never_become_functions(server: Server, secret_file: Path, user: str) -> None:
    path = str(secret_file)
    for sql in (
        "select {f:Identifier}({p:String})",
        "select arrayMap({f:Identifier}, [{p:String}])",
        "select arrayMap({ f : Identifier }, [{p:String}])",
        "select * from {f:Identifier}({p:String}, 'LineAsString')",
        "select * from {t:Identifier}",
    ):
        named = {"param_f": "file", "param_p": path, "param_t": f"file('{path}', LineAsString)"}
        answer = server.query(sql, user, None, **named)
        assert answer.status >= 400, sql
        assert SECRET not in answer.text


def test_parameters_of_a_session_never_become_functions(server: Server, secret_file: Path) -> None:
    session: dict[str, object] = {"session_id": "smuggler"}
    server.query("set param_f = 'file'", "radixinsight", None, **session)
    sql = f"select arrayMap({{f:Identifier}}, ['{secret_file}'])"
    assert SECRET not in server.query(sql, "radixinsight", None, **session).text


def test_structures_of_external_tables_and_of_input_compute_nothing(
    server: Server, stocked: str, secret_file: Path
) -> None:
    structure = f"x UInt8, y String default file('{secret_file}')"
    body = b'--b\r\nContent-Disposition: form-data; name="e"; filename="e"\r\n\r\n1\n\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"} | basic("radixinsight", PASSWORDS["radixinsight"])
    for declared in (structure, f"x UInt8) engine = File(TSV, '{secret_file}') --"):
        answer = server.request("POST", target(query="select * from e", e_structure=declared), body, headers, user=None)
        assert answer.status >= 400, declared
        assert SECRET not in answer.text
    sql = f"insert into t select length(y) from input('{structure.replace(chr(39), chr(39) * 2)}') format TSV"
    answer = server.insert(sql, b"1\n", user="radixinsight", database=stocked)
    assert answer.status >= 400
    assert server.value("select sum(x), count() from t", database=stocked) == "45\t10"


def test_the_database_name_is_a_name_and_nothing_else(server: Server, secret_file: Path) -> None:
    for name in ("default; select 1", "`default`", f"default` ; select * from file('{secret_file}') --"):
        answer = server.query("select 1", user="radixinsight", database=name)
        assert answer.code == 81, answer.text


def test_a_long_query_is_looked_at_as_closely_as_a_short_one(server: Server, secret_file: Path) -> None:
    padding = "/*" + "x" * 100_000 + "*/"
    sql = f"select 1 {padding} , file('{secret_file}') {padding}"
    answer = server.query(sql, user="radixinsight")
    assert answer.code == 497, answer.text[:300]


def test_values_of_a_long_insert_are_not_computed(server: Server, stocked: str, secret_file: Path) -> None:
    rows = ", ".join(["(1)"] * 300_000) + f", (length(file('{secret_file}')))"
    answer = server.query(f"insert into t values {rows}", user="radixinsight", database=stocked)
    assert answer.status >= 400
    assert server.value("select sum(x), count() from t", database=stocked) == "45\t10"

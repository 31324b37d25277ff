from pathlib import Path

import pytest

from tests.contract.clickhouse.harness import Server

SECRET = "s3cr3t-on-disk"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(f"{SECRET}\n")
    return path


def dictionary(source: str) -> str:
    """Return the statement that makes a dictionary of `source`."""
    fields = "(id UInt64, v String) primary key id"
    return f"create dictionary u {fields} source({source}) layout(flat()) lifetime(0)"


READS = [
    "select * from file('{path}', LineAsString)",
    "select * from `file`('{path}', LineAsString)",
    "select * from \"file\"('{path}', LineAsString)",
    "select * from `fi\\x6ce`('{path}', LineAsString)",
    "select * from file /* a comment */ ('{path}', LineAsString)",
    "select * from file -- a comment\n('{path}', LineAsString)",
    "select * from/**/file(/**/'{path}',LineAsString)",
    "select * from FILE('{path}', LineAsString)",
    "select file('{path}')",
    "select FILE('{path}')",
    "select `file`('{path}')",
    "select upper(concat(file('{path}'), ''))",
    "select arrayMap(p -> file(p), ['{path}'])",
    "with (select * from file('{path}', LineAsString)) as w select w",
    "select (select any(line) from file('{path}', LineAsString))",
    "select 1 where exists (select 1 from file('{path}', LineAsString))",
    "select 1 in (select 1 from file('{path}', LineAsString))",
    "select * from (select * from (select * from file('{path}', LineAsString)))",
    "select 1 as x union all select toUInt8(line) from file('{path}', LineAsString)",
    "select * from numbers(1) as n cross join file('{path}', LineAsString) as f",
    "select * from view(select * from file('{path}', LineAsString))",
    "select * from eval('select * from file(''{path}'', LineAsString)')",
    "select * from eval($$select * from file('{path}', LineAsString)$$)",
    "select * from loop(file('{path}', LineAsString)) limit 1",
    "select * from viewExplain('EXPLAIN', '', (select * from file('{path}', LineAsString)))",
    "select * from viewIfPermitted(select line from file('{path}', LineAsString) else null('line String'))",
    "select * from cluster('default', file('{path}', LineAsString))",
    "select * from remote('127.0.0.1', file('{path}', LineAsString))",
    "select * from fileCluster('default', '{path}', LineAsString)",
    "select * from filesystem('{folder}')",
    "select * from sqlite('{path}', 't')",
    "select * from icebergLocal('{folder}')",
    "select * from deltaLakeLocal('{folder}')",
    "describe file('{path}', LineAsString)",
    "describe table file('{path}', LineAsString)",
    "explain select * from file('{path}', LineAsString)",
    "explain ast select * from file('{path}', LineAsString)",
    "insert into t select length(line) from file('{path}', LineAsString)",
    "insert into t from infile '{path}' format TSV",
    "create table u engine = MergeTree order by tuple() as select * from file('{path}', LineAsString)",
    "create table u as file('{path}', LineAsString)",
    "create view u as select * from file('{path}', LineAsString)",
    "create materialized view u engine Memory populate as select * from file('{path}', LineAsString)",
    "create materialized view u refresh every 1 second engine Memory as select * from file('{path}', LineAsString)",
    "create table u (line String) engine = File(LineAsString, '{path}')",
    "create table u (line String) engine=`File`(LineAsString, '{path}')",
    "create table u (line String) engine = SQLite('{path}', 't')",
    "create table u (line String) engine = FileLog('{path}', LineAsString)",
    "create table u (line String) engine = IcebergLocal('{folder}')",
    "create table u (line String) engine = Executable('x.sh', TSV)",
    "create database u engine = Filesystem('{folder}')",
    "create database u engine = SQLite('{path}')",
    "create database u engine = Backup('x', File('{folder}'))",
    "attach table u from '{folder}' (line String) engine = File(LineAsString)",
    dictionary("file(path '{path}' format TSV)"),
    dictionary("executable(command 'cat {path}' format TSV)"),
    dictionary("`file`(path '{path}' format TSV)"),
    "create function u as () -> file('{path}')",
    "create named collection u as path = '{path}'",
    "alter table t update x = length(file('{path}')) where 1",
    "alter table t add column y String default file('{path}')",
    "create table u (x String default file('{path}')) engine Memory",
    "delete from t where x in (select 1 from file('{path}', LineAsString))",
    "restore table u from File('{folder}')",
    "select * from executable('x.sh', TSV, 'x String')",
    "select * from python('x')",
    "select * from python(x)",
]


def fill(sql: str, path: Path) -> str:
    return sql.replace("{path}", str(path)).replace("{folder}", str(path.parent))


@pytest.mark.parametrize("user", ["radixinsight", "reader"])
@pytest.mark.parametrize("sql", READS)
def test_files_of_the_machine_stay_closed(server: Server, stocked: str, secret_file: Path, sql: str, user: str) -> None:
    answer = server.query(fill(sql, secret_file), user=user, database=stocked)
    assert answer.status >= 400, answer.text
    assert SECRET not in answer.text
    assert answer.code in {497, 164, 46, 62}, answer.text
    assert server.query("show tables", database=stocked).text == "t\n"


REACHES = [
    "select * from url('http://127.0.0.1:{port}/', LineAsString)",
    "select * from `url`('http://127.0.0.1:{port}/', LineAsString)",
    "select * from URL('http://127.0.0.1:{port}/', LineAsString)",
    "select * from urlCluster('default', 'http://127.0.0.1:{port}/', LineAsString)",
    "select * from s3('http://127.0.0.1:{port}/a/b', LineAsString)",
    "select * from s3Cluster('default', 'http://127.0.0.1:{port}/a/b', LineAsString)",
    "select * from gcs('http://127.0.0.1:{port}/a/b', LineAsString)",
    "select * from oss('http://127.0.0.1:{port}/a/b', LineAsString)",
    "select * from azureBlobStorage('DefaultEndpointsProtocol=http', 'c', 'b')",
    "select * from hdfs('hdfs://127.0.0.1:{port}/x', LineAsString)",
    "select * from remote('127.0.0.1:{port}', system.one)",
    "select * from remoteSecure('127.0.0.1:{port}', system.one)",
    "select * from cluster('default', system.one)",
    "select * from clusterAllReplicas('default', system.one)",
    "select * from mysql('127.0.0.1:{port}', 'd', 't', 'u', 'p')",
    "select * from postgresql('127.0.0.1:{port}', 'd', 't', 'u', 'p')",
    "select * from mongodb('127.0.0.1:{port}', 'd', 't', 'u', 'p', 'x String')",
    "select * from redis('127.0.0.1:{port}', 'k', 'k String')",
    "select * from odbc('DSN=x', 'd', 't')",
    "select * from jdbc('jdbc:x', 'd', 't')",
    "select * from iceberg('http://127.0.0.1:{port}/a/b')",
    "select * from deltaLake('http://127.0.0.1:{port}/a/b')",
    "select * from hudi('http://127.0.0.1:{port}/a/b')",
    "select * from eval('select * from url(''http://127.0.0.1:{port}/'', LineAsString)')",
    "insert into function url('http://127.0.0.1:{port}/', TSV, 'x String') select 'x'",
    "insert into table function url('http://127.0.0.1:{port}/', TSV, 'x String') select 'x'",
    "INSERT INTO FUNCTION /* x */ `s3`('http://127.0.0.1:{port}/a/b', TSV, 'x String') select 'x'",
    "create table u (x String) engine = URL('http://127.0.0.1:{port}/', LineAsString)",
    "create table u (x String) engine = S3('http://127.0.0.1:{port}/a/b', LineAsString)",
    "create table u (x String) engine = MySQL('127.0.0.1:{port}', 'd', 't', 'u', 'p')",
    "create table u (x String) engine = PostgreSQL('127.0.0.1:{port}', 'd', 't', 'u', 'p')",
    "create table u (x String) engine = MongoDB('127.0.0.1:{port}', 'd', 't', 'u', 'p')",
    "create table u (x String) engine = Kafka('127.0.0.1:{port}', 't', 'g', 'TSV')",
    "create table u (x String) engine = Distributed('default', 'system', 'one')",
    "create table u (x String) engine = Remote('127.0.0.1:{port}', 'system', 'one')",
    "create database u engine = MySQL('127.0.0.1:{port}', 'd', 'u', 'p')",
    "create database u engine = PostgreSQL('127.0.0.1:{port}', 'd', 'u', 'p')",
    "create database u engine = Remote('127.0.0.1:{port}', 'd')",
    dictionary("http(url 'http://127.0.0.1:{port}/' format TSV)"),
    dictionary("mysql(host '127.0.0.1' port {port} user 'u' password 'p' db 'd' table 't')"),
    dictionary("clickhouse(host '10.0.0.1' port {port} user 'u' password 'p' db 'd' table 't')"),
    "create view u as select * from url('http://127.0.0.1:{port}/', LineAsString)",
    "backup table t to S3('http://127.0.0.1:{port}/a/b', 'k', 's')",
]


@pytest.mark.parametrize("user", ["radixinsight", "reader"])
@pytest.mark.parametrize("sql", REACHES)
def test_the_network_stays_closed(server: Server, stocked: str, sql: str, user: str) -> None:
    answer = server.query(sql.replace("{port}", "9"), user=user, database=stocked)
    assert answer.status >= 400, answer.text
    assert answer.code in {497, 164, 46, 62}, answer.text


WRITES = [
    "select 1 into outfile '{path}.out'",
    "select 1 INTO/**/OUTFILE '{path}.out' truncate format TSV",
    "select 1 into -- x\n outfile '{path}.out' append",
    "(select 1) into outfile '{path}.out'",
    "select 1 union all select 2 into outfile '{path}.out' and stdout",
    "with 1 as x select x into outfile '{path}.out'",
    "show tables into outfile '{path}.out'",
    "explain select 1 into outfile '{path}.out'",
    "describe table t into outfile '{path}.out'",
    "insert into function file('{path}.out', TSV, 'x String') select 'x'",
    "insert into table function `file`('{path}.out', TSV, 'x String') values ('x')",
    "backup table t to File('{path}.out')",
    "backup table t to Disk('default', 'out')",
]


@pytest.mark.parametrize("user", ["radixinsight", "reader"])
@pytest.mark.parametrize("sql", WRITES)
def test_nothing_is_written_beside_the_tables(
    server: Server, stocked: str, secret_file: Path, sql: str, user: str
) -> None:
    answer = server.query(fill(sql, secret_file), user=user, database=stocked)
    assert answer.status >= 400, answer.text
    assert list(secret_file.parent.iterdir()) == [secret_file]


def test_the_words_of_forbidden_functions_are_harmless_as_data_names_and_comments(
    server: Server, database: str
) -> None:
    def run(sql: str) -> str:
        answer = server.query(sql, user="radixinsight", database=database)
        assert answer.status == 200, answer.text
        return answer.text

    run("create table `file` (url String, s3 String) engine MergeTree order by url")
    run("insert into file (url, s3) values ('file(''x'')', 'into outfile')")
    text = run(
        "/* file('x') */ select url, s3, 'remote(''a'')' as remote, count() as file from file -- url(1)\n"
        "where url in ('file(''x'')', 'system shutdown; drop') group by url, s3 format TSV"
    )
    assert text == "file(\\'x\\')\tinto outfile\tremote(\\'a\\')\t1\n"


def test_the_admin_may_read_and_write_files(server: Server, secret_file: Path) -> None:
    assert server.query(f"select * from file('{secret_file}', LineAsString)").text == f"{SECRET}\n"
    written = secret_file.with_suffix(".tsv")
    answer = server.query(f"insert into function file('{written}', TSV, 'x UInt8') select 7")
    assert answer.status == 200, answer.text
    assert written.read_text() == "7\n"


def test_a_view_over_a_file_is_how_the_admin_shows_it_to_those_who_write(
    server: Server, database: str, secret_file: Path
) -> None:
    server.query(f"create view v as select * from file('{secret_file}', LineAsString)", database=database)
    assert server.query("select * from v", user="radixinsight", database=database).text == f"{SECRET}\n"
    assert server.query("select * from v", user="reader", database=database).code == 164

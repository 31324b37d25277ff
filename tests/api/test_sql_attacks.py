"""An attacker writes SQL: nothing but the rows of the own project comes back, whatever he tries."""

# ruff: noqa: E501, ISC004, RUF001 - statements stand on one line, in the letters that attack

import json
import random
import re
import time
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import given
from hypothesis import strategies as st

from api.errors import SqlInvalidError, SqlNotAllowedError
from api.settings import ApiSettings
from api.sql.grammar import parse
from api.sql.queries import StatementWriter
from core import warehouse
from core.warehouse import ProjectScope
from runtime.instance import Instance

TABLES = {"fct_events", "dim_events", "agg_events_daily", "dim_projects"}
DATABASE = "marts"

REFUSED = {
    "table functions": [
        "select * from url('http://127.0.0.1/', CSV, 'x String')",
        "select * from file('/etc/passwd', LineAsString)",
        "select * from file('/etc/passwd')",
        "select * from remote('127.0.0.1', raw.events)",
        "select * from remoteSecure('127.0.0.1', 'raw', 'events')",
        "select * from cluster('default', marts.fct_events)",
        "select * from clusterAllReplicas('default', system.one)",
        "select * from s3('http://x/y', 'CSV')",
        "select * from s3Cluster('c', 'http://x/y')",
        "select * from mysql('h:3306', 'd', 't', 'u', 'p')",
        "select * from postgresql('h:5432', 'd', 't', 'u', 'p')",
        "select * from mongodb('h', 'd', 't', 'u', 'p', 'x String')",
        "select * from sqlite('/tmp/x', 't')",
        "select * from jdbc('x', 'y')",
        "select * from hdfs('hdfs://x', 'CSV')",
        "select * from executable('x.sh', CSV, 'a String')",
        "select * from input('a String')",
        "select * from merge('marts', '.*')",
        "select * from merge('.*', '.*')",
        "select * from merge(REGEXP('.*'), 'fct_events')",
        "select * from loop(marts.fct_events)",
        "select * from loop('marts', 'fct_events')",
        "select * from numbers(1e9)",
        "select * from numbers_mt(10)",
        "select * from zeros(10)",
        "select * from generateRandom('a UInt8')",
        "select * from generateSeries(1, 10)",
        "select * from generate_series(1, 10)",
        "select * from view(select * from raw.events)",
        "select * from viewIfPermitted(select 1 else null('x Int8'))",
        "select * from viewExplain('EXPLAIN', '', (select 1))",
        "select * from values('a UInt8', 1, 2)",
        "select * from values(1, 2)",
        "select * from format(CSV, 'a')",
        "select * from dictionary('d')",
        "select * from null('x Int8')",
        "select * from mergeTreeIndex('marts', 'fct_events')",
        "select * from mergeTreeProjection('marts', 'fct_events', 'p')",
        "select * from timeSeriesData('x')",
        "select * from fuzzQuery('select 1')",
        "select * from url",
        "select * from arrayJoin([1])",
        "select * from range(3)",
        "select * from count()",
        "select * from fct_events join numbers(3) on 1 = 1",
        "select * from fct_events, url('http://x')",
        "select * from (select * from file('x'))",
        "select * from fct_events where 1 in (select * from numbers(3))",
        "select * from fct_events where event in file('x')",
        "with a as (select * from merge('.*', 'events')) select * from a, fct_events",
    ],
    "other tables": [
        "select * from system.tables",
        "select * from system.one, fct_events",
        "select * from `system`.`tables`",
        'select * from "system"."users"',
        "select * from System.tables",
        "select * from information_schema.tables",
        "select * from INFORMATION_SCHEMA.COLUMNS",
        "select * from raw.events",
        "select * from `raw`.`events`",
        "select * from `raw.events`",
        "select * from `marts`.`fct_events`.`x`",
        "select * from a.b.c.d",
        "select * from default.events",
        "select * from staging.stg_collector__events",
        "select * from intermediate.int_events_identified",
        "select * from events",
        "select * from fct_events_touched",
        "select * from FCT_EVENTS",
        "select * from `fct_events `",
        "select * from `fct_events\\0`",
        "select * from fct_events as f, raw.events as f2",
        "select * from fct_events join raw.events using (message_id)",
        "select * from fct_events f asof left join raw.events e on f.event = e.event and f.timestamp >= e.timestamp",
        "select event from fct_events union all select event from raw.events",
        "select event from fct_events union distinct (select event from raw.events)",
        "select event from fct_events intersect select event from raw.events",
        "(select event from raw.events) union all select event from fct_events",
        "select * from fct_events where event in raw.events",
        "select * from fct_events where event in (raw.events)",
        "select * from fct_events where event in `raw`.`events`",
        "select * from fct_events where event in ((raw.events))",
        "select * from fct_events where event in (((raw.events)))",
        "select * from fct_events where event in (raw.events as x)",
        "select * from fct_events where event in ((raw.events) as x)",
        "select * from fct_events where event in ((raw.events as x))",
        "select * from fct_events where event not in ((events))",
        "select arrayMap(events -> event in events, [1]) from fct_events",
        "select arrayMap(events -> event in (events), [1]) from fct_events",
        "select arrayMap(events -> event in ((events)), [1]) from fct_events",
        "select arrayMap(raw -> event in (raw.events), [1]) from fct_events where event in (*)",
        "select event in (fct_events.*) from fct_events",
        "select event in [raw.events] from raw.events",
        "select * from fct_events where event in system.one",
        "select * from fct_events where event in events",
        "select * from fct_events where (event, type) not in raw.events",
        "select * from fct_events where event global in raw.events",
        "select * from fct_events where exists (select 1 from raw.events)",
        "select * from fct_events where exists(raw.events)",
        "select (select count() from raw.events) from fct_events",
        "select [(select event from raw.events limit 1)] from fct_events",
        "select if(1, (select 1 from raw.events limit 1), 2) from fct_events",
        "select count() over (partition by (select 1 from raw.events limit 1)) from fct_events",
        "select count() over (order by 1 rows between (select 1 from raw.events) preceding and current row) from fct_events",
        "select * from fct_events order by (select 1 from raw.events limit 1)",
        "select * from fct_events group by (select 1 from raw.events limit 1)",
        "select * from fct_events having (select 1 from raw.events limit 1)",
        "select * from fct_events limit (select count() from raw.events)",
        "select * from fct_events limit 1 offset (select count() from raw.events)",
        "select * from fct_events limit 1 by (select 1 from raw.events limit 1)",
        "select * from fct_events where 1 between (select 1 from raw.events) and 2",
        "select case when (select 1 from raw.events) then 1 end from fct_events",
        "select case (select 1 from raw.events) when 1 then 1 end from fct_events",
        "select arrayMap(x -> (select 1 from raw.events limit 1), [1]) from fct_events",
        "select (select 1 from raw.events limit 1)::UInt8 from fct_events",
        "select interval (select 1 from raw.events) day from fct_events",
        "select * from fct_events array join (select [1] from raw.events) as x",
        "select * from fct_events array join raw.events as x, raw.events as y where x in raw.events",
        "select quantile((select 0.5 from raw.events))(sequence) from fct_events",
        "select * from fct_events f join dim_events d on f.event = (select event from raw.events limit 1)",
        "select * from fct_events order by 1 with fill from (select 1 from raw.events) to 3",
        "with (select count() from raw.events) as n select n from fct_events",
        "with events as (select 1) select * from raw.events",
        "with x as (with y as (select * from raw.events) select * from y) select * from x, fct_events",
        "with recursive r as (select 1 as n union all select n from raw.events) select * from r, fct_events",
        "select * from (fct_events)",
        "select * from (raw.events)",
        "select * from fct_events, (raw.events) as x",
        "select * from table(fct_events)",
        "table raw.events",
        "from raw.events",
        "from raw.events select *",
        "select * from fct_events final",
        "select * from fct_events sample 0.1",
        "select * from raw.events final",
        "select * from only raw.events",
        "select * from {t:Identifier}",
        "select * from {d:Identifier}.fct_events",
        "select * from marts.{t:Identifier}",
        "select * from fct_events where event in {t:Identifier}",
        "select {c:Identifier} from fct_events",
        "select * from fct_events prewhere 1",
        "select * from fct_events paste join dim_events",
        "select * from fct_events global join dim_events using (event)",
        "select * from fct_events lateral join raw.events",
        "select * from fct_events cross join lateral (select 1)",
        "select * from fct_events pivot (count() for event in ('a'))",
        "select * from unnest([1])",
        "summarize fct_events",
        "select * from fct_events |> where 1",
        "select * from fct_events |> join raw.events using (event)",
        "select * from fct_events |> union all (select * from raw.events)",
    ],
    "functions": [
        *(
            f"select {call} from fct_events"
            for call in (
                "hostName()",
                "hostname()",
                "fqdn()",
                "version()",
                "currentUser()",
                "user()",
                "currentDatabase()",
                "database()",
                "getSetting('max_threads')",
                "getServerSetting('x')",
                "uptime()",
                "serverUUID()",
                "tcpPort()",
                "timezone()",
                "serverTimezone()",
                "buildId()",
                "getMacro('x')",
                "filesystemAvailable()",
                "dictGet('d', 'a', 1)",
                "dictGetOrDefault('d', 'a', 1, 2)",
                "dictHas('d', 1)",
                "joinGet('t', 'c', 1)",
                "joinGetOrNull('t', 'c', 1)",
                "file('/etc/passwd')",
                "sleep(3)",
                "sleepEachRow(1)",
                "throwIf(1)",
                "evalMLMethod(1)",
                "catboostEvaluate('x', 1)",
                "initializeAggregation('sum', 1)",
                "hasColumnInTable('raw', 'events', 'x')",
                "addressToSymbol(1)",
                "demangle('x')",
                "showCertificate()",
                "queryID()",
                "initialQueryID()",
                "connectionId()",
                "currentProfiles()",
                "currentRoles()",
                "enabledRoles()",
                "getClientHTTPHeader('x')",
                "rowNumberInAllBlocks()",
                "blockNumber()",
                "partitionId(1)",
                "formatQuery('select 1')",
                "generateUUIDv4()",
                "rand()",
                "randomString(10)",
                "fuzzBits('x', 0.1)",
                "encrypt('a', 'b', 'c')",
                "defaultValueOfTypeName('x')",
                "nonExisting()",
                "ignore(1)",
                "identity(1)",
                "in(1, raw.events)",
                "notIn(1, raw.events)",
                "globalIn(1, raw.events)",
                "exists(1, 2)",
                "view(select * from raw.events)",
                "arrayMap(hostName, [1])",
                "arrayMap(file, ['/etc/passwd'])",
                "arrayMap(`file`, ['/etc/passwd'])",
                "arrayMap((file), ['/etc/passwd'])",
                "arrayMap(file as f, ['x'])",
                "arrayFilter(file, ['/etc/passwd'])",
                "mapApply(file, map('a', 'b'))",
                "arrayFold(file, [1], 2)",
                "arraySum(sleep, [1])",
                "arraySort(sleep, [1, 2])",
                "arrayExists(throwIf, [1])",
                "arrayCompact(sleep, [1])",
                "arrayMap(x -> file(x), ['/etc/passwd'])",
                "arrayMap(x -> sleep(1), [1])",
                "apply(sleep, 1)",
                "`hostName`()",
                '"hostName"()',
                "hostName /* x */ ()",
                "HOSTNAME()",
                "system.hostName()",
                "a.hostName()",
                "sumIf(1, sleep(1))",
                "sumFile(1)",
                "fileIf(1)",
                "count() filter (where sleep(1))",
                "theilsU(1, 2)",
                "countState(1)(sleep(1))",
                "quantile(sleep(1))(1)",
                "columns('.*')",
                "COLUMNS('project')",
                "f(1)",
                "x -> 1",
                "mapFromString('x')",
                "js('1')",
                "python('1')",
                "wasm('x')",
                "remote('x')",
                "url('x')",
                "transactionID()",
                "lowCardinalityIndices('x')",
                "toColumnTypeName(1)",
                "dumpColumnStructure(1)",
                "byteSize(1)",
                "getSizeOfEnumType(1)",
                "JSONExtract(file('x'), 'a')",
                "_radix_source.project_id",
                "_RADIX_1_x",
                "`_radix_source`",
                "event as _radix_source",
                "{_radix_x:String}",
            )
        ),
        "select * from fct_events where hostName() = 'x'",
        "select * from fct_events order by sleep(1)",
        "select * from fct_events limit sleep(1)",
        "with x -> file(x) as f select f('/etc/passwd') from fct_events",
        "with (x -> x) as f select arrayMap(f, [1]) from fct_events",
        "with hostName() as h select h from fct_events",
        "with 1 as _radix_source select * from fct_events",
        "with _radix_1_x as (select 1) select * from fct_events",
        "select * from fct_events as _radix_source",
        "select * from fct_events window _radix_w as (order by 1)",
    ],
    "clauses": [
        "select * from fct_events settings max_execution_time = 0",
        "select * from fct_events settings additional_table_filters = {'marts.fct_events': '1'}",
        "select * from (select * from fct_events settings max_threads = 1)",
        "select * from fct_events limit 1 settings limit = 10",
        "select * from fct_events format JSON",
        "select * from fct_events into outfile '/tmp/x'",
        "select * from fct_events into outfile '/tmp/x' format CSV",
        "select * into x from fct_events",
        "select * from fct_events union all select * from fct_events format CSV",
        "select * from fct_events union all select * from fct_events settings max_threads = 1",
        "explain select * from fct_events",
        "explain ast select * from fct_events",
        "select * from fct_events; select * from raw.events",
        "select 1 from fct_events; drop table x",
        "; select * from fct_events",
        "insert into x select * from fct_events",
        "insert into function file('x') select * from fct_events",
        "create table x as select * from fct_events",
        "create view v as select * from fct_events",
        "drop table marts.fct_events",
        "alter table marts.fct_events delete where 1",
        "truncate table marts.fct_events",
        "attach table x",
        "detach table marts.fct_events",
        "rename table a to b",
        "exchange tables a and b",
        "optimize table marts.fct_events",
        "system shutdown",
        "system flush logs",
        "kill query where 1",
        "set max_threads = 1",
        "use system",
        "show tables",
        "show create table marts.fct_events",
        "describe table marts.fct_events",
        "desc marts.fct_events",
        "exists table marts.fct_events",
        "grant all on *.* to reader",
        "backup table marts.fct_events to disk('d', 'x')",
        "watch x",
        "call x()",
        "execute immediate 'x'",
        "begin transaction",
        "copy x from y",
        "load x",
        "delete from marts.fct_events",
        "update marts.fct_events set event = 'x' where 1",
        "with x as (insert into y values (1)) select * from fct_events",
        "with x as (drop table y) select * from fct_events",
        "with x as (select 1) drop table y",
        "with x as (select 1) insert into y select * from x",
        "values (1, 2)",
        "select 1",
        "select",
        "",
        " ",
        "-- only a comment",
        "select from fct_events",
        "select * from fct_events with ties",
        "select top 1 event from fct_events",
        "select * from fct_events limit 1 with ties",
        "select * from fct_events fetch first 1 row only",
        "select * from fct_events group by event with totals",
        "select distinct on (event) * from fct_events",
        "select * from fct_events for update",
        "select * from fct_events order by event collate 'x'",
        "select * from fct_events order by event interpolate (x as 1)",
    ],
    "expressions of columns": [
        "select * apply(hostName) from fct_events",
        "select * apply(x -> hostName()) from fct_events",
        "select * apply(sum) from fct_events",
        "select * replace(hostName() as event) from fct_events",
        "select * replace(1 as project_id) from fct_events",
        "select * rename(event as x) from fct_events",
        "select columns('e.*') from fct_events",
        "select columns('e.*') apply(file) from fct_events",
        "select COLUMNS(event, type) from fct_events",
        "select f.columns('.*') from fct_events as f",
        "select * except('e.*') from fct_events",
        "select * ilike 'e%' from fct_events",
        "select event.:String from fct_events",
        "select event.^x from fct_events",
        "select properties.a.b[].c from fct_events",
        "select @@version from fct_events",
        "select @x from fct_events",
        "select ? from fct_events",
        "select :x from fct_events",
        "select %(x)s from fct_events",
        "select 1 as x, y(x) from fct_events",
        "select event collate 'x' from fct_events",
        "select timestamp at time zone 'UTC' from fct_events",
        "select cast(1 as AggregateFunction(sum, UInt8)) from fct_events",
        "select cast(1 as Enum8('a' = 1)) from fct_events",
        "select cast('x', 'Object(JSON)') from fct_events",
        "select cast('x' as JSON) from fct_events",
        "select cast(1, concat('U', 'Int8')) from fct_events",
        "select 1::Nothing from fct_events",
        "select 0xFF from fct_events",
        "select 0b11 from fct_events",
        "select x'41' from fct_events",
        "select b'1' from fct_events",
        "select inf, nan, 1e from fct_events",
        "select {'a': 1} from fct_events",
        "select event like 'a' escape 'b' from fct_events",
        "select any(select 1) from fct_events",
        "select event = any(select event from raw.events) from fct_events",
        "select event = all(select event from raw.events) from fct_events",
    ],
    "parameters": [
        "select * from fct_events where project_id = {project_id:UInt32}",
        "select {project_id:String} from fct_events",
        "select {PROJECT_ID:UInt32} from fct_events",
        "select {`project_id`:UInt32} from fct_events",
        "select {x:Identifier} from fct_events",
        "select {x} from fct_events",
        "select {x:} from fct_events",
        "select {x:AggregateFunction(sum, UInt8)} from fct_events",
        "select {x y:UInt8} from fct_events",
        "select {x-y:UInt8} from fct_events",
        "select {x:UInt8}, {x:String} from fct_events",
        "select {{x:UInt8}} from fct_events",
        "select {$x$:UInt8} from fct_events",
    ],
    "texts that two readers read differently": [
        "select * from fct_events where event = $$x$$",
        "select $tag$ from raw.events $tag$ from fct_events",
        "select 1 /* a /* b */ from raw.events */ from fct_events union all select 1 from raw.events",
        "select * from fct_events where event = 'x'' union all select * from raw.events --",
        "select * from fct_events /* unbalanced",
        "select * from fct_events where event = 'unbalanced",
        "select `unbalanced from fct_events",
        "select * from fct_events where (event = 'x'",
        "select * from fct_events where event = 'x')",
        "select * from fct_events where event = ‘x’ or 1 in (select 1 from raw.events)",
        "select * from “raw”.“events”",
        "select * from fct_evеnts",
        "select * from ｆct_events",
        "select * from fct_events；select 1",
        "select * from fct_events where event = 'x' \\g",
        "select * from fct_events\\G",
        "sel/**/ect * from fct_events",
    ],
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_an_attempt_is_refused_before_anything_is_run(
    serve: Any, settings: ApiSettings, modelled: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(settings) as (api, app):

        async def never(*_: Any, **__: Any) -> None:
            pytest.fail("The statement was run.")

        monkeypatch.setattr(app.state.resources.warehouse, "result", never)
        for attempt in REFUSED[kind]:
            parameters = dict.fromkeys(re.findall(r"\{`?(\w+)`?:", attempt), "fct_events")
            sql = re.sub(r"\bmarts\.", f"{modelled.database}.", attempt).replace("`marts`", f"`{modelled.database}`")
            answer = await api.post(
                f"/v1/projects/{modelled.berlin.id}/sql",
                json={"sql": sql, "parameters": parameters},
                headers=modelled.berlin.headers,
            )
            assert answer.status_code == 422, f"{sql}\n{answer.text}"
            assert answer.json()["code"] in {"sql_not_allowed", "sql_invalid", "invalid_request"}, sql


# What is read as plain SQL, and has rows of the own project alone.
CONTAINED = [
    "select project_id from fct_events",
    "select 7 as project_id, fct_events.project_id from fct_events",
    "with 7 as project_id select f.project_id from fct_events as f",
    "with {other} as project_id select f.project_id from fct_events as f where project_id = {other}",
    "with tuple({other}) as fct_events select project_id from fct_events as x",
    "select project_id from fct_events where 1 or project_id = {other}",
    "select project_id from fct_events where project_id = {other} or 1 = 1",
    "select project_id from fct_events where not project_id = {own} or 1",
    "select project_id from (select project_id from fct_events union all select project_id from fct_events)",
    "with fct_events as (select * from fct_events) select project_id from fct_events",
    "with x as (select * from {database}.fct_events), fct_events as (select * from x) select project_id from fct_events",
    "with dim_events as (select 1), a as (select project_id from {database}.fct_events) select project_id from a",
    "with a as (select project_id from fct_events) select project_id from (with b as (select * from a) select * from b)",
    "select project_id from fct_events as dim_projects where dim_projects.project_id != {own} or 1",
    "select b.project_id from fct_events as a right join fct_events as b on a.project_id = b.project_id + 1",
    "select b.project_id from fct_events as a full join fct_events as b on 0 = 1",
    "select b.project_id from dim_projects as a cross join dim_projects as b",
    "select project_id from fct_events where project_id in (select project_id from dim_projects)",
    "select project_id from fct_events where project_id not in (select project_id + 1 from dim_projects)",
    "with p as (select project_id from dim_projects) select project_id from fct_events where project_id in p or 1",
    "select (select max(project_id) from fct_events) from fct_events",
    "select arrayJoin((select groupUniqArray(project_id) from fct_events)) from dim_projects",
    "select arrayJoin(groupUniqArray(project_id)) from fct_events",
    "select p from fct_events array join [project_id] as p",
    "select project_id /* from raw.events */ from fct_events -- where 1\n",
    "select project_id # comment\nfrom fct_events",
    "select project_id from fct_events where '/*' = '/*' or '*/' != ''",
    "select project_id from fct_events where event != '\\' union all select 1 from raw.events --'",
    "select project_id from fct_events where event != 'x\\' union all select 1 from raw.events --'",
    "select `project_id` from `fct_events` as `x` where `x`.`project_id` != 0",
    "select any(project_id) over (order by project_id rows between unbounded preceding and unbounded following) from fct_events",
    "select project_id from fct_events group by project_id with rollup having project_id != 0",
    "with recursive r as (select project_id, 1 as n from dim_projects union all select project_id, n + 1 from r where n < 3) "
    "select project_id from r",
]


@pytest.mark.parametrize("sql", CONTAINED)
async def test_a_statement_that_is_allowed_sees_its_own_project_alone(
    api: httpx.AsyncClient, modelled: Any, sql: str
) -> None:
    own, other = modelled.berlin, modelled.new_york
    text = sql.replace("{own}", str(own.id)).replace("{other}", str(other.id)).replace("{database}", modelled.database)
    answer = await api.post(f"/v1/projects/{own.id}/sql", json={"sql": text, "limit": 100_000}, headers=own.headers)
    assert answer.status_code == 200, answer.text
    seen = {value for row in answer.json()["data"]["rows"] for value in row[-1:]}
    assert seen <= {own.id, 0} or "7 as" in sql
    assert other.id not in seen


async def test_an_error_does_not_tell_what_others_have(
    api: httpx.AsyncClient, modelled: Any, runtime: Instance
) -> None:
    """Conditions of one `where` may be computed in any order: on rows of others, and fail there with their values."""
    client = warehouse.connect(runtime.clickhouse_url)
    table = f"{modelled.database}.leaky"
    client.command(
        f"create table {table} (project_id UInt32, event String, secret String, n UInt8) "
        "engine = MergeTree order by (project_id, event) comment 'For one test.'"
    )
    rows = [[modelled.berlin.id if number % 2 else modelled.new_york.id, "e", "5" if number % 2 else f"secret{number}", number % 2]
            for number in range(1000)]  # fmt: skip
    client.insert(table, rows, ["project_id", "event", "secret", "n"])
    for sql in (
        "select count() from leaky where toUInt32(secret) = 5",
        "select count() from leaky where intDiv(5, n) = 5",
        "select count() from leaky as a join leaky as b using (event) where toUInt32(b.secret) = 5 and intDiv(5, a.n) = 5",
        "select count() from (select *, toUInt32(secret) as z from leaky) where z = 5",
        "with toUInt32(secret) as z select count() from leaky where z = 5",
        "select count() from leaky where event in (select event from leaky where toUInt32(secret) = 5)",
    ):
        path = f"/v1/projects/{modelled.berlin.id}/sql"
        answer = await api.post(path, json={"sql": sql}, headers=modelled.berlin.headers)
        assert answer.status_code == 200, answer.text
    # The same as a plain condition tells another tenant's value.
    plain = f"select count() from (select * from {table} where project_id = {modelled.berlin.id}) where toUInt32(secret) = 5"
    with pytest.raises(DatabaseError, match="secret"):
        client.query(plain)
    client.command(f"drop table {table}")
    client.close()


DEEP = [
    "select " + "(" * 5000 + "1" + ")" * 5000 + " from fct_events",
    "select " + "[" * 3000 + "]" * 3000 + " from fct_events",
    "select " + "not " * 3000 + "1 from fct_events",
    "select " + "- " * 3000 + "1 from fct_events",
    "select " + "-" * 3000 + "1 from fct_events",
    "select " + "+ " * 3000 + "1 from fct_events",
    "select " + "case when 1 then " * 1000 + "1" + " end" * 1000 + " from fct_events",
    "select " + "1 ? " * 1000 + "1" + " : 1" * 1000 + " from fct_events",
    "select " + "x -> " * 2000 + "1 from fct_events",
    "select " + "abs(" * 3000 + "1" + ")" * 3000 + " from fct_events",
    "select " + "(select " * 1500 + "1" + ")" * 1500 + " from fct_events",
    "select * from " + "(select * from " * 1000 + "fct_events" + ")" * 1000,
    "with a as (" * 1000 + "select 1" + ") select 1" * 1000,
    "select " + "interval " * 2000 + "1 day from fct_events",
    "select 1 " + "union all select 1 " * 900,
    "select " + "1 + " * 4000 + "1 from fct_events",
    "select " + "1 and " * 3000 + "1 from fct_events",
    "select " + "'a' || " * 2000 + "'a' from fct_events",
    "select " + "a." * 5000 + "a from fct_events",
    "select 1" + "::UInt8" * 2000 + " from fct_events",
    "select a" + "[1]" * 2500 + " from fct_events",
    "select 1::" + "Array(" * 2500 + "UInt8" + ")" * 2500 + " from fct_events",
    "select cast(1, '" + "Array(" * 2500 + "UInt8" + ")" * 2500 + "') from fct_events",
    "select " + "struct(" * 24 + "1" + ")" * 24 + " from fct_events",
    "select 1::" + "Tuple(" * 24 + "UInt8" + ")" * 24 + " from fct_events",
    "select {x:" + "Tuple(" * 24 + "UInt8" + ")" * 24 + "} from fct_events",
    "select * from fct_events" + " join fct_events on 1" * 900,
    "select * from fct_events" + ", fct_events" * 1500,
    "select " + ",".join(["1"] * 5000) + " from fct_events",
    "select * from fct_events where event in (" + ",".join(["'a'"] * 5000) + ")",
    "select '" + "x" * 30_000 + "' from fct_events",
    "select 1 in (" * 2000,
    "select " + "exists(select " * 1400,
    "/*" * 9000,
    "'" * 19_999,
    "`" * 19_999,
    "$" * 19_999,
    "(" * 19_999,
    "select " + "a b " * 3000 + "from fct_events",
    "select " + "{x:" * 5000,
    "select f" + "(1)" * 5000 + " from fct_events",
    "select count" + "(1)" * 5000 + " from fct_events",
]


@pytest.mark.parametrize("number", range(len(DEEP)))
async def test_what_is_deep_or_long_is_answered_soon(api: httpx.AsyncClient, modelled: Any, number: int) -> None:
    """The parser is compiled: too deep a recursion would end the process."""
    started = time.monotonic()
    answer = await api.post(
        f"/v1/projects/{modelled.berlin.id}/sql", json={"sql": DEEP[number]}, headers=modelled.berlin.headers
    )
    assert time.monotonic() - started < 5
    assert answer.status_code in {200, 422}, answer.text[:500]


PIECES = [
    "select", "*", "((", "))", "event in", "from", "fct_events", "raw", ".", "events", "(", ")", ",", "as", "x", "where", "project_id", "=", "1",
    "'a'", "union", "all", "with", "in", "exists", "join", "on", "array", "using", "limit", "offset", "by", "group", "order",
    "settings", "format", "file", "url", "{project_id:UInt32}", "{t:Identifier}", "case", "when", "end", "->", "[", "]", "::",
    "UInt8", "over", "not", "/*", "*/", "--\n", ";", "$$", "`", '"', "\\", "distinct", "final", "sample", "marts", "system",
    "interval", "day", "apply", "columns", "except", "between", "and", "or", "is", "null", "global", "any", "asof", "recursive",
    "materialized", "values", "count", "sum", "arrayMap", "hostName", "?", ":", "prewhere", "having", "qualify", "window",
]  # fmt: skip
_FILTERED = re.compile(
    r"\(select \* from `marts`\.`(?:fct_events|dim_events|agg_events_daily|dim_projects)` as _radix_source "
    r"prewhere _radix_source\.project_id = \{project_id:UInt32\}\)"
)


def _is_contained(written: str) -> bool:
    """Say whether every table in a written statement is cut to the project, looked at as text alone."""
    rest = re.sub(r"'(?:[^'\\]|\\.)*'", "''", _FILTERED.sub("(T)", written))
    sources = re.findall(r"\b(?:from|join) +(\S+)", re.sub(r"`(?:[^`\\]|\\.)*`", "``", rest).replace("\n", " "))
    # A bare name behind in is a table to ClickHouse.
    is_bare = re.search(r"\bin \(+`[^,)]*\)", re.sub(r"\bin \((?:select|with)\b", "", rest))
    return is_bare is None and all(source.startswith(("(", "_radix_")) for source in sources)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
def test_whatever_words_are_put_together_a_table_is_cut_or_the_statement_refused(words: str) -> None:
    for sql in (words, f"select * from fct_events where {words}", f"with x as ({words}) select * from x"):
        try:
            parsed = parse(sql)
            written = StatementWriter(parsed, DATABASE, TABLES).statement(10)
        except (SqlNotAllowedError, SqlInvalidError):
            continue
        assert _is_contained(written), written


class Generator:
    """Makes statements that read tables in every place where one may stand."""

    def __init__(self, seed: int, own: int, other: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - statements, no secrets
        self.own, self.other = own, other
        self.named: list[str] = []

    def query(self, depth: int) -> str:
        """Return a query of one column, p."""
        pick = self.chance.randrange(8) if depth > 0 else self.chance.randrange(2)
        if pick < 3:
            return f"select {self.column('t')} as p from {self.table(depth)} as t {self.where(depth)}"
        if pick == 3:
            return (
                f"select p from ({self.query(depth - 1)}) as u union all select p from ({self.query(depth - 1)}) as v"
            )
        if pick == 4:
            kind = self.chance.choice(("inner", "left", "right", "full", "cross"))
            on = "" if kind == "cross" else f" on l.p = r.p {self.chance.choice(('', '+ 1', '- 1'))}"
            return f"select r.p as p from ({self.query(depth - 1)}) as l {kind} join ({self.query(depth - 1)}) as r{on}"
        if pick == 5:
            name = self.chance.choice(("a", "b", "dim_projects", "agg_persons_daily"))
            inner = self.query(depth - 1)
            self.named.append(name)
            outer = f"with {name} as ({inner}) select p from {name} as w {self.where(depth - 1, 'w.p')}"
            self.named.remove(name)
            return outer
        if pick == 6:
            return f"select (select max(p) from ({self.query(depth - 1)}) as m) as p"
        return f"select arrayJoin(groupUniqArray(p)) as p from ({self.query(depth - 1)}) as g"

    def table(self, depth: int) -> str:
        """Return a table with a column project_id."""
        if depth > 0 and self.chance.random() < 0.3:
            return f"(select *, {self.chance.choice((self.own, self.other))} as q from {self.table(depth - 1)})"
        if self.named and self.chance.random() < 0.2:
            return f"(select p as project_id from {self.chance.choice(self.named)})"
        return (
            self.chance.choice(("dim_projects", "agg_persons_daily", "funnel_checkout"))
            if not self.named
            else "funnel_checkout"
        )

    def column(self, table: str) -> str:
        """Return an expression that is a project's id."""
        return self.chance.choice((f"{table}.project_id", "project_id", f"any({table}.project_id) over ()"))

    def where(self, depth: int, column: str = "project_id") -> str:
        """Return a condition that tries to open the query."""
        options = [
            "", "where 1", f"where {column} = {self.other} or 1", f"where {column} != {self.own} or not 0",
            f"where {column} in ({self.own}, {self.other})", f"where {column} between 0 and 4000000000",
        ]  # fmt: skip
        if depth > 0:
            options += [
                f"where {column} in ({self.query(depth - 1)})",
                f"where {column} not in ({self.query(depth - 1)}) or 1",
                f"where exists ({self.query(depth - 1)}) or 1",
            ]
        return self.chance.choice(options)


@given(seed=st.integers(0, 2**64 - 1))
def test_whatever_is_generated_has_rows_of_its_own_project_only(reader: Client, modelled: Any, seed: int) -> None:
    own, other = (modelled.berlin, modelled.new_york) if seed % 2 else (modelled.new_york, modelled.berlin)
    sql = Generator(seed, own.id, other.id).query(3)
    tables = {"dim_projects", "agg_persons_daily", "funnel_checkout"}
    written = StatementWriter(parse(sql), modelled.database, tables).statement(100_000)
    try:
        rows = ProjectScope(own.id).run(reader, written).result_rows
    except DatabaseError as error:
        # What the generator makes is not always sense: a where that reads a window function, say.
        if "UNKNOWN_TABLE" in str(error):
            raise
        return
    # An outer join fills with 0 what it does not find.
    assert {row[0] for row in rows} <= {own.id, 0, None}, sql


@pytest.fixture(scope="module")
def reader(runtime: Instance) -> Any:
    client = warehouse.connect(runtime.clickhouse_reader_url)
    yield client
    client.close()


def test_the_scope_sees_the_project_in_every_statement_that_is_written() -> None:
    parsed = parse("select count() from fct_events as a, dim_events as b where a.event in dim_events")
    written = StatementWriter(parsed, DATABASE, TABLES).statement(10)
    ProjectScope(1).check(written)
    assert written.count("{project_id:UInt32}") == 3


@pytest.mark.parametrize(
    "sql",
    [
        r"select '\xff\xfe' from fct_events limit 1",
        r"select '\0' || '\x00' from fct_events limit 1",
        "select '\x00' from fct_events limit 1",
        "select '\ud800' from fct_events limit 1",
        "select `\x00` from fct_events limit 1",
        "select '\u2028\u202e' from fct_events limit 1",
        "\ufeffselect 1 from fct_events limit 1",
        "select 1e400, 1e-400, 18446744073709551616 from fct_events limit 1",
        "select 1 from fct_events limit -1",
        "select 1 from fct_events limit 99999999999999999999",
        "select 1 from fct_events limit 'a'",
        "select 1 from fct_events limit 1 offset 18446744073709551615",
        "select 1 from fct_events limit 0.5",
    ],
)
async def test_odd_characters_and_numbers_are_no_fault_of_the_server(
    api: httpx.AsyncClient, modelled: Any, sql: str
) -> None:
    answer = await api.post(
        f"/v1/projects/{modelled.berlin.id}/sql",
        content=json.dumps({"sql": sql}),
        headers=modelled.berlin.headers | {"content-type": "application/json"},
    )
    assert answer.status_code in {200, 422}, answer.text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("String", "\ud800"), ("String", "\x00"), ("UInt8", -1), ("UInt8", "x"), ("UInt8", None), ("UInt64", 2**70),
        ("Array(String)", [None]), ("Array(UInt8)", "x"), ("Float64", 1e308), ("Date", "0000-00-00"), ("Bool", 7),
        ("String", ["a"]), ("String", "x" * 300_000), ("Array(UInt8)", [1] * 50_000),
    ],
)  # fmt: skip
async def test_a_value_that_does_not_fit_is_no_fault_of_the_server(
    api: httpx.AsyncClient, modelled: Any, kind: str, value: Any
) -> None:
    answer = await api.post(
        f"/v1/projects/{modelled.berlin.id}/sql",
        content=json.dumps({"sql": f"select {{x:{kind}}} from fct_events limit 1", "parameters": {"x": value}}),
        headers=modelled.berlin.headers | {"content-type": "application/json"},
    )
    assert answer.status_code in {200, 422}, answer.text[:300]

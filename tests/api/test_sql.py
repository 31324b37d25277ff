"""Analysts' SQL: what they write over their marts is what they get, of their project."""

# ruff: noqa: E501, ISC004 - statements stand on one line, in the letters that attack

import asyncio
import json
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from api.settings import ApiSettings
from api.sql import service
from api.sql.functions import known_function, takes_function
from api.sql.values import json_value
from core import warehouse
from runtime.instance import Instance


async def ask(api: httpx.AsyncClient, project: Any, sql: str, **body: Any) -> httpx.Response:
    return await api.post(f"/v1/projects/{project.id}/sql", json={"sql": sql, **body}, headers=project.headers)


async def rows_of(api: httpx.AsyncClient, project: Any, sql: str, **body: Any) -> list[list[Any]]:
    answer = await ask(api, project, sql, **body)
    assert answer.status_code == 200, answer.text
    rows: list[list[Any]] = answer.json()["data"]["rows"]
    return rows


async def test_a_question_has_the_rows_of_its_project(api: httpx.AsyncClient, modelled: Any) -> None:
    sql = "select event, count() as events from fct_events group by event"
    for project in (modelled.berlin, modelled.new_york):
        found = dict(await rows_of(api, project, sql))
        assert found == Counter(event.name for event in project.events)


async def test_an_answer_without_rows_has_its_columns(api: httpx.AsyncClient, modelled: Any) -> None:
    sql = "select event, count() as times from fct_events where event = {name:String} group by event"
    answers = [
        await ask(api, modelled.berlin, sql, parameters={"name": name}) for name in ("nobody sends this", "catalog")
    ]
    empty, full = (answer.json()["data"] for answer in answers)
    assert (empty["rows"], len(full["rows"])) == ([], 1)
    assert empty["columns"] == full["columns"]
    file = await api.post(
        f"/v1/projects/{modelled.berlin.id}/sql?format=csv",
        json={"sql": sql, "parameters": {"name": "nobody sends this"}},
        headers=modelled.berlin.headers,
    )
    assert file.text.split() == ['"event","times"']


async def test_an_answer_says_what_was_run_and_of_which_types_it_is(api: httpx.AsyncClient, modelled: Any) -> None:
    answer = (
        await ask(api, modelled.berlin, "select max(timestamp) as latest, count() from fct_events as f, dim_projects")
    ).json()
    kinds = [(column["name"], column["type"]) for column in answer["data"]["columns"]]
    assert kinds == [("latest", "DateTime64(3, 'UTC')"), ("count()", "UInt64")]
    latest = datetime.fromtimestamp(max(event.timestamp_ms for event in modelled.berlin.events) / 1000, UTC)
    assert datetime.fromisoformat(answer["data"]["rows"][0][0]) == latest
    meta = answer["meta"]
    assert meta["sources"] == [f"{modelled.database}.fct_events", f"{modelled.database}.dim_projects"]
    assert meta["parameters"] == {"project_id": modelled.berlin.id}
    assert meta["sql"].count("prewhere _radix_source.project_id = {project_id:UInt32}") == 2
    assert datetime.fromisoformat(meta["fresh_until"]) == latest
    assert meta["read_rows"] > 0
    assert not meta["truncated"]


async def test_who_has_the_rows_is_not_sent_them_again(serve: Any, settings: ApiSettings, modelled: Any) -> None:
    keeping = settings.model_copy(update={"data_version_seconds": 60, "landing_seconds": 60})
    path, sent = f"/v1/projects/{modelled.berlin.id}/sql", modelled.berlin.headers
    statement = {"sql": "select count() as events from fct_events"}
    async with serve(keeping) as (client, _):
        first = await client.post(path, json=statement, headers=sent)
        again = await client.post(path, json=statement, headers=sent)
        assert [each.json()["meta"]["cached"] for each in (first, again)] == [False, True]
        assert first.json()["data"] == again.json()["data"]
        known = sent | {"if-none-match": first.headers["etag"], "cache-control": "max-stale=60"}
        unchanged = await client.post(path, json=statement, headers=known)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert "age" not in unchanged.headers
        other = f"/v1/projects/{modelled.kathmandu.id}/sql"
        theirs = await client.post(other, json=statement, headers=modelled.kathmandu.headers)
        assert not theirs.json()["meta"]["cached"]


async def test_insights_and_statements_share_what_is_known_of_freshness(api: httpx.AsyncClient, modelled: Any) -> None:
    path = f"/v1/projects/{modelled.kathmandu.id}/event-names?from=2025-03-03&to=2025-04-07"
    insight = (await api.get(path, headers=modelled.kathmandu.headers)).json()["meta"]
    answer = (await ask(api, modelled.kathmandu, "select count() from fct_events")).json()["meta"]
    assert datetime.fromisoformat(answer["fresh_until"]) == datetime.fromisoformat(insight["fresh_until"])


async def test_what_was_run_can_be_run_again_by_hand(api: httpx.AsyncClient, modelled: Any, runtime: Instance) -> None:
    sql = "select event, count() as n from fct_events where event != {event:String} group by event order by n, event"
    answer = (await ask(api, modelled.berlin, sql, parameters={"event": "cart"})).json()
    client = warehouse.connect(runtime.clickhouse_reader_url)
    again = client.query(answer["meta"]["sql"], parameters=answer["meta"]["parameters"]).result_rows
    client.close()
    assert [list(row) for row in again] == answer["data"]["rows"]


QUESTIONS = {
    "an aggregate with two pairs of brackets": (
        "select quantilesExact(0.5, 1)(sequence) from fct_events",
        "select quantilesExact(0.5, 1)(sequence) from T",
    ),
    "a condition in an aggregate": (
        "select countIf(event = 'cart'), sumIf(sequence, event in ('cart', 'purchase')) from fct_events",
        "select countIf(event = 'cart'), sumIf(sequence, event in ('cart', 'purchase')) from T",
    ),
    "precedence as in ClickHouse": (
        "select 1 + 2 * 3 - 4 / 2 % 3, not 1 = 2 and 3 > 2 or 0, 1 between 0 and 2 and 1, -2 + 1, '1' || '2' = '12' "
        "from fct_events limit 1",
        "select 1 + 2 * 3 - 4 / 2 % 3, not 1 = 2 and 3 > 2 or 0, 1 between 0 and 2 and 1, -2 + 1, '1' || '2' = '12'",
    ),
    "hours": (
        "select toStartOfInterval(timestamp, interval 6 hour) as t, count() from fct_events group by t order by t",
        "select toStartOfInterval(timestamp, interval 6 hour) as t, count() from T group by t order by t",
    ),
    "gaps filled": (
        "select toDate(timestamp) as d, count() from fct_events where event = 'cart' group by d "
        "order by d with fill step interval 1 day",
        "select toDate(timestamp) as d, count() from T where event = 'cart' group by d "
        "order by d with fill step interval 1 day",
    ),
    "arrays": (
        "select arrayJoin(arrayMap((x, i) -> x + i, [1, 2], [10, 20])) as a, [1, 2][-1], (1, 'b').2, count() "
        "from fct_events group by a order by a",
        "select arrayJoin(arrayMap((x, i) -> x + i, [1, 2], [10, 20])) as a, [1, 2][-1], (1, 'b').2, count() "
        "from T group by a order by a",
    ),
    "an array join": (
        "select n, count() from fct_events array join [1, 2] as n group by n order by n",
        "select n, count() from T array join [1, 2] as n group by n order by n",
    ),
    "a window": (
        "select event, row_number() over (partition by event order by timestamp, message_id desc) as place, "
        "sum(1) over w from fct_events window w as (order by timestamp, message_id rows between 2 preceding and current "
        "row) qualify place < 3 order by event, place",
        "select event, row_number() over (partition by event order by timestamp, message_id desc) as place, "
        "sum(1) over w from T window w as (order by timestamp, message_id rows between 2 preceding and current row) "
        "qualify place < 3 order by event, place",
    ),
    "a funnel": (
        "select level, count() from (select windowFunnel(86400000)(toUInt64(toUnixTimestamp64Milli(timestamp)), "
        "event = 'catalog', event = 'cart', event = 'purchase') as level from fct_events group by person_number) "
        "group by level order by level",
        "select level, count() from (select windowFunnel(86400000)(toUInt64(toUnixTimestamp64Milli(timestamp)), "
        "event = 'catalog', event = 'cart', event = 'purchase') as level from T group by person_number) "
        "group by level order by level",
    ),
    "queries with names": (
        "with first as (select event, min(timestamp) as at from fct_events group by event), "
        "(select count() from fct_events) as total select event, at, total from first order by at, event",
        "with first as (select event, min(timestamp) as at from T group by event), "
        "(select count() from T) as total select event, at, total from first order by at, event",
    ),
    "set operations": (
        "select event from fct_events where event < 'catalog' intersect distinct select event from fct_events",
        "select event from T where event < 'catalog' intersect distinct select event from T",
    ),
    "cases": (
        "select case when event = 'cart' then 'c' when event = 'purchase' then 'p' end as k, "
        "case type when 'track' then 1 else 0 end as t, event = 'cart' ? 1 : 2 as q, count() "
        "from fct_events group by k, t, q order by k, t, q",
        "select case when event = 'cart' then 'c' when event = 'purchase' then 'p' end as k, "
        "case type when 'track' then 1 else 0 end as t, event = 'cart' ? 1 : 2 as q, count() "
        "from T group by k, t, q order by k, t, q",
    ),
    "a correlated subquery": (
        "select event, count() from fct_events as e where exists (select 1 from fct_events as o "
        "where o.event = 'cart' and o.person_number = e.person_number) group by event order by event",
        "select event, count() from T as e where exists (select 1 from T as o "
        "where o.event = 'cart' and o.person_number = e.person_number) group by event order by event",
    ),
    "totals by rollup": (
        "select type, event, count() from fct_events group by rollup(type, event) order by all",
        "select type, event, count() from T group by rollup(type, event) order by type, event, count()",
    ),
    "the best of each": (
        "select event, timestamp from fct_events order by event, timestamp, message_id limit 2 by event",
        "select event, timestamp from T order by event, timestamp, message_id limit 2 by event",
    ),
    "casts and texts": (
        r"select '12'::UInt8 + 1, cast('1.50' as Decimal(10, 2)), date '2025-03-01' + interval 1 month, 'it''s \'\\ \n' "
        "from fct_events limit 1",
        r"select '12'::UInt8 + 1, cast('1.50' as Decimal(10, 2)), date '2025-03-01' + interval 1 month, 'it''s \'\\ \n'",
    ),
    "JSON": (
        """select JSONExtractString('{"plan": "pro", "n": [1, 2]}', 'plan'), """
        """JSONExtract('{"n": [1, 2]}', 'n', 'Array(UInt8)') from fct_events limit 1""",
        """select JSONExtractString('{"plan": "pro", "n": [1, 2]}', 'plan'), """
        """JSONExtract('{"n": [1, 2]}', 'n', 'Array(UInt8)')""",
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_an_ordinary_statement_has_the_rows_that_clickhouse_gives_for_the_project(
    api: httpx.AsyncClient, modelled: Any, runtime: Instance, question: str
) -> None:
    asked, plain = QUESTIONS[question]
    own = f"(select * from {modelled.database}.fct_events where project_id = {modelled.berlin.id})"
    client = warehouse.connect(runtime.clickhouse_reader_url)
    expected = client.query(plain.replace(" T", f" {own}")).result_rows
    client.close()
    found = await rows_of(api, modelled.berlin, asked.replace("order by all", "order by type, event, count()"))
    assert [[_text(value) for value in row] for row in found] == [[_text(value) for value in row] for row in expected]
    assert found


def _text(value: Any) -> str:
    """Compare instants and decimals as JSON shows them."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (list, tuple)):
        return str([_text(item) for item in value])
    return str(value)


async def test_sets_of_persons_are_counted_over_days(api: httpx.AsyncClient, modelled: Any) -> None:
    sql = "select event, groupBitmapMerge(persons) from agg_events_daily group by event"
    expected: dict[str, set[str]] = {}
    for event in modelled.berlin.events:
        expected.setdefault(event.name, set()).add(event.person)
    found = dict(await rows_of(api, modelled.berlin, sql))
    assert found == {name: len(persons) for name, persons in expected.items()}


async def test_a_state_is_not_shown_and_the_error_says_what_to_ask_for(api: httpx.AsyncClient, modelled: Any) -> None:
    answer = await ask(api, modelled.berlin, "select * from agg_events_daily")
    assert (answer.status_code, answer.json()["code"]) == (422, "sql_invalid")
    assert "finalizeAggregation" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("String", 'it\'s "odd" {event:String} -- \\ \t\n%20 💶'),
        ("String", "'; drop table x; --"),
        ("Nullable(String)", None),
        ("UInt64", 2**53 - 1),
        ("Float64", 1.5),
        ("Bool", True),
        ("Array(String)", ["a", "it's", "\\"]),
        ("Array(UInt8)", []),
        ("Date", "2025-03-01"),
    ],
)
async def test_a_value_is_bound_and_comes_back_as_it_is(
    api: httpx.AsyncClient, modelled: Any, kind: str, value: Any
) -> None:
    sql = f"select {{value:{kind}}} from fct_events limit 1"
    assert await rows_of(api, modelled.berlin, sql, parameters={"value": value}) == [[value]]


async def test_values_are_asked_for_by_name(api: httpx.AsyncClient, modelled: Any) -> None:
    sql = "select count() from fct_events where event in {names:Array(String)}"
    expected = sum(event.name in {"cart", "purchase"} for event in modelled.berlin.events)
    assert await rows_of(api, modelled.berlin, sql, parameters={"names": ["cart", "purchase"]}) == [[expected]]


@pytest.mark.parametrize("parameters", [{}, {"event": "cart", "evnt": "x"}])
async def test_a_value_that_is_missing_or_not_used_is_an_error(
    api: httpx.AsyncClient, modelled: Any, parameters: dict[str, str]
) -> None:
    sql = "select count() from fct_events where event = {event:String}"
    answer = await ask(api, modelled.berlin, sql, parameters=parameters)
    assert (answer.status_code, answer.json()["code"]) == (422, "sql_invalid")


async def test_rows_are_cut_at_the_limit_and_the_answer_says_so(api: httpx.AsyncClient, modelled: Any) -> None:
    sql = "select timestamp from fct_events order by timestamp desc, message_id"
    every = [row[0] for row in await rows_of(api, modelled.berlin, sql, limit=100_000)]
    assert len(every) == len(modelled.berlin.events)
    assert every == sorted(every, reverse=True)
    for asked, limit, count, truncated in (
        (sql, 10, 10, True),
        (sql, len(every), len(every), False),
        (f"{sql} limit 5", 10, 5, False),
        (f"{sql} limit 50", 10, 10, True),
        (f"{sql} limit 3 offset {len(every) - 1}", 10, 1, False),
        (f"select event from fct_events union all {sql.replace('timestamp from', 'type from')}", 10, 10, True),
    ):
        answer = (await ask(api, modelled.berlin, asked, limit=limit)).json()
        assert (len(answer["data"]["rows"]), answer["meta"]["truncated"]) == (count, truncated)


async def test_odd_names_of_columns_stay_as_they_are(api: httpx.AsyncClient, modelled: Any) -> None:
    sql = """select 1 as "odd name", 2 as `it's(`, 3 as `ü)`, 4, event from fct_events limit 1"""
    answer = (await ask(api, modelled.berlin, sql)).json()
    assert [column["name"] for column in answer["data"]["columns"]] == ["odd name", "it's(", "ü)", "4", "event"]


async def test_a_result_that_is_too_large_is_refused(api: httpx.AsyncClient, modelled: Any) -> None:
    """A column of one value counts once in ClickHouse unless it is written out."""
    for sql in ("select repeat('x', 1000000) from fct_events", "select repeat(event, 100000) from fct_events"):
        answer = await ask(api, modelled.berlin, sql)
        assert (answer.status_code, answer.json()["code"]) == (422, "query_too_large")
        assert answer.json()["limit"] == "sql_max_result_bytes"


async def test_a_statement_that_takes_too_long_is_cancelled(serve: Any, settings: ApiSettings, modelled: Any) -> None:
    sql = "select count() from fct_events a, fct_events b, fct_events c, fct_events d where a.event > b.event"
    async with serve(settings.model_copy(update={"query_max_seconds": 1.0})) as (api, _):
        started = time.monotonic()
        answer = await ask(api, modelled.berlin, sql)
    assert (answer.status_code, answer.json()["code"]) == (504, "query_timeout")
    # There is no range in a statement, and no interval.
    assert "Read fewer rows" in answer.json()["detail"]
    assert time.monotonic() - started < 5


async def test_a_query_ends_when_its_caller_leaves(
    serve: Any, settings: ApiSettings, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def endless(*_: Any, **__: Any) -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    body = json.dumps({"sql": "select count() from fct_events"}).encode()
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await started.wait()
        return {"type": "http.disconnect"}

    async def send(_: dict[str, Any]) -> None:
        pass

    path = f"/v1/projects/{modelled.berlin.id}/sql"
    named = {"content-type": "application/json", **modelled.berlin.headers}
    scope = {
        "type": "http", "http_version": "1.1", "scheme": "http", "server": ("api", 80), "method": "POST", "path": path,
        "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }  # fmt: skip
    async with serve(settings) as (_, app):
        monkeypatch.setattr(app.state.resources.warehouse, "result", endless)
        await asyncio.wait_for(app(scope, receive, send), 10)
    assert ended.is_set()


async def test_further_statements_wait_for_their_turn(serve: Any, settings: ApiSettings, modelled: Any) -> None:
    async with serve(settings.model_copy(update={"sql_max_concurrent_queries": 1})) as (api, _):
        answers = await asyncio.gather(*(ask(api, modelled.berlin, "select count() from fct_events") for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4


@pytest.mark.parametrize(
    ("sql", "line", "column"),
    [
        ("select event\nfrom fct_events\nwhere url('x') = 1", 3, 7),
        ("select event\nfrom raw.events", 2, 10),
        ("select event from fct_events\n  limit (", 2, 9),
        ("select 'ü', event from fct_events group by\n1 = 2 = 3 with totals", 2, None),
    ],
)
async def test_an_error_says_where_it_is(
    api: httpx.AsyncClient, modelled: Any, sql: str, line: int, column: int | None
) -> None:
    answer = (await ask(api, modelled.berlin, sql)).json()
    assert answer["code"] in {"sql_not_allowed", "sql_invalid"}
    if column is not None:
        assert (answer["line"], answer["column"]) == (line, column)
        assert answer["detail"].startswith(f"Line {line}, column {column}: ")


async def test_what_clickhouse_says_of_a_statement_is_told(api: httpx.AsyncClient, modelled: Any) -> None:
    answer = (await ask(api, modelled.berlin, "select evnt from fct_events")).json()
    assert answer["code"] == "sql_invalid"
    assert "Unknown expression identifier `evnt`" in answer["detail"]
    assert "apitest" not in answer["detail"]


async def test_tables_are_listed_with_what_their_columns_mean(api: httpx.AsyncClient, modelled: Any) -> None:
    path = f"/v1/projects/{modelled.berlin.id}/sql/tables"
    tables = {table["name"]: table for table in (await api.get(path, headers=modelled.berlin.headers)).json()["data"]}
    assert {"fct_events", "agg_events_daily", "dim_projects", "funnel_checkout"} <= set(tables)
    assert not [name for name in tables if "__dbt" in name or name.endswith(("_touched", "_repaired", "_keys"))]
    columns = {column["name"]: column for column in tables["fct_events"]["columns"]}
    assert columns["timestamp"]["type"] == "DateTime64(3, 'UTC')"
    assert "event" in columns["event"]["description"].lower()
    for name in tables:
        assert (await ask(api, modelled.berlin, f"select count() from {name}")).status_code == 200


def test_every_allowed_function_is_one_of_clickhouse_and_calls_no_other_by_its_name(runtime: Instance) -> None:
    """`arrayMap(hostName, …)` calls hostName: what takes functions is known, and held to `x -> …`."""
    client = warehouse.connect(runtime.clickhouse_reader_url)
    names = [row[0] for row in client.query("select name from system.functions").result_rows]
    allowed = [name for name in names if known_function(name) == name]
    assert len(allowed) > 500
    for name in allowed:
        if takes_function(name, 2) or name in {"CAST", "position", "substring", "groupConcat"}:
            continue
        for arguments in ("negate, [1, 2]", "negate"):
            with pytest.raises(DatabaseError, match="UNKNOWN_IDENTIFIER"):
                client.query(f"select {name}({arguments})")
    client.close()


async def test_the_statements_of_the_documentation_run(api: httpx.AsyncClient, modelled: Any) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
    bodies = [json.loads(body) for body in re.findall(r"-d '(.*?)'(?: > \S+)?\n", text, re.DOTALL)]
    assert len(bodies) == 3
    for body in bodies:
        answer = await ask(api, modelled.berlin, **body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["rows"]


async def test_others_are_answered_while_many_rows_become_json(
    api: httpx.AsyncClient, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()

    def shown(value: Any) -> Any:
        threads.add(threading.get_ident())
        return json_value(value)

    monkeypatch.setattr(service, "json_value", shown)
    assert len(await rows_of(api, modelled.berlin, "select message_id from fct_events limit 3")) == 3
    assert threads
    assert threading.get_ident() not in threads

"""Documents that do not fit, that are hostile, or that name what is another project's."""

import json
import re
import time
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from api.queries.examples import DOCUMENTS
from api.settings import ApiSettings
from core import warehouse
from engine.api_events import counted
from runtime.instance import Instance

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "queries.md"
RANGE = {"from": "2025-03-03", "to": "2025-04-07"}
FUNNEL: dict[str, Any] = {"kind": "funnel", **RANGE, "steps": ["catalog", "cart"]}
TREND: dict[str, Any] = {"kind": "trend", **RANGE, "series": [{"name": "carts", "event": "cart"}]}
RETENTION: dict[str, Any] = {"kind": "retention", **RANGE}
BAD_STEP = {"event": "cart", "where": [{"property": "total", "operator": "gt", "value": "much"}]}


async def _post(api: httpx.AsyncClient, project: Any, document: Any, **options: Any) -> httpx.Response:
    url = f"/v1/projects/{project.id}/query"
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return await api.post(url, headers=project.headers, content=body, **options)


@pytest.mark.parametrize(
    ("document", "pointer", "message"),
    [
        (FUNNEL | {"windw": "3d"}, "/windw", "there is no such key here"),
        (FUNNEL | {"description": "d"}, "/description", "there is no such key here"),
        (FUNNEL | {"projects": [1]}, "/projects", "there is no such key here"),
        (FUNNEL | {"project_id": 2}, "/project_id", "there is no such key here"),
        (FUNNEL | {"steps": ["catalog", BAD_STEP]}, "/steps/1/where/0/value", "gt wants a number, not 'much'"),
        (FUNNEL | {"steps": ["catalog"]}, "/steps", "there have to be at least 2"),
        (FUNNEL | {"window": "3 days"}, "/window", "is not a length of time"),
        (FUNNEL | {"from": "2025-02-30"}, "/from", "not a day of the calendar"),
        (FUNNEL | {"from": "2025-03-03T10:00:00"}, "/from", "has no offset"),
        (FUNNEL | {"to": "2025-03-03"}, "/to", "must be after 'from'"),
        (FUNNEL | {"to": "2106-01-01"}, "/to", "must lie between 1970 and 2100"),
        (FUNNEL | {"last": 3}, "", "give one of the two"),
        ({"kind": "funnel", "steps": ["a", "b"], "last": 1001}, "/last", "it has to be 1000 or less, not 1001"),
        (TREND | {"interval": "hour", "from": "2020-01-01"}, "/interval", "more than 10000"),
        (RETENTION | {"period": "hour", "from": "2020-01-01"}, "/period", "more than 10000"),
        ({"kind": "trend", "series": TREND["series"], "interval": "month", "last": 1000}, "/last", "1970 and 2100"),
        (TREND | {"series": [{"name": "select"}]}, "/series/0/name", "means something else in SQL"),
        (TREND | {"formulas": [{"name": "ratio", "formula": "A / C"}]}, "/formulas/0/formula", "there is no series C"),
        (
            TREND | {"formulas": [{"name": "same", "formula": "A"}, {"name": "broken", "formula": "A +"}]},
            "/formulas/1/formula",
            "the formula ends",
        ),
        (TREND | {"series": TREND["series"] * 2}, "/series/1/name", "carts would name more than one column"),
        (
            TREND | {"formulas": [{"name": "carts", "formula": "A"}]},
            "/formulas/0/name",
            "carts would name more than one column",
        ),
        (FUNNEL | {"exclude": [{"event": "a", "to_step": 3}]}, "/exclude/0/to_step", "the funnel has 2 steps"),
        (
            FUNNEL | {"exclude": [{"event": "a", "from_step": 2}]},
            "/exclude/0/from_step",
            "it has to come before step 2",
        ),
        (
            FUNNEL | {"breakdown": {"property": "plan", "attribution": 7}},
            "/breakdown/attribution",
            "it names step 7, of 2",
        ),
        (
            RETENTION | {"return_rule": "brackets", "brackets": [[1, 2], [4, 3]]},
            "/brackets/1",
            "the first not after the last",
        ),
        (TREND | {"cumulative": True, "moving_average": 7}, "", "cumulative goes with neither"),
        (TREND | {"a/b~c": 1}, "/a~1b~0c", "there is no such key here"),
        (TREND | {"breakdown": [{"column": "password"}]}, "/breakdown/0/column", "it has to be 'type'"),
        (
            TREND | {"series": [{"name": "chosen", "where": [{"cohort": "cohort_no"}]}]},
            "/series/0/where/0/cohort",
            "no cohort",
        ),
        (
            TREND | {"series": [{"name": "chosen", "where": [{"cohort": "fct_events"}]}]},
            "/series/0/where/0/cohort",
            "pattern",
        ),
        ({"kind": "tunnel"}, "", "kind has to be one of trend, funnel"),
        ({"kind": "rollup"} | RANGE, "", "kind has to be one of trend, funnel"),
        ({}, "", "kind has to be one of trend, funnel"),
        ([FUNNEL], "", "a query document is an object"),
        (None, "", "a query document is an object"),
        (b"", "", "it is no JSON"),
        (b"{'kind': 1}", "", "it is no JSON"),
        (b'{"kind": "trend", "kind": "funnel"}', "", "the key 'kind' stands there twice"),
        (b'{"kind": "trend", "last": NaN}', "", "NaN is no number of JSON"),
        (b'{"kind": "trend", "last": ' + b"9" * 5000 + b"}", "", "it is no JSON"),
        (
            b'{"kind": "trend", "series": [{"name": "chosen", "event": "\\ud800"}]}',
            "/series/0/event",
            "half of a character",
        ),
        (b"\xff\xfe{", "", "it is no JSON"),
    ],
)
async def test_a_document_that_does_not_fit_is_refused_at_the_place(
    api: httpx.AsyncClient, modelled: Any, document: Any, pointer: str, message: str
) -> None:
    answer = await _post(api, modelled.berlin, document)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    [error] = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert message in error["message"]
    assert error["kind"]


async def test_the_documents_in_the_documentation_are_answered(api: httpx.AsyncClient, modelled: Any) -> None:
    documents = re.findall(r"\$API/v1/projects/1/query\" -d '\n(.*?)'\n", DOCUMENTATION.read_text(), re.DOTALL)
    kinds = {json.loads(document)["kind"] for document in documents}
    assert kinds == set(DOCUMENTS)
    for document in [*map(json.loads, documents), *DOCUMENTS.values()]:
        answer = await _post(api, modelled.berlin, document)
        assert answer.status_code == 200, answer.text


async def test_each_place_that_does_not_fit_is_named(api: httpx.AsyncClient, modelled: Any) -> None:
    answer = await _post(api, modelled.berlin, FUNNEL | {"steps": [BAD_STEP, {"evnt": "x"}], "order": "random"})
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/steps/0/where/0/value", "/steps/1/evnt", "/order"}


def _deep(levels: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"property": "plan", "value": "pro"}
    for _ in range(levels):
        condition = {"none": [condition]}
    return TREND | {"series": [{"name": "chosen", "where": [condition]}]}


HOSTILE: dict[str, tuple[bytes, int]] = {
    "many brackets": (b"[" * 59_000, 422),
    "many objects": (b'{"a":' * 11_000, 422),
    "deep conditions": (b'{"kind": "trend", "where": ' + b'{"none": [' * 400 + b"1" + b"]}" * 400 + b"}", 422),
    "many keys": (json.dumps({f"k{number}": 0 for number in range(4900)}).encode(), 422),
    "many wrong steps": (json.dumps(FUNNEL | {"steps": [{"e": 0}] * 2000}).encode(), 422),
    "many wrong conditions": (json.dumps(_deep(1) | {"x": [{"any": []}] * 2000}).encode(), 422),
    "many empty conditions": (
        json.dumps(TREND | {"series": [{"name": "chosen", "where": [{"any": []}] * 2000}]}).encode(),
        422,
    ),
    "many conditions": (
        json.dumps(
            TREND | {"series": [{"name": "chosen", "where": [{"property": "p", "value": 1}] * 1600}]},
            separators=(",", ":"),
        ).encode(),
        422,
    ),
    "many bytes": (b" " * 60_001, 413),
    "endless bytes": (b'{"kind": "' + b"x" * 50_000_000, 413),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_document_costs_little(api: httpx.AsyncClient, modelled: Any, name: str) -> None:
    body, status = HOSTILE[name]
    started, computed = time.perf_counter(), time.process_time()
    answer = await _post(api, modelled.berlin, body)
    # Seconds of this process, which has the API, and of the clock, which other tests slow down.
    took = (time.process_time() - computed < 2, time.perf_counter() - started < 10)
    assert (answer.status_code, *took) == (status, True, True), answer.text[:500]
    assert len(answer.content) < 100_000


MANY: dict[str, list[dict[str, Any]]] = {
    "properties": [{"name": "chosen", "where": [{"property": "plan", "value": ["pro", 1, True]}] * 100}],
    "traits": [{"name": "chosen", "where": [{"trait": "team", "operator": "regex", "value": "^r"}] * 100}],
    "sessions": [{"name": "chosen", "where": [{"session": "entry_path", "operator": "contains", "value": "x"}] * 100}],
    "names": [{"name": "chosen", "event": [f"event {number}" for number in range(2000)]}],
    "series": [
        {"name": f"s_{number}", "event": "cart", "measure": "p90", "of": {"property": "total"}} for number in range(26)
    ],
}


@pytest.mark.parametrize("name", MANY)
async def test_as_much_as_a_document_may_say_is_answered_within_seconds(
    api: httpx.AsyncClient, modelled: Any, name: str
) -> None:
    started = time.perf_counter()
    answer = await _post(api, modelled.berlin, TREND | {"series": MANY[name]})
    assert answer.status_code == 200, answer.text
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("value", ["0001-01-01", "0999-12-31T23:59:59+14:00", "1899-01-01", "9999-12-31T23:59:59Z"])
async def test_an_instant_of_any_year_is_one_to_compare_with(api: httpx.AsyncClient, modelled: Any, value: str) -> None:
    where = [{"property": "at", "operator": "before", "value": value}]
    answer = await _post(api, modelled.berlin, TREND | {"series": [{"name": "chosen", "where": where}]})
    assert answer.status_code == 200, answer.text


async def test_a_wrong_regular_expression_stands_in_no_log(
    api: httpx.AsyncClient, modelled: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    where = [{"property": "plan", "operator": "regex", "value": "(secret"}]
    answer = await _post(api, modelled.berlin, TREND | {"series": [{"name": "chosen", "where": where}]})
    assert answer.status_code == 422
    assert "secret" not in capfd.readouterr().err


async def test_more_conditions_than_a_document_may_have_are_refused(api: httpx.AsyncClient, modelled: Any) -> None:
    where = [{"any": [{"property": "plan", "value": "pro"}] * 50}, {"none": [{"trait": "team", "value": "red"}] * 51}]
    answer = await _post(api, modelled.berlin, TREND | {"series": [{"name": "chosen", "where": where}]})
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["message"]) == (422, "it has 101 conditions, more than 100")


async def test_conditions_may_be_nested_as_deep_as_a_file_may_have_them(api: httpx.AsyncClient, modelled: Any) -> None:
    def at(condition: Any) -> Any:
        return TREND | {"series": [{"name": "chosen", "where": [condition]}]}

    plain = await _post(api, modelled.berlin, at({"property": "plan", "value": "pro"}))
    nested = await _post(api, modelled.berlin, _deep(10))
    assert nested.json()["data"] == plain.json()["data"]


VALUES = ["'; drop table marts.fct_events; --", "{x:String}", "\\", "'", "`", "%", "\t\n\r\0", "💶", "a" * 1000]


@pytest.mark.parametrize("value", VALUES)
async def test_whatever_a_value_says_it_is_a_value(api: httpx.AsyncClient, modelled: Any, value: str) -> None:
    where = [{"none": [{"property": value, "operator": operator, "value": value} for operator in ("is", "contains")]}]
    documents: list[dict[str, Any]] = [
        TREND
        | {"series": [{"name": "chosen", "event": [value, "cart"], "where": where}], "breakdown": [{"trait": value}]},
        FUNNEL
        | {"steps": [{"event": "cart", "name": value}, {"event": value}], "hold_constant": [{"property": value}]},
        {"kind": "paths", **RANGE, "groups": [value], "start_point": value},
        {"kind": "revenue", **RANGE, "orders": value, "amount": {"property": [value, value]}},
    ]
    for document in documents:
        answer = await _post(api, modelled.berlin, document)
        assert answer.status_code == 200, answer.text
        assert value not in answer.json()["meta"]["sql"] or value in {"'", "\\", "`", "%"}
    carts = await _post(api, modelled.berlin, TREND)
    found = await _post(api, modelled.berlin, documents[0])
    figures = [[point["figures"] for point in answer.json()["data"]["lines"][0]["points"]] for answer in (carts, found)]
    assert [list(each.values()) for each in figures[0]] == [list(each.values()) for each in figures[1]]


async def test_an_answer_says_where_its_figures_come_from(api: httpx.AsyncClient, modelled: Any) -> None:
    where = [{"property": "plan", "value": "it's \\ {x:String} '; drop table -- 💶"}]
    meta = (await _post(api, modelled.berlin, TREND | {"series": [{"name": "chosen", "where": where}]})).json()["meta"]
    assert meta["plan"] is None
    assert meta["parameters"]["project_id"] == modelled.berlin.id
    assert any(where[0]["value"] in value for value in meta["parameters"].values() if isinstance(value, list))
    assert meta["read_rows"] > 0
    again = (await _post(api, modelled.berlin, TREND | {"series": [{"name": "chosen", "where": where}]})).json()["meta"]
    assert again["cached"]


@pytest.mark.parametrize("document", [TREND, FUNNEL, RETENTION | {"clock": "rolling"}])
async def test_the_plan_is_told_on_demand(api: httpx.AsyncClient, modelled: Any, document: Any) -> None:
    answer = await _post(api, modelled.berlin, document, params={"explain": "1"})
    assert answer.status_code == 200, answer.text
    plan = answer.json()["meta"]["plan"]
    assert any("ReadFrom" in line for line in plan)
    # How much there is of other projects is nobody's business.
    assert not [line for line in plan if re.search(r"\d/\d|(Parts|Granules|Ranges): *\d", line)]


async def test_the_statement_gives_the_same_rows_by_hand(
    api: httpx.AsyncClient, modelled: Any, runtime: Instance
) -> None:
    answer = (await _post(api, modelled.berlin, FUNNEL)).json()
    client = warehouse.connect(runtime.clickhouse_reader_url)
    rows = client.query(answer["meta"]["sql"], parameters=answer["meta"]["parameters"]).named_results()
    persons = [row["persons"] for row in rows]
    client.close()
    assert persons == [step["persons"] for step in answer["data"]["lines"][0]["steps"]]


@pytest.mark.parametrize("unit", ["hour", "day", "week", "month"])
async def test_the_last_buckets_end_with_the_present_one(api: httpx.AsyncClient, modelled: Any, unit: str) -> None:
    for project in (modelled.new_york, modelled.kathmandu):
        document = {"kind": "trend", "series": TREND["series"], "interval": unit, "last": 5}
        answer = (await _post(api, project, document)).json()
        points = answer["data"]["lines"][0]["points"]
        assert [point["is_complete"] for point in points] == [True] * 4 + [False]
        now = datetime.now(ZoneInfo(project.timezone))
        last = datetime.fromisoformat(points[-1]["start"])
        assert timedelta(0) <= now - last < {"hour": timedelta(hours=1, minutes=5)}.get(unit, timedelta(days=32))


@pytest.fixture
def cohort(runtime: Instance, modelled: Any, tmp_path: Path) -> Generator[Path]:
    """Define a cohort of some persons of all projects, and one of another project."""
    folder = tmp_path / "insights"
    folder.mkdir()
    text = "kind: cohort\ndescription: d\nwho: [{trait: team, value: red}]\n"
    (folder / "cohort_red.yml").write_text(text)
    (folder / "cohort_theirs.yml").write_text(text + f"projects: [{modelled.new_york.id}]\n")
    client = warehouse.connect(runtime.clickhouse_admin_url)
    for name in ("cohort_red", "cohort_theirs"):
        client.command(
            f"create table {modelled.database}.{name} engine = MergeTree order by (project_id, person_number) as "
            "select project_id, person_number, now64(3) as computed_at "
            f"from {modelled.database}.dim_persons where JSONExtractString(traits, 'team') = 'red'"
        )
    yield folder
    for name in ("cohort_red", "cohort_theirs"):
        client.command(f"drop table {modelled.database}.{name}")
    client.close()


async def test_a_cohort_chooses_its_persons_of_the_project(
    serve: Any, settings: ApiSettings, modelled: Any, cohort: Path
) -> None:
    document = TREND | {"series": [{"name": "chosen", "where": [{"cohort": "cohort_red"}]}], "total": True}
    async with serve(settings.model_copy(update={"insights_dir": cohort})) as (client, _):
        for project in (modelled.berlin, modelled.new_york):
            answer = (await _post(client, project, document | {"from": "2025-01-01", "to": "2026-01-01"})).json()
            red = [event for event in counted(project.events) if int(event.person.removeprefix("person-")) % 3 == 0]
            assert answer["data"]["lines"][0]["points"][0]["figures"] == {"chosen": len(red)}
            assert f"{modelled.database}.cohort_red" in answer["meta"]["sources"]


async def test_another_projects_cohort_is_as_unknown_as_one_that_does_not_exist(
    serve: Any, settings: ApiSettings, modelled: Any, cohort: Path
) -> None:
    async with serve(settings.model_copy(update={"insights_dir": cohort})) as (client, _):
        messages = []
        for name in ("cohort_theirs", "cohort_nowhere"):
            document = TREND | {"series": [{"name": "chosen", "where": [{"cohort": name}]}]}
            answer = await _post(client, modelled.berlin, document)
            assert answer.status_code == 422
            messages.append(answer.json()["errors"][0]["message"].replace(name, "N"))
    assert messages[0] == messages[1]

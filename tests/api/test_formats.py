"""Any answer as a file: the figures of the JSON answer, nothing in it that a spreadsheet runs, for who may take it."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.queries.examples import ANSWERS, DOCUMENTS
from api.queries.routes import Answer
from api.results.arrow_files import arrow_file, parquet_file
from api.results.excel_file import excel_file
from api.results.tables import Table, table_of
from core import metadata
from core.metadata import projects
from runtime.instance import Instance

RANGE = {"from": "2025-03-03", "to": "2025-04-07"}
QUESTIONS = [
    "event-names",
    "insights/timeseries",
    "insights/funnel",
    "insights/retention",
]
QUERY = "?from=2025-03-03&to=2025-04-07&step=catalog&step=purchase"
TREND = {
    "kind": "trend",
    **RANGE,
    "interval": "week",
    "series": [{"name": "seen"}],
    "breakdown": [{"column": "country"}],
}
NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def _address(project: Any, question: str, more: str = "") -> str:
    query = QUERY if question.endswith("funnel") else QUERY.partition("&step")[0]
    return f"/v1/projects/{project.id}/{question}{query}{more}"


def _sheet(content: bytes) -> Iterator[list[tuple[str, str]]]:
    """Yield the cells of each row of a workbook: their kind and what they hold."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
    for row in sheet.iter(f"{NAMESPACE}row"):
        cells = row.iter(f"{NAMESPACE}c")
        yield [(cell.get("t", "n"), "".join(cell.itertext())) for cell in cells]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_every_insight_is_a_table_too(api: httpx.AsyncClient, modelled: Any, question: str) -> None:
    answer = await api.get(_address(modelled.berlin, question, "&format=csv"), headers=modelled.berlin.headers)
    assert answer.status_code == 200, answer.text
    name = question.rpartition("/")[2]
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    shown = await api.get(_address(modelled.berlin, question), headers=modelled.berlin.headers)
    data = shown.json()["data"]
    figures = {
        "event-names": lambda: [row["persons"] for row in data],
        "timeseries": lambda: [row["value"] for row in data["buckets"]],
        "funnel": lambda: [row["persons"] for row in data["steps"]],
        "retention": lambda: [cell["persons"] for row in data["cohorts"] for cell in row["cells"]],
    }[name]()
    assert [int(row["value" if name == "timeseries" else "persons"]) for row in rows] == figures


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "arrow"])
async def test_all_formats_hold_the_same_rows(api: httpx.AsyncClient, modelled: Any, kind: str) -> None:
    path = f"/v1/projects/{modelled.berlin.id}/query"
    shown = (await api.post(path, json=TREND, headers=modelled.berlin.headers)).json()["data"]
    expected = [
        [line["period"], line["breakdown"][0]["text"], point["start"], point["is_complete"], point["figures"]["seen"]]
        for line in shown["lines"]
        for point in line["points"]
    ]
    names = ["period", "breakdown_1", "start", "is_complete", "seen"]
    answer = await api.post(f"{path}?format={kind}", json=TREND, headers=modelled.berlin.headers)
    assert answer.headers["content-disposition"] == f'attachment; filename="trend.{kind}"'
    assert len(expected) > 5
    if kind == "xlsx":
        header, *rows = _sheet(answer.content)
        assert sorted(name for _, name in header) == sorted(names)
        place = [name for _, name in header].index("seen")
        assert [(row[place][0], float(row[place][1])) for row in rows] == [("n", row[-1]) for row in expected]
        return
    table = (
        pq.read_table(io.BytesIO(answer.content))
        if kind == "parquet"
        else pa.ipc.open_stream(answer.content).read_all()
    )
    found = [[row[name] for name in names] for row in table.to_pylist()]
    for row in expected:
        row[2] = datetime.fromisoformat(row[2])
    assert found == expected


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_every_kind_of_document_has_a_table(kind: str) -> None:
    answer = TypeAdapter(Answer).validate_python(ANSWERS[kind])
    table = table_of(answer)
    assert table.rows
    assert len(table.columns) >= 3
    assert len(set(table.columns)) == len(table.columns)
    for write in (arrow_file, parquet_file, excel_file):
        assert b"".join(write(table, 10))


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("trend", "breakdown_1 start buyers revenue revenue_per_buyer is_complete period"),
        (
            "funnel",
            (
                "step name persons conversion_from_first conversion_from_previous lost_persons incomplete_persons "
                "median_ms average_ms p25_ms p75_ms p90_ms p95_ms p99_ms total_median_ms total_average_ms conversion"
            ),
        ),
        ("retention", "start size period_index persons rate is_complete"),
        (
            "lifecycle",
            "start active_persons new_persons returning_persons resurrecting_persons dormant_persons is_complete",
        ),
        ("stickiness", "buckets persons persons_at_least"),
        ("paths", "position name next_name sequences average_ms"),
        (
            "web",
            (
                "breakdown_1 start visitors sessions views bounces bounce_rate average_duration_ms views_per_session "
                "is_complete period"
            ),
        ),
        (
            "revenue",
            (
                "currency start revenue orders buyers active_persons average_order_value revenue_per_buyer "
                "revenue_per_active_person is_complete period"
            ),
        ),
        ("property_values", "text events persons"),
    ],
)
def test_what_a_row_is_about_comes_first_then_its_figures(kind: str, columns: str) -> None:
    table = table_of(TypeAdapter(Answer).validate_python(ANSWERS[kind]))
    assert " ".join(table.columns) == columns
    by = [{"text": "DE", "kind": "value"}]
    lines = [line | {"breakdown": by} for line in ANSWERS[kind]["data"].get("lines", ())]
    if lines:
        told = ANSWERS[kind] | {"data": ANSWERS[kind]["data"] | {"lines": lines}}
        assert table_of(TypeAdapter(Answer).validate_python(told)).columns[0] == "breakdown_1"


def test_a_table_without_rows_has_its_columns_all_the_same() -> None:
    answer = TypeAdapter(Answer).validate_python(
        ANSWERS["retention"] | {"data": ANSWERS["retention"]["data"] | {"lines": []}}
    )
    table = table_of(answer)
    assert table.columns == ["start", "size", "period_index", "persons", "rate", "is_complete"]
    assert pq.read_table(io.BytesIO(b"".join(parquet_file(table, 10)))).column_names == table.columns


VALUES = ["=1+1", "http://example.com/", "1", "", None, True, -1.5, 2**60, [1, "a"], {"k": None}]


def test_a_workbook_runs_and_links_nothing() -> None:
    instant = datetime(2025, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=1)))
    content = b"".join(excel_file(Table(["=A1", "at"], [[value, instant] for value in VALUES]), 3))
    header, *rows = _sheet(content)
    assert header == [("inlineStr", "=A1"), ("inlineStr", "at")]
    assert [row[0] for row in rows if len(row) > 1] == [
        ("inlineStr", "=1+1"),
        ("inlineStr", "http://example.com/"),
        ("inlineStr", "1"),
        ("inlineStr", ""),
        ("b", "1"),
        ("n", "-1.5"),
        ("inlineStr", str(2**60)),
        ("inlineStr", '[1,"a"]'),
        ("inlineStr", '{"k":null}'),
    ]
    assert float(rows[0][1][1]) == pytest.approx(45717 + 9.5 / 24)
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert not [name for name in book.namelist() if "rels" in name and "sheet" in name]
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_types_of_columns_are_those_of_their_values() -> None:
    instant = datetime(2025, 3, 1, tzinfo=UTC)
    rows = [[1, 1, True, instant, "a", 1, None, [1]], [2, 1.5, None, instant, None, "b", None, {"k": 1}], [2**63] * 8]
    names = list("abcdefgh")
    table = pa.ipc.open_stream(b"".join(arrow_file(Table(names, rows[:2]), 1))).read_all()
    kinds = [str(kind) for kind in table.schema.types]
    assert kinds == ["int64", "double", "bool", "timestamp[ms, tz=UTC]", "string", "string", "null", "string"]
    assert table.column("h").to_pylist() == ["[1]", '{"k":1}']
    read = pq.read_table(io.BytesIO(b"".join(parquet_file(Table(["a"], [[1], [2**63]]), 1))))
    assert read.column("a").to_pylist() == ["1", str(2**63)]


async def test_a_file_takes_the_permission_to_export_and_leaves_an_entry(
    api: httpx.AsyncClient, modelled: Any, runtime: Instance
) -> None:
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        key = projects.create_api_key(session, modelled.berlin.id, "reads", scopes=["data:query", "sql:query"])
    headers = {"authorization": f"Bearer {key}", "user-agent": f"formats {key[:11]}"}
    path = f"/v1/projects/{modelled.berlin.id}"
    for refused in (
        await api.get(_address(modelled.berlin, "event-names", "&format=csv"), headers=headers),
        await api.get(_address(modelled.berlin, "event-names"), headers=headers | {"accept": "text/csv"}),
        await api.post(f"{path}/query?format=xlsx", json=TREND, headers=headers),
        await api.post(f"{path}/sql?format=arrow", json={"sql": "select 1 from fct_events"}, headers=headers),
    ):
        assert (refused.status_code, refused.json().get("permission")) == (403, "data:export")
    allowed = modelled.berlin.headers | {"user-agent": f"formats {key[:11]}"}
    answer = await api.post(f"{path}/query?format=xlsx", json=TREND, headers=allowed)
    assert answer.status_code == 200
    await api._transport.app.state.resources.trail.flush()  # type: ignore[attr-defined]
    with engine.connect() as connection:
        found = text(
            "select details from audit_log where user_agent = :agent and details->>'permission' = 'data:export'"
        )
        entries = [
            json.loads(json.dumps(row[0])) for row in connection.execute(found, {"agent": f"formats {key[:11]}"})
        ]
    engine.dispose()
    assert [(entry["path"], entry["query"]) for entry in entries] == [(f"{path}/query", "format=xlsx")]


async def test_a_file_says_whether_there_is_more(api: httpx.AsyncClient, modelled: Any) -> None:
    path = f"/v1/projects/{modelled.berlin.id}/query?format=csv"
    for limit, is_truncated in ((3, "true"), (1000, "false")):
        asked = {"kind": "events", **RANGE, "limit": limit}
        answer = await api.post(path, json=asked, headers=modelled.berlin.headers)
        assert answer.headers["x-truncated"] == is_truncated
    assert answer.text.count("\r\n") > 4


async def test_a_list_of_persons_takes_the_permission_to_see_them_as_a_file_too(
    api: httpx.AsyncClient, modelled: Any, runtime: Instance
) -> None:
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        key = projects.create_api_key(session, modelled.berlin.id, "reads", scopes=["data:query", "data:export"])
    engine.dispose()
    path = f"/v1/projects/{modelled.berlin.id}/query?format=csv"
    headers = {"authorization": f"Bearer {key}"}
    answer = await api.post(path, json={"kind": "persons"}, headers=headers)
    assert (answer.status_code, answer.json()["permission"]) == (403, "persons:read")

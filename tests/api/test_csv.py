"""Results as CSV: what is read back is what was asked for, and nothing in it is run by a spreadsheet."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.results.csv_file import csv_file

SQL = "select event, count() as n, max(timestamp) as latest from fct_events group by event order by n, event"


async def _blocks(*blocks: Sequence[Sequence[Any]]) -> AsyncIterator[Sequence[Sequence[Any]]]:
    for block in blocks:
        yield block


async def _written(columns: Sequence[str], *blocks: Sequence[Sequence[Any]]) -> str:
    return b"".join([part async for part in csv_file(columns, _blocks(*blocks))]).decode()


async def _ask(api: httpx.AsyncClient, project: Any, query: str = "", **headers: str) -> httpx.Response:
    path = f"/v1/projects/{project.id}/sql{query}"
    return await api.post(path, json={"sql": SQL}, headers=project.headers | headers)


async def test_a_file_has_the_rows_of_the_json_answer(api: httpx.AsyncClient, modelled: Any) -> None:
    expected = (await _ask(api, modelled.berlin)).json()["data"]
    answer = await _ask(api, modelled.berlin, "?format=csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="result.csv"'
    assert answer.headers["x-truncated"] == "false"
    header, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert header == [column["name"] for column in expected["columns"]]
    assert [[event, int(n), latest] for event, n, latest in rows] == expected["rows"]


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "text/csv", "text/csv"),
        ("", "text/csv;q=1, */*", "text/csv"),
        ("", "*/*", "application/json"),
        ("?format=json", "text/csv", "application/json"),
        ("?format=csv", "application/json", "text/csv"),
    ],
)
async def test_the_address_counts_before_the_header(
    api: httpx.AsyncClient, modelled: Any, query: str, accept: str, kind: str
) -> None:
    answer = await _ask(api, modelled.berlin, query, accept=accept)
    assert answer.headers["content-type"].startswith(kind)


async def test_an_unknown_format_is_refused(api: httpx.AsyncClient, modelled: Any) -> None:
    answer = await _ask(api, modelled.berlin, "?format=xml")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_an_error_is_a_problem_document_whatever_was_wanted(api: httpx.AsyncClient, modelled: Any) -> None:
    path = f"/v1/projects/{modelled.berlin.id}/sql?format=csv"
    answer = await api.post(path, json={"sql": "select * from raw.events"}, headers=modelled.berlin.headers)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_kinds_of_values_are_told_apart() -> None:
    text = await _written(["a", 'b"', "c"], [[None, "", 1], [True, -1.5, 'x,\r\n"y"']], [[["a", 1], {"k": None}, 0]])
    assert text == '"a","b""","c"\r\n,"",1\r\ntrue,-1.5,"x,\r\n""y"""\r\n"[""a"",1]","{""k"":null}",0\r\n'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0"])
async def test_a_text_that_a_spreadsheet_would_run_is_kept_as_text(text: str) -> None:
    written = await _written([text], [[text]])
    for row in csv.reader(io.StringIO(written, newline="")):
        assert row == [f"'{text}"]


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4))
async def test_any_texts_come_back_as_they_were(texts: list[str]) -> None:
    rows = list(csv.reader(io.StringIO(await _written(texts, [texts]), newline="")))
    assert len(rows) == 2
    for row in rows:
        assert [cell.removeprefix("'") for cell in row] == [text.removeprefix("'") for text in texts]

"""`/v1/projects/{project_id}/sql`."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.audit.questions import sql_text
from api.dependencies import Asking, ResourcesDep, asking_for, project_for
from api.problems import (
    INVALID,
    REFUSED_SQL,
    TIMED_OUT,
    UNANSWERABLE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNKNOWN_PROJECT,
)
from api.results.csv_file import MEDIA_TYPE as CSV
from api.results.csv_file import csv_file
from api.sql.schemas import SqlAnswer, SqlQuery, SqlTables
from core.metadata import Project

_Project = Annotated[Project, Depends(project_for("sql:query"))]
router = APIRouter(prefix="/v1/projects/{project_id}/sql", tags=["sql"], responses=UNAUTHENTICATED | UNKNOWN_PROJECT)


# A statement of an analyst may take long, and who sees that it does stops waiting for it.
_LOOK_SECONDS = 0.2
_LEFT = 499
_ROWS_AT_ONCE = 1_000

_AS_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Successful Response",
        "content": {"text/csv": {"schema": {"type": "string"}, "example": '"country","persons"\r\n"DE",211\r\n'}},
        "headers": {
            "X-Truncated": {
                "description": "For CSV: whether there are more rows than `limit`, true or false.",
                "schema": {"type": "string"},
            }
        },
    }
}


@router.post(
    "",
    operation_id="query_sql",
    summary="Run a select",
    response_model=SqlAnswer,
    responses=_AS_FILE | REFUSED_SQL | UNANSWERABLE | TIMED_OUT,
)
async def query_sql(
    asking: Annotated[Asking, Depends(asking_for("sql:query"))],
    held: ResourcesDep,
    query: SqlQuery,
    request: Request,
    format_: Annotated[
        Literal["json", "csv"] | None,
        Query(alias="format", description="What to answer with; left out: CSV if `Accept` prefers it, else JSON."),
    ] = None,
) -> SqlAnswer | Response:
    """Run one select over the project's marts. Each table holds the project's rows and no others."""
    asking.note("sql:query", query.model_dump(), sql_text(query.sql))
    answer = await _unless_left(request, held.sql.answer(asking.access.project, query))
    accepted = request.headers.get("accept", "").split(",")[0].split(";")[0].strip().lower()
    wanted = format_ or ("csv" if accepted == "text/csv" else "json")
    if isinstance(answer, Response) or wanted == "json":
        return answer
    columns = [column.name for column in answer.data.columns]
    return StreamingResponse(
        csv_file(columns, _blocks(answer.data.rows)),
        headers={
            "Content-Type": CSV,
            "Content-Disposition": 'attachment; filename="result.csv"',
            "X-Truncated": str(answer.meta.truncated).lower(),
        },
    )


@router.get(
    "/tables", operation_id="list_sql_tables", summary="Tables that a select may read", responses=INVALID | UNAVAILABLE
)
async def list_sql_tables(project: _Project, held: ResourcesDep) -> SqlTables:
    """List the tables with their columns, types and descriptions."""
    return SqlTables(data=await held.sql.tables(project))


async def _blocks(rows: Sequence[Sequence[Any]]) -> AsyncIterator[Sequence[Sequence[Any]]]:
    """Return the rows some at a time, so that a file of many is not held a second time."""
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield rows[start : start + _ROWS_AT_ONCE]


async def _unless_left(request: Request, answer: Coroutine[Any, Any, SqlAnswer]) -> SqlAnswer | Response:
    """Return the answer; when the caller leaves before, the query ends."""
    task = asyncio.ensure_future(answer)
    try:
        while not (await asyncio.wait({task}, timeout=_LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                return Response(status_code=_LEFT)
        return task.result()
    finally:
        task.cancel()

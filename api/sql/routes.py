"""`/v1/projects/{project_id}/sql`."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response

from api.dependencies import ProjectDep, ResourcesDep
from api.problems import (
    INVALID,
    REFUSED_SQL,
    TIMED_OUT,
    UNANSWERABLE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNKNOWN_PROJECT,
)
from api.sql.schemas import SqlAnswer, SqlQuery, SqlTables

router = APIRouter(prefix="/v1/projects/{project_id}/sql", tags=["sql"], responses=UNAUTHENTICATED | UNKNOWN_PROJECT)


# A statement of an analyst may take long, and who sees that it does stops waiting for it.
_LOOK_SECONDS = 0.2
_LEFT = 499


@router.post(
    "",
    operation_id="query_sql",
    summary="Run a select",
    response_model=SqlAnswer,
    responses=REFUSED_SQL | UNANSWERABLE | TIMED_OUT,
)
async def query_sql(project: ProjectDep, held: ResourcesDep, query: SqlQuery, request: Request) -> SqlAnswer | Response:
    """Run one select over the project's marts. Each table holds the project's rows and no others."""
    return await _unless_left(request, held.sql.answer(project, query))


@router.get(
    "/tables", operation_id="list_sql_tables", summary="Tables that a select may read", responses=INVALID | UNAVAILABLE
)
async def list_sql_tables(project: ProjectDep, held: ResourcesDep) -> SqlTables:
    """List the tables with their columns, types and descriptions."""
    return SqlTables(data=await held.sql.tables(project))


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

"""`/v1/projects/{project_id}/sql`."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.audit.questions import sql_text
from api.dependencies import Asking, ResourcesDep, asking_for, project_for
from api.problems import (
    INVALID,
    KEPT,
    REFUSED_SQL,
    TIMED_OUT,
    TOO_MANY_QUERIES,
    UNANSWERABLE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNKNOWN_PROJECT,
)
from api.results.files import ExplainParameter, FormatParameter
from api.results.replies import reply
from api.sql.schemas import SqlAnswer, SqlQuery, SqlTables
from core.metadata import Project

_Project = Annotated[Project, Depends(project_for("sql:query"))]
router = APIRouter(prefix="/v1/projects/{project_id}/sql", tags=["sql"], responses=UNAUTHENTICATED | UNKNOWN_PROJECT)


@router.post(
    "",
    operation_id="query_sql",
    summary="Run a select",
    response_model=SqlAnswer,
    responses=KEPT | REFUSED_SQL | TOO_MANY_QUERIES | UNANSWERABLE | TIMED_OUT,
)
async def query_sql(
    asking: Annotated[Asking, Depends(asking_for("sql:query", is_noted=False))],
    query: SqlQuery,
    format_: FormatParameter = None,
    explain: ExplainParameter = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """Run one select over the project's marts. Each table holds the project's rows and no others."""
    asking.note("sql:query", query.model_dump(), sql_text(query.sql))
    answer, queue = partial(asking.held.sql.answer, asking.access.project, query), asking.held.sql.queue
    # Rows may tell of persons who are erased meanwhile.
    return await reply(
        asking, query, answer, name="result", wanted=format_, explain=explain, may_be_stale=False, queue=queue
    )


@router.get(
    "/tables", operation_id="list_sql_tables", summary="Tables that a select may read", responses=INVALID | UNAVAILABLE
)
async def list_sql_tables(project: _Project, held: ResourcesDep) -> SqlTables:
    """List the tables with their columns, types and descriptions."""
    return SqlTables(data=await held.sql.tables(project))

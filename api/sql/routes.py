"""`/v1/projects/{project_id}/sql`."""

from fastapi import APIRouter

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


@router.post("", operation_id="query_sql", summary="Run a select", responses=REFUSED_SQL | UNANSWERABLE | TIMED_OUT)
async def query_sql(project: ProjectDep, held: ResourcesDep, query: SqlQuery) -> SqlAnswer:
    """Run one select over the project's marts. Each table holds the project's rows and no others."""
    return await held.sql.answer(project, query)


@router.get(
    "/tables", operation_id="list_sql_tables", summary="Tables that a select may read", responses=INVALID | UNAVAILABLE
)
async def list_sql_tables(project: ProjectDep, held: ResourcesDep) -> SqlTables:
    """List the tables with their columns, types and descriptions."""
    return SqlTables(data=await held.sql.tables(project))

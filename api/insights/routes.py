"""`/v1/projects/{project_id}/event-names` and `/insights/…`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api.dependencies import ProjectDep, ResourcesDep
from api.insights.schemas import (
    DefinedList,
    EventNames,
    Funnel,
    FunnelQuery,
    Mart,
    MartQuery,
    RangeQuery,
    Retention,
    RetentionQuery,
    Timeseries,
    TimeseriesQuery,
)
from api.problems import (
    INVALID,
    KEPT,
    TIMED_OUT,
    TOO_MANY_QUERIES,
    UNANSWERABLE,
    UNAUTHENTICATED,
    UNKNOWN_INSIGHT,
    UNKNOWN_PROJECT,
)

router = APIRouter(
    prefix="/v1/projects/{project_id}",
    tags=["insights"],
    responses=UNAUTHENTICATED | UNKNOWN_PROJECT | INVALID | UNANSWERABLE | TIMED_OUT | TOO_MANY_QUERIES,
)


@router.get(
    "/event-names",
    operation_id="list_event_names",
    summary="Event names with their counts",
    response_model=EventNames,
    responses=KEPT,
)
async def list_event_names(
    project: ProjectDep, held: ResourcesDep, query: Annotated[RangeQuery, Query()], request: Request
) -> Response:
    """Return the names of the events in the range, the most frequent first."""
    return await held.kept.answer(request, project, query, lambda: held.insights.event_names(project, query))


@router.get(
    "/insights/timeseries",
    operation_id="query_timeseries",
    summary="One measure over time",
    response_model=Timeseries,
    responses=KEPT,
)
async def query_timeseries(
    project: ProjectDep, held: ResourcesDep, query: Annotated[TimeseriesQuery, Query()], request: Request
) -> Response:
    """Count events, persons or sessions per hour, day, week or month; empty buckets are 0."""
    return await held.kept.answer(request, project, query, lambda: held.insights.timeseries(project, query))


@router.get(
    "/insights/funnel",
    operation_id="query_funnel",
    summary="An ordered funnel",
    response_model=Funnel,
    responses=KEPT,
)
async def query_funnel(
    project: ProjectDep, held: ResourcesDep, query: Annotated[FunnelQuery, Query()], request: Request
) -> Response:
    """Count the persons who reached each step, with the time that it took them."""
    return await held.kept.answer(request, project, query, lambda: held.insights.funnel(project, query))


@router.get(
    "/insights/retention",
    operation_id="query_retention",
    summary="Retention of first-time cohorts",
    response_model=Retention,
    responses=KEPT,
)
async def query_retention(
    project: ProjectDep, held: ResourcesDep, query: Annotated[RetentionQuery, Query()], request: Request
) -> Response:
    """Count, for those who started in each period, how many came back in each later one."""
    return await held.kept.answer(request, project, query, lambda: held.insights.retention(project, query))


@router.get("/insights/defined", operation_id="list_defined_insights", summary="Insights that are defined in files")
async def list_defined_insights(project: ProjectDep, held: ResourcesDep) -> DefinedList:
    """List the insights of `dbt_project/insights` that hold for the project."""
    return held.insights.defined(project)


@router.get(
    "/insights/defined/{name}",
    operation_id="get_defined_insight",
    summary="The figures of a defined insight",
    response_model=Mart,
    responses=KEPT | UNKNOWN_INSIGHT,
)
async def get_defined_insight(
    project: ProjectDep,
    held: ResourcesDep,
    name: Annotated[str, Path(min_length=1, max_length=100, examples=["funnel_checkout"])],
    query: Annotated[MartQuery, Query()],
    request: Request,
) -> Response:
    """Return the rows of its table, as the latest refresh made them."""
    return await held.kept.answer(request, project, query, lambda: held.insights.mart(project, name, query))

"""`/v1/projects/{project_id}/event-names` and `/insights/…`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

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
from api.problems import INVALID, TIMED_OUT, UNANSWERABLE, UNAUTHENTICATED, UNKNOWN_INSIGHT, UNKNOWN_PROJECT

router = APIRouter(
    prefix="/v1/projects/{project_id}",
    tags=["insights"],
    responses=UNAUTHENTICATED | UNKNOWN_PROJECT | INVALID | UNANSWERABLE | TIMED_OUT,
)


@router.get("/event-names", operation_id="list_event_names", summary="Event names with their counts")
async def list_event_names(
    project: ProjectDep, held: ResourcesDep, query: Annotated[RangeQuery, Query()]
) -> EventNames:
    """Return the names of the events in the range, the most frequent first."""
    return await held.insights.event_names(project, query)


@router.get("/insights/timeseries", operation_id="query_timeseries", summary="One measure over time")
async def query_timeseries(
    project: ProjectDep, held: ResourcesDep, query: Annotated[TimeseriesQuery, Query()]
) -> Timeseries:
    """Count events, persons or sessions per hour, day, week or month; empty buckets are 0."""
    return await held.insights.timeseries(project, query)


@router.get("/insights/funnel", operation_id="query_funnel", summary="An ordered funnel")
async def query_funnel(project: ProjectDep, held: ResourcesDep, query: Annotated[FunnelQuery, Query()]) -> Funnel:
    """Count the persons who reached each step, with the time that it took them."""
    return await held.insights.funnel(project, query)


@router.get("/insights/retention", operation_id="query_retention", summary="Retention of first-time cohorts")
async def query_retention(
    project: ProjectDep, held: ResourcesDep, query: Annotated[RetentionQuery, Query()]
) -> Retention:
    """Count, for those who started in each period, how many came back in each later one."""
    return await held.insights.retention(project, query)


@router.get("/insights/defined", operation_id="list_defined_insights", summary="Insights that are defined in files")
async def list_defined_insights(project: ProjectDep, held: ResourcesDep) -> DefinedList:
    """List the insights of `dbt_project/insights` that hold for the project."""
    return held.insights.defined(project)


@router.get(
    "/insights/defined/{name}",
    operation_id="get_defined_insight",
    summary="The figures of a defined insight",
    responses=UNKNOWN_INSIGHT,
)
async def get_defined_insight(
    project: ProjectDep,
    held: ResourcesDep,
    name: Annotated[str, Path(min_length=1, max_length=100, examples=["funnel_checkout"])],
    query: Annotated[MartQuery, Query()],
) -> Mart:
    """Return the rows of its table, as the latest refresh made them."""
    return await held.insights.mart(project, name, query)

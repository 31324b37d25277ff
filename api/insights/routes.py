"""`/v1/projects/{project_id}/event-names` and `/insights/…`."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.dependencies import AskingDep, ProjectDep, ResourcesDep
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
from api.results.replies import reply

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
async def list_event_names(asking: AskingDep, query: Annotated[RangeQuery, Query()]) -> Response:
    """Return the names of the events in the range, the most frequent first."""
    insights, project = asking.held.insights, asking.access.project
    make = partial(insights.event_names, project, query)
    return await reply(asking, query, make, name="event-names", wanted=query.format_, explain=query.explain)


@router.get(
    "/insights/timeseries",
    operation_id="query_timeseries",
    summary="One measure over time",
    response_model=Timeseries,
    responses=KEPT,
)
async def query_timeseries(asking: AskingDep, query: Annotated[TimeseriesQuery, Query()]) -> Response:
    """Count events, persons or sessions per hour, day, week or month; empty buckets are 0."""
    insights, project = asking.held.insights, asking.access.project
    make = partial(insights.timeseries, project, query)
    return await reply(asking, query, make, name="timeseries", wanted=query.format_, explain=query.explain)


@router.get(
    "/insights/funnel",
    operation_id="query_funnel",
    summary="An ordered funnel",
    response_model=Funnel,
    responses=KEPT,
)
async def query_funnel(asking: AskingDep, query: Annotated[FunnelQuery, Query()]) -> Response:
    """Count the persons who reached each step, with the time that it took them."""
    insights, project = asking.held.insights, asking.access.project
    make = partial(insights.funnel, project, query)
    return await reply(asking, query, make, name="funnel", wanted=query.format_, explain=query.explain)


@router.get(
    "/insights/retention",
    operation_id="query_retention",
    summary="Retention of first-time cohorts",
    response_model=Retention,
    responses=KEPT,
)
async def query_retention(asking: AskingDep, query: Annotated[RetentionQuery, Query()]) -> Response:
    """Count, for those who started in each period, how many came back in each later one."""
    insights, project = asking.held.insights, asking.access.project
    make = partial(insights.retention, project, query)
    return await reply(asking, query, make, name="retention", wanted=query.format_, explain=query.explain)


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
    asking: AskingDep,
    name: Annotated[str, Path(min_length=1, max_length=100, examples=["funnel_checkout"])],
    query: Annotated[MartQuery, Query()],
) -> Response:
    """Return the rows of its table, as the latest refresh made them."""
    insights, project = asking.held.insights, asking.access.project
    make = partial(insights.mart, project, name, query)
    # Its rows may hold values of somebody who was erased meanwhile.
    return await reply(asking, query, make, name=name, wanted=query.format_, explain=query.explain, may_be_stale=False)

"""Shapes of the figures of funnels."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.insights.schemas import Rate
from api.queries.schemas import BreakdownValue, Complete, Milliseconds, Start
from core.insights.selections import Interval


class FunnelStepFigures(BaseModel):
    """One step, by the attempt that counts for each person; times are from the step before."""

    step: Annotated[int, Field(ge=1, description="Number of the step, from 1.")]
    name: str
    persons: Annotated[int, Field(description="Persons who reached it.")]
    conversion_from_first: Rate
    conversion_from_previous: Rate
    lost_persons: Annotated[int, Field(description="Of them, those who did not reach the next one; 0 at the last.")]
    incomplete_persons: Annotated[int, Field(description="Of them, those whose window has not closed.")]
    median_ms: Milliseconds
    average_ms: Milliseconds
    p25_ms: Milliseconds
    p75_ms: Milliseconds
    p90_ms: Milliseconds
    p95_ms: Milliseconds
    p99_ms: Milliseconds
    total_median_ms: Annotated[float | None, Field(description="From the first step, milliseconds.")]
    total_average_ms: Annotated[float | None, Field(description="From the first step, milliseconds.")]


class FunnelLine(BaseModel):
    """The steps for one value, or for everybody."""

    breakdown: list[BreakdownValue]
    conversion: Rate
    steps: list[FunnelStepFigures]


class QueriedFunnelData(BaseModel):
    """A funnel; the values with most entries come first."""

    order: Literal["ordered", "strict", "unordered"]
    attempts: Literal["best", "first"]
    window_ms: int
    lines: list[FunnelLine]


class FunnelTrendStep(BaseModel):
    """One step of those whose attempt began in a bucket."""

    step: Annotated[int, Field(ge=1, description="Number of the step, from 1.")]
    name: str
    persons: Annotated[int, Field(description="Persons who reached it.")]
    incomplete_persons: Annotated[int, Field(description="Of them, those whose window has not closed.")]
    conversion_from_first: Rate


class FunnelTrendBucket(BaseModel):
    """Those whose attempt that counts began in one bucket: each person is in one, and all together are the funnel."""

    start: Start
    is_complete: Complete
    steps: list[FunnelTrendStep]


class FunnelTrendLine(BaseModel):
    """The buckets for one value, or for everybody."""

    breakdown: list[BreakdownValue]
    buckets: list[FunnelTrendBucket]


class FunnelTrendData(BaseModel):
    """A funnel over time; who is incomplete may still convert. Values of most persons come first."""

    interval: Interval
    timezone: str
    lines: list[FunnelTrendLine]


class FunnelTimesBin(BaseModel):
    """Who took at least `from_ms` and less than `to_ms`."""

    from_ms: Annotated[int, Field(ge=0)]
    to_ms: Annotated[int, Field(ge=1)]
    persons: int


class FunnelTimesLine(BaseModel):
    """The bins for one value, or for everybody; all lines have the same."""

    breakdown: list[BreakdownValue]
    bins: list[FunnelTimesBin]


class FunnelTimesData(BaseModel):
    """How long it took from one step to another; no lines where nobody came so far."""

    from_step: int
    from_name: str
    to_step: int
    to_name: str
    lines: list[FunnelTimesLine]

"""Shapes of the figures that answer query documents, one for each kind."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.insights.schemas import Rate, RetentionAverage, RetentionCohort
from core.insights.selections import Interval

Start = Annotated[datetime, Field(description="First instant of the bucket, with the offset of the project's zone.")]
Complete = Annotated[
    bool,
    Field(
        description="Whether the bucket has ended and the range does not cut it; of the period before, whether it has "
        "ended."
    ),
]
Milliseconds = Annotated[float | None, Field(description="Milliseconds; null where nobody came.")]


class BreakdownValue(BaseModel):
    """A value that tells figures apart."""

    text: Annotated[str, Field(description="As it is shown: `(none)` where it is missing, `(other)` for the rest.")]
    kind: Annotated[
        Literal["value", "none", "other"], Field(description="A real value may read like `(none)` or `(other)`.")
    ]


class _Line(BaseModel):
    """Figures of one combination of values, in one period."""

    period: Annotated[
        Literal["current", "previous"], Field(description="The range, or the one before it that it is compared with.")
    ]
    breakdown: Annotated[list[BreakdownValue], Field(description="One for each that figures are told apart by.")]


class TrendPoint(BaseModel):
    """The figures of one bucket."""

    start: Start
    is_complete: Complete
    figures: Annotated[
        dict[str, float | None],
        Field(description="By the names of series and formulas; null where there is nothing to average or divide by."),
    ]


class TrendLine(_Line):
    """The buckets of one combination of values, in order."""

    points: list[TrendPoint]


class TrendData(BaseModel):
    """A trend; the lines with most events come first."""

    interval: Annotated[Interval | Literal["total"], Field(description="Length of a bucket.")]
    timezone: str
    lines: list[TrendLine]


class RetentionLine(BaseModel):
    """The cohorts of one value, or of everybody."""

    breakdown: list[BreakdownValue]
    cohorts: list[RetentionCohort]
    averages: Annotated[list[RetentionAverage], Field(description="By size, over the cohorts whose cell is complete.")]


class QueriedRetentionData(BaseModel):
    """A retention; clock, cohort and return rule say how it was counted."""

    period: Interval
    timezone: str
    cohort: Literal["first_time", "recurring"]
    clock: Literal["calendar", "rolling"]
    return_rule: Literal["on", "on_or_after", "brackets"]
    brackets: Annotated[
        list[tuple[int, int]],
        Field(description="First and last period of each; then `period_index` is the number of the bracket."),
    ]
    lines: list[RetentionLine]


class LifecycleBucket(BaseModel):
    """Who was active in one bucket: new, returning and resurrecting persons; and who was no longer."""

    start: Start
    is_complete: Annotated[bool, Field(description="Whether it has ended; until then, dormant persons may still come.")]
    active_persons: int
    new_persons: int
    returning_persons: int
    resurrecting_persons: int
    dormant_persons: Annotated[int, Field(le=0, description="As a negative number.")]


class LifecycleData(BaseModel):
    """A lifecycle; buckets are taken whole."""

    interval: Interval
    timezone: str
    buckets: list[LifecycleBucket]


class StickinessCount(BaseModel):
    """Who was active in so many of the buckets."""

    buckets: Annotated[int, Field(ge=1)]
    persons: Annotated[int, Field(description="Active in exactly so many.")]
    persons_at_least: Annotated[int, Field(description="Active in so many or more.")]


class StickinessData(BaseModel):
    """A stickiness; buckets are taken whole, and one that has not ended is one of them."""

    interval: Interval
    timezone: str
    counts: list[StickinessCount]


class PathNode(BaseModel):
    """A node at one place of its sequences."""

    position: Annotated[int, Field(ge=1)]
    name: str
    sequences: Annotated[int, Field(description="Sequences that come to it.")]
    drop_offs: Annotated[int, Field(description="Of them, those that end there.")]


class PathEdge(BaseModel):
    """The way from a node to the next one."""

    position: Annotated[int, Field(ge=1, description="That of the node from which it leads.")]
    name: str
    next_name: str
    sequences: Annotated[int, Field(description="Sequences that take it.")]
    average_ms: Annotated[float, Field(description="Average time between the two, milliseconds.")]


class PathsData(BaseModel):
    """Paths; in each position the most frequent nodes come first, and the most frequent edges of a node."""

    nodes: list[PathNode]
    edges: list[PathEdge]


class WebPoint(BaseModel):
    """Visits or views of one bucket; what is of sessions alone is null where views are counted."""

    start: Start
    is_complete: Complete
    visitors: int
    sessions: int
    views: int
    bounces: int | None
    bounce_rate: Rate
    average_duration_ms: float | None
    views_per_session: float | None


class WebLine(_Line):
    """The buckets of one combination of values, in order."""

    points: list[WebPoint]


class WebData(BaseModel):
    """Web analytics: of sessions by when they start, or of views where pages tell them apart."""

    counted: Literal["sessions", "views"]
    interval: Annotated[Interval | Literal["total"], Field(description="Length of a bucket.")]
    timezone: str
    lines: list[WebLine]


class RevenuePoint(BaseModel):
    """What came in in one bucket."""

    start: Start
    is_complete: Complete
    revenue: Annotated[str, Field(description="A decimal number, exact, refunds taken off.", examples=["129.900000"])]
    orders: int
    buyers: int
    active_persons: int
    average_order_value: float | None
    revenue_per_buyer: float | None
    revenue_per_active_person: float | None


class RevenueLine(_Line):
    """The buckets of one currency and combination of values, in order."""

    currency: Annotated[
        str,
        Field(description="In capitals; where orders name none, or there are none at all, the default, else `(none)`."),
    ]
    points: list[RevenuePoint]


class RevenueData(BaseModel):
    """Revenue, each currency apart."""

    interval: Annotated[Interval | Literal["total"], Field(description="Length of a bucket.")]
    timezone: str
    lines: list[RevenueLine]

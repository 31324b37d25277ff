"""Shapes of the insight queries and their answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.insights.meta import Meta
from api.insights.moments import Moment
from api.results.formats import Explain, WantedFormat
from core.insights.durations import duration_ms

Interval = Literal["hour", "day", "week", "month"]
Period = Literal["day", "week", "month"]
Measure = Literal["events", "persons", "sessions"]


def _checked_window(text: str) -> str:
    duration_ms(text)
    return text


EventName = Annotated[str, Field(min_length=1, max_length=1000)]
Window = Annotated[str, AfterValidator(_checked_window)]
Rate = Annotated[float | None, Field(ge=0, le=1, description="Between 0 and 1; null where nothing could convert.")]


class _Query(BaseModel):
    """What every question by name may say."""

    model_config = ConfigDict(frozen=True)

    format_: Annotated[WantedFormat, Field(alias="format", exclude=True)] = None
    explain: Annotated[Explain, Field(exclude=True)] = False


class RangeQuery(_Query):
    """Half-open range of time, `[from, to)`."""

    from_: Annotated[
        Moment, Field(alias="from", description="First instant, or first day in the project's zone: included.")
    ]
    to: Annotated[Moment, Field(description="Last instant, or last day in the project's zone: not included.")]


class TimeseriesQuery(RangeQuery):
    """One measure of one event (or of any) over time."""

    event: Annotated[EventName | None, Field(description="Name of the event; left out: any event.")] = None
    interval: Annotated[Interval, Field(description="Length of a bucket, cut in the project's zone.")] = "day"
    measure: Annotated[
        Measure, Field(description="What is counted: events, distinct persons or distinct sessions (exact).")
    ] = "events"


class FunnelQuery(RangeQuery):
    """Persons who did the steps in order, each within the window from the entry."""

    step: Annotated[
        list[EventName],
        Field(
            min_length=2,
            max_length=20,
            description="Names of the events, in order; repeat it.",
            examples=[["catalog", "product_view", "add_to_cart", "cart", "purchase"]],
        ),
    ]
    window: Annotated[
        Window,
        Field(description="Conversion window from the entry, end included: a number and s, min, h, d, w or mo."),
    ] = "14d"


class RetentionQuery(RangeQuery):
    """How many of those who started in a period came back in each later one."""

    start_event: Annotated[
        EventName | None, Field(description="A person's first event ever of this name enters; left out: any event.")
    ] = None
    return_event: Annotated[EventName | None, Field(description="What counts as coming back; left out: any.")] = None
    period: Annotated[Period, Field(description="Calendar period in the project's zone.")] = "week"
    periods: Annotated[int, Field(ge=1, le=100, description="Periods to follow after the first one, number 0.")] = 8


class EventCount(BaseModel):
    """One event name in the range."""

    event: str
    events: Annotated[int, Field(description="Events of this name.")]
    persons: Annotated[int, Field(description="Distinct persons who did it, exact.")]


class EventNames(BaseModel):
    """Event names of the range with their counts, the most frequent first."""

    data: list[EventCount]
    meta: Meta


class Bucket(BaseModel):
    """One point of a time series."""

    start: Annotated[datetime, Field(description="First instant of the bucket, with the offset of the project's zone.")]
    value: int
    is_complete: Annotated[bool, Field(description="Whether the bucket has ended and lies wholly inside the range.")]


class TimeseriesData(BaseModel):
    """Every bucket of the range in order, empty ones with 0."""

    event: str | None
    interval: Interval
    measure: Measure
    timezone: str
    buckets: list[Bucket]


class Timeseries(BaseModel):
    """A time series and its origin."""

    data: TimeseriesData
    meta: Meta


class FunnelStep(BaseModel):
    """One step, by each person's best attempt."""

    step: Annotated[int, Field(ge=1, description="Number of the step, from 1.")]
    event: str
    persons: Annotated[int, Field(description="Persons who reached it.")]
    conversion_from_first: Rate
    conversion_from_previous: Rate
    dropped_off: Annotated[int, Field(description="Persons of the previous step who did not reach it; 0 at the first.")]
    median_ms: Annotated[
        float | None, Field(description="Median time from the previous step, milliseconds; null where nobody came.")
    ]
    average_ms: Annotated[
        float | None, Field(description="Average time from the previous step, milliseconds; null where nobody came.")
    ]


class FunnelData(BaseModel):
    """An ordered funnel; the range selects entries, and of a person's attempts the furthest counts."""

    order: Annotated[Literal["ordered"], Field(description="Other events may come between the steps.")]
    attempts: Annotated[Literal["best"], Field(description="Every entry opens an attempt; the furthest counts.")]
    window_ms: int
    conversion: Rate
    is_complete: Annotated[
        bool, Field(description="Whether every entry's window has closed; if not, recent entries may still convert.")
    ]
    steps: list[FunnelStep]


class Funnel(BaseModel):
    """A funnel and its origin."""

    data: FunnelData
    meta: Meta


class RetentionCell(BaseModel):
    """Persons of one cohort who came back in one later period."""

    period_index: Annotated[int, Field(ge=0, description="Periods since the cohort's own, number 0.")]
    persons: int
    rate: Rate
    is_complete: Annotated[bool, Field(description="Whether that period has ended.")]


class RetentionCohort(BaseModel):
    """The persons whose first start event fell into one period of the range."""

    start: Annotated[datetime, Field(description="First instant of the period, with the offset of the project's zone.")]
    size: int
    cells: list[RetentionCell]


class RetentionAverage(BaseModel):
    """One column's average over the cohorts whose cell is complete, weighted by their size."""

    period_index: int
    size: Annotated[int, Field(description="Persons in the cohorts that are averaged.")]
    persons: Annotated[int, Field(description="Of them, those who came back.")]
    rate: Rate


class RetentionData(BaseModel):
    """A retention grid; cohort, clock and return rule say how it was counted."""

    start_event: str | None
    return_event: str | None
    period: Period
    timezone: str
    cohort: Annotated[Literal["first_time"], Field(description="A person enters once, at the first event ever.")]
    clock: Annotated[Literal["calendar"], Field(description="Periods of the calendar in the project's zone.")]
    return_rule: Annotated[Literal["on"], Field(description="A return counts in the period in which it happened.")]
    cohorts: list[RetentionCohort]
    averages: list[RetentionAverage]


class Retention(BaseModel):
    """A retention grid and its origin."""

    data: RetentionData
    meta: Meta


class MartQuery(_Query):
    """How much of a mart is wanted."""

    limit: Annotated[int, Field(ge=1, le=100_000, description="Most rows to return.")] = 10_000


class Defined(BaseModel):
    """An insight that is defined in a file of `dbt_project/insights`."""

    name: Annotated[str, Field(description="Its name: of the file, and of the table that holds its figures.")]
    kind: Annotated[str, Field(description="The kind that its file says, such as `funnel` or `cohort`.")]
    description: str


class DefinedList(BaseModel):
    """The insights that are defined for the project, by name."""

    data: list[Defined]


class MartColumn(BaseModel):
    """A column of a mart."""

    name: str
    type: Annotated[str, Field(description="Its type in ClickHouse.")]
    description: str


class MartData(Defined):
    """A defined insight with its figures, as the latest refresh made them."""

    definition: Annotated[dict[str, Any], Field(description="What its file says, with the defaults.")]
    columns: list[MartColumn]
    rows: Annotated[
        list[dict[str, Any]],
        Field(description="One object per row, in the order of the mart's key; dates and decimal numbers as text."),
    ]
    is_truncated: Annotated[bool, Field(description="Whether there are more rows than were asked for.")]


class Mart(BaseModel):
    """The rows of a defined insight and their origin."""

    data: MartData
    meta: Meta

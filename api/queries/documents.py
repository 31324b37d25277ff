"""The query documents: what a file of `dbt_project/insights` says of a figure, in the same words, and a range."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from api.queries.behind_documents import BehindDocument
from api.queries.list_documents import ListDocument
from api.queries.range_documents import InBuckets, Ranged
from core.insights.durations import LONGEST_MS, duration_ms
from core.insights.questions import Funnel, FunnelQuestion, RetentionQuestion, TrendQuestion
from core.insights.reports import LifecycleQuestion, PathsQuestion, RevenueQuestion, StickinessQuestion, WebQuestion
from core.insights.reports import Total as TotalSwitch
from core.insights.selections import Interval
from core.validation import WrongPartsError

_MOST_BINS = 1_000

Compare = Annotated[
    Literal["previous"] | None, Field(description="Also the period of the same length right before the range.")
]


class TrendDocument(TrendQuestion, InBuckets):
    """Series over time."""

    total: TotalSwitch = False
    compare: Compare = None
    moving_average: Annotated[
        int | None, Field(ge=2, le=366, description="Each bucket is the average of the last so many.")
    ] = None
    cumulative: Annotated[bool, Field(description="Each bucket measures all from the first one on.")] = False

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        looks_back = self.moving_average is not None or any(each.trailing > 1 for each in self.series)
        if self.cumulative and looks_back:
            raise ValueError("cumulative goes with neither moving_average nor trailing")
        if self.total and (looks_back or self.cumulative):
            raise ValueError("total is one bucket: no moving_average, trailing or cumulative")
        return self


class FunnelDocument(FunnelQuestion, Ranged):
    """How many persons go through a list of steps; the range selects entries."""


class FunnelTrendDocument(Funnel, InBuckets):
    """How a funnel converts, by the bucket in which the attempt that counts began; the range selects entries."""

    kind: Literal["funnel_trend"]


class FunnelTimesDocument(Funnel, Ranged):
    """How long persons take from one step of a funnel to another, as a histogram; the range selects entries."""

    kind: Literal["funnel_times"]
    from_step: Annotated[int, Field(ge=1, description="Number of the step from which the time counts.")] = 1
    to_step: Annotated[int | None, Field(ge=2, description="Number of a later one; left out, it is the last.")] = None
    bins: Annotated[
        int | None, Field(ge=1, le=200, description="How many bins of equal width; 20 where bin_ms is left out too.")
    ] = None
    bin_ms: Annotated[
        int | None,
        Field(ge=1, le=LONGEST_MS, description="Width of a bin, which lies at a multiple of it, in milliseconds."),
    ] = None

    @field_validator("to_step")
    @classmethod
    def _is_of_the_funnel(cls, to_step: int | None, info: ValidationInfo) -> int | None:
        last = len(info.data.get("steps", ()))
        if last and to_step is not None and to_step > last:
            raise ValueError(f"the funnel has {last} steps")
        return to_step

    @field_validator("bin_ms")
    @classmethod
    def _is_wide(cls, bin_ms: int | None, info: ValidationInfo) -> int | None:
        if bin_ms is not None and info.data.get("bins") is not None:
            raise ValueError("give bins or bin_ms, not both")
        if bin_ms is not None and "window" in info.data and duration_ms(info.data["window"]) > bin_ms * _MOST_BINS:
            raise ValueError(f"the window would have more than {_MOST_BINS:,} bins: make them wider")
        return bin_ms

    @property
    def last_step(self) -> int:
        """Return the number of the step up to which the time counts."""
        return self.to_step or len(self.steps)

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.from_step >= self.last_step:
            raise WrongPartsError((("from_step",), f"it has to come before step {self.last_step}"))
        return self


class RetentionDocument(RetentionQuestion, Ranged):
    """Who comes back; the range selects entries."""

    @property
    def unit(self) -> Interval:
        """Return what `last` counts."""
        return self.period


class LifecycleDocument(LifecycleQuestion, InBuckets):
    """Who is new, stays, comes back and is gone, bucket by bucket."""


class StickinessDocument(StickinessQuestion, InBuckets):
    """In how many of the buckets persons were active."""


class PathsDocument(PathsQuestion, InBuckets):
    """Which ways persons take; the range selects sequences by their first event."""


class WebDocument(WebQuestion, InBuckets):
    """Who came, from where, and what they looked at."""

    compare: Compare = None


class RevenueDocument(RevenueQuestion, InBuckets):
    """What came in, from how many."""

    compare: Compare = None


InsightDocument = (
    TrendDocument
    | FunnelDocument
    | FunnelTrendDocument
    | FunnelTimesDocument
    | RetentionDocument
    | LifecycleDocument
    | StickinessDocument
    | PathsDocument
    | WebDocument
    | RevenueDocument
)
AnyDocument = InsightDocument | ListDocument | BehindDocument
QueryDocument = Annotated[AnyDocument, Field(discriminator="kind")]

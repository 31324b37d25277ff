"""The query documents that ask who stands behind a figure: what its own document says, and which figure it is."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, field_validator

from api.insights.moments import EARLIEST, LATEST
from api.queries.list_documents import OfPersons
from api.queries.range_documents import InBuckets, Ranged
from core.insights.filters import Document
from core.insights.questions import Funnel, Retention
from core.insights.reports import Activity
from core.insights.selections import Interval, Selection, ShortSelection


class BreakdownChoice(Document):
    """One value of a breakdown, as an answer shows it."""

    text: str
    kind: Annotated[
        Literal["value", "none", "other"],
        Field(description="`none`: where it is missing; `other`: all that are not shown."),
    ] = "value"


def _is_of_a_breakdown(choice: BreakdownChoice | None, info: ValidationInfo) -> BreakdownChoice | None:
    if "breakdown" in info.data and (choice is None) != (info.data["breakdown"] is None):
        raise ValueError("value and breakdown belong together: whose persons of those that it tells apart?")
    return choice


def _in_reach(at: datetime) -> datetime:
    # The bucket of the first instant that may be asked for begins before it.
    if not EARLIEST.year - 1 <= at.year <= LATEST.year:
        raise ValueError(f"no bucket begins in the year {at.year}")
    return at


Choice = Annotated[
    BreakdownChoice | None,
    Field(
        validate_default=True,
        description="Of this value alone: wanted where there is a breakdown, and only there.",
    ),
    AfterValidator(_is_of_a_breakdown),
]
At = Annotated[
    AwareDatetime,
    Field(description="The `start` of the bucket, as the figures give it."),
    AfterValidator(_in_reach),
]


class TrendPersonsDocument(Ranged, OfPersons):
    """Who did what a series counts, at least once in the range."""

    kind: Literal["trend_persons"]
    events: ShortSelection = Selection()


class FunnelPersonsDocument(Funnel, Ranged, OfPersons):
    """Who reached a step of a funnel, or was lost after it; the range selects entries."""

    kind: Literal["funnel_persons"]
    step: Annotated[int, Field(ge=1, description="Number of the step, from 1.")]
    is_lost: Annotated[bool, Field(description="Who reached it and not the next one.")] = False
    value: Choice = None

    @field_validator("step")
    @classmethod
    def _is_a_step(cls, step: int, info: ValidationInfo) -> int:
        last = len(info.data.get("steps", ()))
        if last and step > last:
            raise ValueError(f"step is {step}, of {last}")
        return step


class RetentionPersonsDocument(Retention, Ranged, OfPersons):
    """Who of a cohort of a retention came back in a period; the range selects entries."""

    kind: Literal["retention_persons"]
    at: Annotated[At, Field(description="The `start` of the cohort, as the figures give it.")]
    period_index: Annotated[int, Field(ge=0, le=366, description="As the figures give it; 0 is the whole cohort.")]
    value: Choice = None

    @property
    def unit(self) -> Interval:
        """Return what `last` counts."""
        return self.period

    @field_validator("period_index")
    @classmethod
    def _is_a_period(cls, period_index: int, info: ValidationInfo) -> int:
        last = len(info.data.get("brackets", ())) or info.data.get("periods")
        if last is not None and period_index > last:
            raise ValueError(f"period_index is {period_index}, of {last}")
        return period_index

    @field_validator("value")
    @classmethod
    def _is_one_value(cls, value: BreakdownChoice | None) -> BreakdownChoice | None:
        if value is not None and value.kind == "other":
            raise ValueError("the persons of all other values of a retention are not listed; name one value")
        return value


class LifecyclePersonsDocument(Activity, InBuckets, OfPersons):
    """Who is new, stays, comes back or is gone in one bucket."""

    kind: Literal["lifecycle_persons"]
    at: At
    status: Literal["active", "new", "returning", "resurrecting", "dormant"]


class StickinessPersonsDocument(Activity, InBuckets, OfPersons):
    """Who was active in so many of the buckets."""

    kind: Literal["stickiness_persons"]
    buckets: Annotated[int, Field(ge=1, le=100_000, description="In exactly so many.")]
    or_more: Annotated[bool, Field(description="In so many or more.")] = False


BehindDocument = (
    TrendPersonsDocument
    | FunnelPersonsDocument
    | RetentionPersonsDocument
    | LifecyclePersonsDocument
    | StickinessPersonsDocument
)

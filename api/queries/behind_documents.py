"""The query documents that ask who stands behind a figure: what its own document says, and which figure it is."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, field_validator, model_validator

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
        raise ValueError("it belongs to a breakdown, and says of which of its values")
    return choice


Choice = Annotated[
    BreakdownChoice | None,
    Field(
        validate_default=True,
        description="Of this value alone: wanted where there is a breakdown, and only there.",
    ),
    AfterValidator(_is_of_a_breakdown),
]
At = Annotated[AwareDatetime, Field(description="The `start` of the bucket, as the figures give it.")]


class TrendPersonsDocument(Ranged, OfPersons):
    """Who did what a series counts, at least once in the range."""

    kind: Literal["trend_persons"]
    events: ShortSelection = Selection()


class FunnelPersonsDocument(Funnel, Ranged, OfPersons):
    """Who reached a step of a funnel, or was lost after it; the range selects entries."""

    kind: Literal["funnel_persons"]
    step: Annotated[int, Field(ge=1, description="Number of the step, from 1.")]
    is_lost: Annotated[bool, Field(description="Who reached it and not the next one.")] = False
    interval: Annotated[
        Interval | None,
        Field(description="Of a bucket of the funnel over time alone: the length that its buckets have."),
    ] = None
    at: Annotated[At | None, Field(description="The `start` of that bucket, as the figures give it.")] = None
    value: Choice = None

    @field_validator("step")
    @classmethod
    def _is_of_the_funnel(cls, step: int, info: ValidationInfo) -> int:
        last = len(info.data.get("steps", ()))
        if last and step > last:
            raise ValueError(f"the funnel has {last} steps")
        return step

    @model_validator(mode="after")
    def _is_a_figure(self) -> Self:
        if (self.at is None) != (self.interval is None):
            raise ValueError("at and interval belong together: which bucket is it?")
        return self


class RetentionPersonsDocument(Retention, Ranged, OfPersons):
    """Who of a cohort of a retention came back in a period; the range selects entries."""

    kind: Literal["retention_persons"]
    at: Annotated[At, Field(description="The `start` of the cohort, as the figures give it.")]
    period_index: Annotated[int, Field(ge=0, description="As the figures give it; 0 is the whole cohort.")]
    value: Choice = None

    @property
    def unit(self) -> Interval:
        """Return what `last` counts."""
        return self.period

    @field_validator("period_index")
    @classmethod
    def _is_of_the_retention(cls, index: int, info: ValidationInfo) -> int:
        brackets = info.data.get("brackets", ())
        last = len(brackets) or info.data.get("periods", index)
        if index > last:
            raise ValueError(f"the last one is {last}")
        return index

    @field_validator("value")
    @classmethod
    def _is_one_value(cls, value: BreakdownChoice | None) -> BreakdownChoice | None:
        if value is not None and value.kind == "other":
            raise ValueError("name one value: of a retention the persons of all others are not listed")
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

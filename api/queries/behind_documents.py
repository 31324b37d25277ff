"""The query documents that ask who stands behind a figure: what its own document says, and which figure it is."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from api.queries.list_documents import OfPersons
from api.queries.range_documents import InBuckets, Ranged
from core.insights.filters import Document
from core.insights.questions import Funnel, Retention
from core.insights.reports import Activity
from core.insights.selections import Interval, Selection, ShortSelection


class BreakdownChoice(Document):
    """One value of a breakdown, as an answer shows it."""

    text: Annotated[str, Field(max_length=2_000)]
    kind: Annotated[
        Literal["value", "none", "other"],
        Field(description="`none`: where it is missing; `other`: all that are not shown."),
    ] = "value"


Choice = Annotated[
    BreakdownChoice | None, Field(description="Of this value alone: wanted where there is a breakdown, and only there.")
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
    value: Choice = None

    @model_validator(mode="after")
    def _is_a_figure(self) -> Self:
        if self.step > len(self.steps):
            raise ValueError(f"step is {self.step}, of {len(self.steps)}")
        _check_choice(self.value, self.breakdown)
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

    @model_validator(mode="after")
    def _is_a_figure(self) -> Self:
        last = len(self.brackets) or self.periods
        if self.period_index > last:
            raise ValueError(f"period_index is {self.period_index}, of {last}")
        _check_choice(self.value, self.breakdown)
        if self.value is not None and self.value.kind == "other":
            raise ValueError("value: the persons of all other values of a retention are not listed; name one value")
        return self


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


def _check_choice(choice: BreakdownChoice | None, breakdown: object) -> None:
    if (choice is None) != (breakdown is None):
        raise ValueError("value and breakdown belong together: whose persons of those that it tells apart?")


BehindDocument = (
    TrendPersonsDocument
    | FunnelPersonsDocument
    | RetentionPersonsDocument
    | LifecyclePersonsDocument
    | StickinessPersonsDocument
)

"""The query documents: what a file of `dbt_project/insights` says of a figure, in the same words, and a range."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from api.insights.moments import Moment
from api.queries.cursors import position
from core.insights.cohorts import CohortQuestion, Criterion
from core.insights.filters import Document, Name, Subject
from core.insights.questions import FunnelQuestion, RetentionQuestion, TrendQuestion
from core.insights.reports import LifecycleQuestion, PathsQuestion, RevenueQuestion, StickinessQuestion, WebQuestion
from core.insights.reports import Total as TotalSwitch
from core.insights.selections import Interval, Last, Selection, ShortSelection

PersonNumber = Annotated[int, Field(ge=0, lt=2**32, description="Number of the person, as answers give it.")]


class Ranged(Document):
    """The range: `from` and `to`, half-open, or the `last` so many buckets up to the present one."""

    from_: Annotated[
        Moment | None, Field(alias="from", description="First instant, or first day in the project's zone: included.")
    ] = None
    to: Annotated[
        Moment | None, Field(description="Last instant, or last day in the project's zone: not included.")
    ] = None
    last: Annotated[
        Last | None, Field(description="How many buckets of the interval (else days), up to the present one.")
    ] = None

    @property
    def unit(self) -> Interval:
        """Return what `last` counts."""
        return "day"

    @model_validator(mode="after")
    def _is_one_range(self) -> Self:
        if self._given() not in ([True, True, False], [False, False, True]):
            raise ValueError("the range is from and to, or last: give one of the two")
        return self

    def _given(self) -> list[bool]:
        return [value is not None for value in (self.from_, self.to, self.last)]


class InBuckets(Ranged):
    """A range that is cut into buckets of an interval."""

    interval: Annotated[Interval, Field(description="Length of a bucket, cut in the project's zone.")] = "day"

    @property
    def unit(self) -> Interval:
        """Return what `last` counts."""
        return self.interval


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


class Page(Document):
    """Which rows of a list are wanted."""

    limit: Annotated[int, Field(ge=1, le=1000, description="Most rows to return.")] = 100
    after: Annotated[str | None, Field(description="`next` of the page before.")] = None


class EventsDocument(Ranged, Page):
    """The events of the range, the latest first."""

    kind: Literal["events"]
    events: ShortSelection = Selection()
    person_number: Annotated[PersonNumber | None, Field(description="Of this person alone.")] = None

    @field_validator("after")
    @classmethod
    def _is_of_an_event(cls, after: str | None) -> str | None:
        if after is not None:
            position(after, str)
        return after


class _OfPersons(Page):
    @field_validator("after", check_fields=False)
    @classmethod
    def _is_of_a_person(cls, after: str | None) -> str | None:
        if after is not None:
            position(after, int)
        return after


class PersonsDocument(_OfPersons):
    """Persons as the latest refresh knows them, who was seen last first."""

    kind: Literal["persons"]
    who: Annotated[tuple[Criterion, ...], Field(description="Criteria of a cohort that all have to be met.")] = ()
    search: Annotated[Name | None, Field(description="Part of the person's id, whatever the case.")] = None


class CohortDocument(CohortQuestion, _OfPersons):
    """Who would be in a cohort now: how many, and its members, who was seen last first."""


class PersonDocument(Document):
    """One person, by exactly one id, with traits, ids and latest events."""

    kind: Literal["person"]
    person_number: PersonNumber | None = None
    user_id: Annotated[Name | None, Field(description="One that was merged into another user is that one.")] = None
    anonymous_id: Annotated[
        Name | None, Field(description="Of a device: the user to whom it was linked last, or the anonymous person.")
    ] = None
    events: Annotated[int, Field(ge=0, le=1000, description="How many of the latest events.")] = 20

    @model_validator(mode="after")
    def _names_one_person(self) -> Self:
        if sum(name is not None for name in (self.person_number, self.user_id, self.anonymous_id)) != 1:
            raise ValueError("exactly one of person_number, user_id and anonymous_id has to be given")
        return self


class PropertyValuesDocument(Subject, Ranged):
    """The values of a property or column among the events of the range, or of a trait among all persons."""

    kind: Literal["property_values"]
    events: ShortSelection = Selection()
    search: Annotated[Name | None, Field(description="Part of the value, whatever the case.")] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="Most values to return.")] = 100

    @model_validator(mode="after")
    def _is_one_range(self) -> Self:
        if self.trait is None and self._given() not in ([True, True, False], [False, False, True]):
            raise ValueError("the range is from and to, or last: give one of the two")
        if self.trait is not None and (any(self._given()) or self.events != Selection()):
            raise ValueError("traits are as persons have them now: no range, and no events")
        return self


InsightDocument = (
    TrendDocument
    | FunnelDocument
    | RetentionDocument
    | LifecycleDocument
    | StickinessDocument
    | PathsDocument
    | WebDocument
    | RevenueDocument
)
ListDocument = EventsDocument | PersonsDocument | PersonDocument | PropertyValuesDocument | CohortDocument
QueryDocument = Annotated[InsightDocument | ListDocument, Field(discriminator="kind")]

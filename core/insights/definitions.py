"""What an insight is: the documents that `dbt_project/insights/*.yml` hold, one to a file.

A definition says what to count; the mart of the same name holds the figures of all projects. It becomes SQL in
`core.insights.mart_models`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from core.insights.cohorts import CohortQuestion
from core.insights.filters import Subject, stays
from core.insights.questions import FunnelQuestion, RetentionQuestion, TrendQuestion, check_names
from core.insights.reports import (
    LifecycleQuestion,
    PathsQuestion,
    RevenueQuestion,
    StickinessQuestion,
    WebQuestion,
)
from core.insights.selections import BaseDefinition, Label, Last, Selection, ShortSelection
from core.validation import WrongPartsError


class FunnelDefinition(FunnelQuestion, BaseDefinition):
    """The mart has one row per project, (value) and step."""


class RetentionDefinition(RetentionQuestion, BaseDefinition):
    """The mart has one row per project, (value,) cohort and period."""


class TrendDefinition(TrendQuestion, BaseDefinition):
    """The mart has one row per project, (values) and bucket."""

    last: Last = 90


class LifecycleDefinition(LifecycleQuestion, BaseDefinition):
    """The mart has one row per project and bucket."""

    last: Last = 30


class StickinessDefinition(StickinessQuestion, BaseDefinition):
    """The mart has one row per project and number of buckets."""

    last: Last = 30


class PathsDefinition(PathsQuestion, BaseDefinition):
    """The mart has one row per project, node and edge from it."""

    last: Last = 30


class WebDefinition(WebQuestion, BaseDefinition):
    """The mart has one row per project, (values) and bucket."""

    last: Last = 30


class RevenueDefinition(RevenueQuestion, BaseDefinition):
    """The mart has one row per project, (currency, values) and bucket."""

    last: Last = 90


class CohortDefinition(CohortQuestion, BaseDefinition):
    """The mart has one row per project and person.

    Each refresh computes it anew; a static one stays what it was when it was computed by this definition first.
    """

    static: bool = False


class RollupBy(Subject):
    """A column of a rollup: a property of the event or a column of `fct_events`."""

    name: Label

    @model_validator(mode="after")
    def _is_the_events_own(self) -> Self:
        if self.trait is not None:
            raise ValueError("a trait changes without an event, so that no rollup can be kept by it")
        return self


class RollupSum(RollupBy):
    """A number that a rollup adds up."""


class RollupDefinition(BaseDefinition):
    """Events counted by day and values; the mart has one row per project, event, day and values."""

    kind: Literal["rollup"]
    events: ShortSelection = Selection()
    by: Annotated[tuple[RollupBy, ...], Field(max_length=5)] = ()
    sums: Annotated[tuple[RollupSum, ...], Field(max_length=10)] = ()

    @model_validator(mode="after")
    def _is_kept_by_events(self) -> Self:
        message = "traits, cohorts, sessions and relative dates change without an event: no rollup can be kept by them"
        wrong = [place for place, condition in enumerate(self.events.where) if not stays(condition)]
        if wrong:
            raise WrongPartsError(*((("events", "where", place), message) for place in wrong))
        return self

    @field_validator("sums")
    @classmethod
    def _name_other_columns(cls, sums: tuple[RollupSum, ...], info: ValidationInfo) -> tuple[RollupSum, ...]:
        by: tuple[RollupBy, ...] = info.data.get("by", ())
        check_names([f"{each.name}_sum" for each in sums], {each.name for each in by})
        return sums

    @field_validator("by")
    @classmethod
    def _differ(cls, by: tuple[RollupBy, ...]) -> tuple[RollupBy, ...]:
        check_names([each.name for each in by])
        return by


Definition = Annotated[
    FunnelDefinition
    | RetentionDefinition
    | TrendDefinition
    | LifecycleDefinition
    | StickinessDefinition
    | PathsDefinition
    | WebDefinition
    | RevenueDefinition
    | RollupDefinition
    | CohortDefinition,
    Field(discriminator="kind"),
]

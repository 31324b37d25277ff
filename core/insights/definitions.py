"""What an insight is: the documents that `dbt_project/insights/*.yml` hold, one to a file.

A definition says what to count; the mart of the same name holds the figures of all projects. It becomes SQL in
`core.insights.marts`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from core.insights.durations import duration_ms
from core.insights.filters import Condition, Document, Name, Scope, Subject, conjunction, reads_traits
from core.insights.formula import MAX_SERIES, FormulaError, formula_sql

EventName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A name that becomes one of a column: lower case, digits and underscores."""


def _checked_duration(text: Any) -> Any:
    duration_ms(str(text))
    return str(text)


Duration = Annotated[str, BeforeValidator(_checked_duration)]


class Selection(Document):
    """Which events: one name or any of several (none is any event), and conditions that all have to hold."""

    event: EventName | Annotated[list[EventName], Field(min_length=1)] | None = None
    where: tuple[Condition, ...] = ()

    def names(self) -> list[str]:
        """Return the names; empty for any event."""
        if self.event is None:
            return []
        return self.event if isinstance(self.event, list) else [self.event]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `fct_events`."""
        parts = (self._named(scope), conjunction(self.where, scope))
        return " and ".join(part for part in parts if part != "true") or "true"

    def label(self) -> str:
        """Return what it is called where nothing else names it."""
        return " or ".join(self.names()) or "any event"

    def _named(self, scope: Scope) -> str:
        names = self.names()
        if not names:
            return "true"
        if len(names) == 1:
            return f"event = {scope.bind(names[0], 'String')}"
        return f"event in ({', '.join(scope.bind(name, 'String') for name in names)})"


def _long_form(value: Any) -> Any:
    return {"event": value} if isinstance(value, str) else value


class Step(Selection):
    """A step of a funnel; a name alone is short for `{event: name}`."""

    name: Annotated[Name | None, Field(description="What the step is called in the mart.")] = None

    def label(self) -> str:
        """Return its name, or the events'."""
        return self.name or super().label()


ShortSelection = Annotated[Selection, BeforeValidator(_long_form)]
ShortStep = Annotated[Step, BeforeValidator(_long_form)]


class Exclusion(Selection):
    """What must not happen between two steps (from the first to the last unless told), and what follows if it does."""

    from_step: Annotated[int | None, Field(ge=1)] = None
    to_step: Annotated[int | None, Field(ge=2)] = None
    effect: Literal["stop", "drop_attempt", "drop_person"] = "stop"


class Breakdown(Subject):
    """A value by which figures are told apart; `top` values by volume, the rest is `(other)`."""

    top: Annotated[int, Field(ge=1, le=100)] = 10


class FunnelBreakdown(Breakdown):
    """Whose value counts: that of the first or last step that has one, or of one step."""

    attribution: Literal["first", "last"] | Annotated[int, Field(ge=1)] = "first"


class _Definition(Document):
    """What all definitions share."""

    description: Annotated[str, Field(min_length=1, max_length=2000)]
    owner: Annotated[str, Field(min_length=1, max_length=100)] = "analytics-engineering"
    projects: Annotated[
        tuple[Annotated[int, Field(ge=1, lt=2**32)], ...], Field(description="Ids of the projects; none: all.")
    ] = ()


class FunnelDefinition(_Definition):
    """How many persons go through a list of steps; the mart has one row per project, (value) and step."""

    kind: Literal["funnel"]
    steps: Annotated[tuple[ShortStep, ...], Field(min_length=2, max_length=20)]
    window: Duration = "14d"
    order: Literal["ordered", "strict", "unordered"] = "ordered"
    attempts: Literal["best", "first"] = "best"
    tie_grace_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    exclude: tuple[Exclusion, ...] = ()
    hold_constant: Annotated[tuple[Subject, ...], Field(max_length=3)] = ()
    breakdown: FunnelBreakdown | None = None
    hide_incomplete: bool = False

    @model_validator(mode="after")
    def _names_its_steps(self) -> Self:
        last = len(self.steps)
        for place, exclusion in enumerate(self.exclude):
            first, to = exclusion.from_step or 1, exclusion.to_step or last
            if not first < to <= last:
                raise ValueError(f"exclude.{place} lies between step {first} and {to}, of {last}")
        attribution = None if self.breakdown is None else self.breakdown.attribution
        if isinstance(attribution, int) and attribution > last:
            raise ValueError(f"breakdown.attribution names step {attribution}, of {last}")
        return self


class RetentionDefinition(_Definition):
    """Who comes back; the mart has one row per project, (value,) cohort and period."""

    kind: Literal["retention"]
    start: ShortSelection = Selection()
    returning: ShortSelection = Selection()
    period: Literal["day", "week", "month"] = "week"
    periods: Annotated[int, Field(ge=1, le=366)] = 12
    cohort: Literal["first_time", "recurring"] = "first_time"
    clock: Literal["calendar", "rolling"] = "calendar"
    return_rule: Literal["on", "on_or_after", "brackets"] = "on"
    brackets: tuple[tuple[int, int], ...] = ()
    breakdown: Breakdown | None = None

    @model_validator(mode="after")
    def _has_brackets(self) -> Self:
        if (self.return_rule == "brackets") != bool(self.brackets):
            raise ValueError("brackets and return_rule: brackets belong together")
        if any(not 1 <= first <= last for first, last in self.brackets):
            raise ValueError("a bracket is [first, last] with 1 <= first <= last")
        return self


class Series(Selection):
    """One line of a trend."""

    name: Label
    measure: Literal[
        "events", "persons", "sessions", "sum", "avg", "min", "max", "median", "p90", "p95", "p99", "events_per_person",
        "sum_per_person",
    ] = "events"  # fmt: skip
    of: Annotated[Subject | None, Field(description="The number that is measured.")] = None

    @model_validator(mode="after")
    def _has_a_number(self) -> Self:
        wants = self.measure not in {"events", "persons", "sessions", "events_per_person"}
        if wants != (self.of is not None):
            raise ValueError(
                f"{self.measure} {'wants the number that it measures: of' if wants else 'measures no number'}"
            )
        return self


class Formula(Document):
    """A figure over the series, which A, B, C … stand for in their order, such as `A / B * 100`."""

    name: Label
    formula: str


class TrendDefinition(_Definition):
    """Series over time; the mart has one row per project, (values) and bucket."""

    kind: Literal["trend"]
    series: Annotated[tuple[Series, ...], Field(min_length=1, max_length=MAX_SERIES)]
    formulas: tuple[Formula, ...] = ()
    interval: Literal["hour", "day", "week", "month"] = "day"
    last: Annotated[int, Field(ge=1, le=1000, description="How many buckets, up to the one of the latest event.")] = 90
    breakdown: Annotated[tuple[Subject, ...], Field(max_length=3)] = ()
    top: Annotated[int, Field(ge=1, le=100)] = 10

    @model_validator(mode="after")
    def _reads(self) -> Self:
        names = [each.name for each in (*self.series, *self.formulas)]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            raise ValueError(f"{', '.join(sorted(doubled))} names more than one series or formula")
        for place, each in enumerate(self.formulas):
            try:
                formula_sql(each.formula, len(self.series))
            except FormulaError as error:
                raise ValueError(f"formulas.{place}: {error.detail}") from error
        return self


ROLLUP_COLUMNS = ("project_id", "event", "event_date", "events", "persons")
"""The columns that every rollup has."""


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


class RollupDefinition(_Definition):
    """Events counted by day and values; the mart has one row per project, event, day and values."""

    kind: Literal["rollup"]
    events: ShortSelection = Selection()
    by: Annotated[tuple[RollupBy, ...], Field(max_length=5)] = ()
    sums: Annotated[tuple[RollupSum, ...], Field(max_length=10)] = ()

    @model_validator(mode="after")
    def _is_kept_by_events(self) -> Self:
        if any(reads_traits(condition) for condition in self.events.where):
            raise ValueError("events.where: a trait changes without an event, so that no rollup can be kept by it")
        return self

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [*ROLLUP_COLUMNS, *(each.name for each in (*self.by, *self.sums))]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            raise ValueError(f"{', '.join(sorted(doubled))} would name more than one column")
        return self


Definition = Annotated[
    FunnelDefinition | RetentionDefinition | TrendDefinition | RollupDefinition, Field(discriminator="kind")
]

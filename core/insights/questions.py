"""What is asked of funnels, retention and trends: by a file of `dbt_project/insights`, and by a query document."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from core.insights.filters import Document, Name, Subject
from core.insights.formula import MAX_SERIES, FormulaError, formula_sql
from core.insights.selections import (
    Counted,
    Duration,
    EventName,
    Interval,
    Label,
    Selection,
    ShortSelection,
    Top,
    long_form,
)
from core.validation import Place, WrongPartsError


class Step(Selection):
    """A step of a funnel; a name alone is short for `{event: name}`."""

    name: Annotated[Name | None, Field(description="What the step is called in the mart.")] = None

    def label(self) -> str:
        """Return its name, or the events'."""
        return self.name or super().label()


ShortStep = Annotated[Step, BeforeValidator(long_form, json_schema_input_type=Step | EventName)]


class Exclusion(Selection):
    """What must not happen between two steps (from the first to the last unless told), and what follows if it does."""

    from_step: Annotated[int | None, Field(ge=1)] = None
    to_step: Annotated[int | None, Field(ge=2)] = None
    effect: Literal["stop", "drop_attempt", "drop_person"] = "stop"


class Breakdown(Subject):
    """A value by which figures are told apart; `top` values by volume, the rest is `(other)`."""

    top: Top = 10


class FunnelBreakdown(Breakdown):
    """Whose value counts: that of the first or last step that has one, or of one step."""

    attribution: Literal["first", "last"] | Annotated[int, Field(ge=1)] = "first"


class Funnel(Counted):
    """How persons go through a list of steps."""

    steps: Annotated[tuple[ShortStep, ...], Field(min_length=2, max_length=20)]
    window: Duration = "14d"
    order: Literal["ordered", "strict", "unordered"] = "ordered"
    attempts: Literal["best", "first"] = "best"
    tie_grace_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    exclude: tuple[Exclusion, ...] = ()
    hold_constant: Annotated[tuple[Subject, ...], Field(max_length=3)] = ()
    breakdown: FunnelBreakdown | None = None
    hide_incomplete: bool = False

    @field_validator("exclude")
    @classmethod
    def _lies_between_steps(cls, exclude: tuple[Exclusion, ...], info: ValidationInfo) -> tuple[Exclusion, ...]:
        last = len(info.data.get("steps", ()))
        wrong: list[tuple[Place, str]] = []
        for place, exclusion in enumerate(exclude if last else ()):
            first, to = exclusion.from_step or 1, exclusion.to_step or last
            if to > last:
                wrong.append(((place, "to_step"), f"the funnel has {last} steps"))
            elif first >= to:
                wrong.append(((place, "from_step"), f"it has to come before step {to}"))
        if wrong:
            raise WrongPartsError(*wrong)
        return exclude

    @field_validator("breakdown")
    @classmethod
    def _is_of_a_step(cls, breakdown: FunnelBreakdown | None, info: ValidationInfo) -> FunnelBreakdown | None:
        last = len(info.data.get("steps", ()))
        attribution = None if breakdown is None else breakdown.attribution
        if last and isinstance(attribution, int) and attribution > last:
            raise WrongPartsError((("attribution",), f"it names step {attribution}, of {last}"))
        return breakdown


class FunnelQuestion(Funnel):
    """How many persons go through a list of steps."""

    kind: Literal["funnel"]


Period = Annotated[int, Field(ge=1, le=366)]


class Retention(Counted):
    """How persons come back."""

    start: ShortSelection = Selection()
    returning: ShortSelection = Selection()
    period: Interval = "week"
    periods: Annotated[int, Field(ge=1, le=366)] = 12
    cohort: Literal["first_time", "recurring"] = "first_time"
    clock: Literal["calendar", "rolling"] = "calendar"
    return_rule: Literal["on", "on_or_after", "brackets"] = "on"
    brackets: tuple[tuple[Period, Period], ...] = ()
    breakdown: Breakdown | None = None

    @model_validator(mode="after")
    def _has_brackets(self) -> Self:
        if (self.return_rule == "brackets") != bool(self.brackets):
            key = "brackets" if self.brackets else "return_rule"
            raise WrongPartsError(((key,), "brackets and return_rule: brackets belong together"))
        return self

    @field_validator("brackets")
    @classmethod
    def _are_ordered(cls, brackets: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        message = "a bracket is [first, last], the first not after the last"
        wrong: list[tuple[Place, str]] = [
            ((place,), message) for place, (first, last) in enumerate(brackets) if first > last
        ]
        if wrong:
            raise WrongPartsError(*wrong)
        return brackets


class RetentionQuestion(Retention):
    """Who comes back."""

    kind: Literal["retention"]


class Series(Selection):
    """One line of a trend."""

    name: Label
    measure: Literal[
        "events", "persons", "sessions", "sum", "avg", "min", "max", "median", "p90", "p95", "p99", "events_per_person",
        "sum_per_person",
    ] = "events"  # fmt: skip
    of: Annotated[Subject | None, Field(description="The number that is measured.")] = None
    trailing: Annotated[
        int, Field(ge=1, le=366, description="Each bucket measures the last so many, itself included.")
    ] = 1

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


class TrendQuestion(Counted):
    """Series over time."""

    kind: Literal["trend"]
    series: Annotated[tuple[Series, ...], Field(min_length=1, max_length=MAX_SERIES)]
    formulas: tuple[Formula, ...] = ()
    interval: Interval = "day"
    breakdown: Annotated[tuple[Subject, ...], Field(max_length=3)] = ()
    top: Top = 10

    @field_validator("formulas")
    @classmethod
    def _read(cls, formulas: tuple[Formula, ...], info: ValidationInfo) -> tuple[Formula, ...]:
        series: tuple[Series, ...] = info.data.get("series", ())
        wrong: list[tuple[Place, str]] = []
        for place, each in enumerate(formulas if series else ()):
            try:
                formula_sql(each.formula, len(series))
            except FormulaError as error:
                wrong.append(((place, "formula"), error.detail))
        if wrong:
            raise WrongPartsError(*wrong)
        check_names([each.name for each in formulas], {each.name for each in series})
        return formulas

    @field_validator("series")
    @classmethod
    def _differ(cls, series: tuple[Series, ...]) -> tuple[Series, ...]:
        check_names([each.name for each in series])
        return series


def check_names(names: list[str], taken: Iterable[str] = ()) -> None:
    """Raise `WrongPartsError` of the first name that another column has, before it in the list or among the taken."""
    seen = set(taken)
    for place, name in enumerate(names):
        if name in seen:
            raise WrongPartsError(((place, "name"), f"{name} would name more than one column"))
        seen.add(name)

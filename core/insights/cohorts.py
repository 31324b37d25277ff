"""Cohorts: sets of persons who did something, did not, have traits, are on a list, or are in other cohorts."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from core.insights.binding import Scope
from core.insights.durations import duration_ms
from core.insights.filters import Document, Filter, Member, among, joined, parts_of
from core.insights.lists import ListName
from core.insights.selections import Duration, EventName, Selection, ShortSelection, long_form

# Earlier than any instant of an event, in milliseconds.
_NEVER = "-1000000000000000"


class Behaviour(Selection):
    """What somebody did: which events, at least how often, and within which time up to now."""

    at_least: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    within: Duration | None = None

    def persons(self, scope: Scope) -> str:
        """Return the query of those who did it."""
        condition = f"({self.sql(scope)})"
        if self.within is not None:
            condition += f" and timestamp >= {_since(self.within, scope)}"
        counted = f"having count() >= {scope.bind(self.at_least, 'UInt32')}" if self.at_least > 1 else ""
        return f"{scope.persons('fct_events', condition)} group by project_id, person_number {counted}".rstrip()


class FirstTime(Selection):
    """What somebody did for the first time within a time up to now."""

    within: Duration

    def persons(self, scope: Scope) -> str:
        """Return the query of those whose first time lies within."""
        return (
            f"{scope.persons('fct_events', f'({self.sql(scope)})')} group by project_id, person_number"
            f" having min(timestamp) >= {_since(self.within, scope)}"
        )


def _steps_alone(value: Any) -> Any:
    return {"steps": value} if isinstance(value, list) else value


class InOrder(Document):
    """What somebody did in order: each step by an event of its own, later than that of the step before it."""

    steps: Annotated[tuple[ShortSelection, ...], Field(min_length=2, max_length=20)]
    window: Annotated[Duration | None, Field(description="How long after the first step the last one may be.")] = None
    within: Duration | None = None

    def persons(self, scope: Scope) -> str:
        """Return the query of those who did it.

        For each step, and each event of a person in order, it knows when the latest chain of events began that had
        done the steps up to this one by then. The latest is enough: whatever completes an earlier one within the
        window completes that one too.
        """
        steps = [f"({step.sql(scope)})" for step in self.steps]
        condition = f"({' or '.join(steps)})"
        if self.within is not None:
            condition += f" and timestamp >= {_since(self.within, scope)}"
        in_time = f"began > {_NEVER}"
        if self.window is not None:
            in_time = f"began >= at - {scope.bind(duration_ms(self.window), 'Int64')}"
        began = _filled(f"arrayMap((fits, at) -> if(fits, at, {_NEVER}), events.5, events.1)")
        for fits in range(6, 5 + len(steps)):
            before = f"arrayPushFront(arrayPopBack({began}), {_NEVER})"
            chained = f"(fits, at, began) -> if(fits and {in_time}, began, {_NEVER})"
            began = _filled(f"arrayMap({chained}, events.{fits}, events.1, {before})")
        order = "toUnixTimestamp64Milli(timestamp), received_at, sequence, message_id"
        events = f"arraySort(groupArray(({order}, {', '.join(steps)}))) as events"
        rows = scope.rows(f"project_id, person_number, {events}", "fct_events", condition)
        # Before anything is put in order: most persons miss a step.
        grouped = f"{rows} group by project_id, person_number having {' and '.join(f'max({step})' for step in steps)}"
        return f"select project_id, person_number from ({grouped}) where {began}[-1] > {_NEVER}"  # noqa: S608


def _filled(began: str) -> str:
    return f"arrayFill(began -> began > {_NEVER}, {began})"


class Did(Document):
    """Who did something."""

    did: Annotated[Behaviour, BeforeValidator(long_form, json_schema_input_type=Behaviour | EventName)]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        return among(self.did.persons(scope))


class DidNot(Document):
    """Who did not, or less often."""

    did_not: Annotated[Behaviour, BeforeValidator(long_form, json_schema_input_type=Behaviour | EventName)]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        return f"(not {among(self.did_not.persons(scope))})"


class FirstDid(Document):
    """Who did something for the first time."""

    first_did: FirstTime

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        return among(self.first_did.persons(scope))


class DidInOrder(Document):
    """Who did a list of steps in their order; the list alone is short for `{steps: […]}`."""

    did_in_order: Annotated[
        InOrder, BeforeValidator(_steps_alone, json_schema_input_type=InOrder | list[Selection | EventName])
    ]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        return among(self.did_in_order.persons(scope))


class Listed(Document):
    """Who is on a list of users; an id that was merged into another user stands for that one."""

    listed: ListName

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        # Of an anonymous person the user's id is empty, and so is an id that dbt reads as a null.
        users = scope.rows("project_id, user_id", self.listed, "user_id != ''")
        merged = scope.rows(
            "project_id, person_id", "fct_merges", f"is_merged and (project_id, previous_id) in ({users})"
        )
        condition = f"((project_id, user_id) in ({users}) or (project_id, person_id) in ({merged}))"
        return among(scope.persons("dim_persons", condition))


class Trait(Filter):
    """A condition on a trait of the person."""

    @model_validator(mode="after")
    def _is_a_trait(self) -> Self:
        if self.trait is None:
            raise ValueError("persons are chosen by a trait; events by did, did_not, first_did or did_in_order")
        return self


class AllMet(Document):
    """Who meets all of the criteria."""

    all: Annotated[tuple["Criterion", ...], Field(min_length=1)]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        return joined("and", self.all, scope)


class AnyMet(Document):
    """Who meets any of the criteria."""

    any: Annotated[tuple["Criterion", ...], Field(min_length=1)]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        return joined("or", self.any, scope)


class NoneMet(Document):
    """Who meets none of the criteria."""

    none: Annotated[tuple["Criterion", ...], Field(min_length=1)]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        return f"(not {joined('or', self.none, scope)})"


_KINDS = {
    "did": "Did",
    "did_not": "DidNot",
    "first_did": "FirstDid",
    "did_in_order": "DidInOrder",
    "listed": "Listed",
    "cohort": "Member",
    "all": "AllMet",
    "any": "AnyMet",
    "none": "NoneMet",
}


def _kind_of(document: Any) -> str:
    names: set[str] = set(document) if isinstance(document, dict) else {type(document).__name__}
    return next((name for name, kind in _KINDS.items() if name in names or kind in names), "trait")


Criterion = Annotated[
    Annotated[Did, Tag("did")]
    | Annotated[DidNot, Tag("did_not")]
    | Annotated[FirstDid, Tag("first_did")]
    | Annotated[DidInOrder, Tag("did_in_order")]
    | Annotated[Listed, Tag("listed")]
    | Annotated[Member, Tag("cohort")]
    | Annotated[AllMet, Tag("all")]
    | Annotated[AnyMet, Tag("any")]
    | Annotated[NoneMet, Tag("none")]
    | Annotated[Trait, Tag("trait")],
    Discriminator(_kind_of),
]
"""What decides whether a person is in a cohort."""


class CohortQuestion(Document):
    """Who is in a cohort."""

    kind: Literal["cohort"]
    who: Annotated[tuple[Criterion, ...], Field(min_length=1, description="Criteria that all have to be met.")]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `dim_persons`."""
        return joined("and", self.who, scope)


def lists_in(document: object) -> set[str]:
    """Return the lists of users that a document names, however deep."""
    return {criterion.listed for criterion in parts_of(document, Listed)}


def _since(within: str, scope: Scope) -> str:
    return f"{scope.now} - toIntervalMillisecond({scope.bind(duration_ms(within), 'Int64')})"

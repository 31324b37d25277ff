"""Which events a definition is about, and what all definitions share."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from core.insights.binding import Scope
from core.insights.durations import duration_ms
from core.insights.filters import Condition, Document, Name, conjunction

EventName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
# What SQL reads as something else than the name of a column, and what the models themselves are made with.
_TAKEN = re.compile(
    r"null|true|false|nan|inf|infinity|index|constraint|projection|primary|order|group|select|from|where|having|limit|union"
    r"|with|as|on|in|is|not|and|or|case|when|then|else|end|between|like|distinct|all|any|none|interval|array|join|final"
    r"|project_id|person_number|event|event_date|events|persons|gone_persons|bucket|bucket_at|bucket_date|rank|is_other|[a-z]"
    r"|(breakdown|formula|by|number|is_none)_\d+"
)


def _not_taken(name: str) -> str:
    if _TAKEN.fullmatch(name):
        raise ValueError(
            f"'{name}' means something else in SQL or in the mart, as single letters, events and persons do; "
            "choose another name"
        )
    return name


Label = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"), AfterValidator(_not_taken)]
"""A name that becomes one of a column: lower case, digits and underscores."""


def _checked_duration(text: Any) -> Any:
    duration_ms(str(text))
    return str(text)


Duration = Annotated[str, BeforeValidator(_checked_duration)]


Interval = Literal["hour", "day", "week", "month"]
Last = Annotated[int, Field(ge=1, le=1000, description="How many buckets, up to the present one.")]
Top = Annotated[int, Field(ge=1, le=100, description="How many values are told apart.")]


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


class Counted(Document):
    """Whom figures count, under the name of persons."""

    group_type: Annotated[
        Name | None,
        Field(description="Groups of this kind, such as `company`, in place of persons: those of the events."),
    ] = None

    @property
    def counts(self) -> str:
        """Return what is counted, as a text names it."""
        return "persons" if self.group_type is None else "groups"


def long_form(value: Any) -> Any:
    """Read a name alone as `{event: name}`."""
    return {"event": value} if isinstance(value, str) else value


ShortSelection = Annotated[Selection, BeforeValidator(long_form, json_schema_input_type=Selection | EventName)]


class BaseDefinition(Document):
    """What all definitions share."""

    description: Annotated[str, Field(min_length=1, max_length=2000)]
    owner: Annotated[str, Field(min_length=1, max_length=100)] = "analytics-engineering"
    projects: Annotated[
        tuple[Annotated[int, Field(ge=1, lt=2**32)], ...], Field(description="Ids of the projects; none: all.")
    ] = ()

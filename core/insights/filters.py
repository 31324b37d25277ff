"""Conditions on events: filters on properties, columns and traits, joined by and, or and not."""

import reprlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Protocol, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from core.insights.binding import Bind, Scope
from core.insights.operators import Operator, fault_of, is_relative, test_of

Column = Literal[
    "type", "page_host", "page_path", "page_query", "page_title", "referrer", "referrer_host", "referrer_type",
    "referrer_name", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "country",
    "region", "city", "browser", "browser_version", "os", "os_version", "device_type", "device_brand", "locale",
    "device_timezone", "library", "group_type", "group_id",
]  # fmt: skip
"""Columns of `fct_events` to filter on and to break down by; all are text, empty where nothing is known."""

SessionColumn = Literal[
    "entry_event", "exit_event", "entry_host", "entry_path", "exit_path", "channel", "referrer_type", "referrer_name",
    "utm_source", "utm_medium", "utm_campaign", "country", "region", "city", "browser", "os", "device_type",
    "duration_ms", "events", "views", "is_bounce",
]  # fmt: skip
"""Columns of `fct_sessions` to filter on."""

CohortName = Annotated[str, StringConstraints(pattern=r"^cohort_[a-z0-9_]{1,50}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Part = TypeVar("_Part", bound=BaseModel)


class Document(BaseModel):
    """A part of a definition. A key that is not known is refused, so that a misspelt one cannot change a figure."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Way = Annotated[list[Name], Field(min_length=1)]


class Subject(Document):
    """What is looked at: exactly one of a property of the event, a column of `fct_events`, a trait of the person."""

    property: Annotated[
        Name | Way | None, Field(description="Property of the event; a list is the way to a nested one.")
    ] = None
    column: Annotated[Column | None, Field(description="Column of `fct_events`.")] = None
    trait: Annotated[Name | Way | None, Field(description="Current trait of the person.")] = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if sum(name is not None for name in (self.property, self.column, self.trait)) != 1:
            raise ValueError("exactly one of property, column and trait has to be given")
        return self

    def _column(self) -> str | None:
        return self.column

    def _path(self) -> str | list[str] | None:
        return self.trait if self.property is None else self.property

    def text(self, bind: Bind, *, traits: str = "traits") -> str:
        """Return its value as text, Nullable(String); null where it is missing, null or empty.

        `traits` is the column in which the person's traits stand.
        """
        if (column := self._column()) is not None:
            return f"nullIf(toString({column}), '')"
        return f"nullIf(JSONExtract({self._place(bind, traits)}, 'Nullable(String)'), '')"

    def number(self, bind: Bind, *, traits: str = "traits") -> str:
        """Return its value as a number, Nullable(Float64); null where it is none. A text that reads as one is one."""
        if (column := self._column()) is not None:
            return f"toFloat64OrNull(toString({column}))"
        return f"JSONExtract({self._place(bind, traits)}, 'Nullable(Float64)')"

    def _place(self, bind: Bind, traits: str) -> str:
        path = self._path()
        names = path if isinstance(path, list) else [str(path)]
        source = traits if self.property is None else "properties"
        return ", ".join([source, *(bind(name, "String") for name in names)])


class Filter(Subject):
    """One condition on one value.

    `is` and `is_not` compare text, numbers or booleans, with any of a list; `is_not`, `not_contains` and `not_regex`
    hold where the value is missing too. `contains` does not regard case. `gt`, `gte`, `lt`, `lte` and `between` (with
    both ends) compare numbers, `before` and `after` instants: a value that is none fits nothing.

    Beside what figures may be told apart by, it may be about the session of the event, or the group that it belongs to.
    """

    operator: Operator = "is"
    value: Annotated[Any, Field(validate_default=True)] = None
    session: Annotated[SessionColumn | None, Field(description="Column of `fct_sessions`, of the event's session.")] = (
        None
    )
    group_trait: Annotated[
        Name | Way | None, Field(description="Current trait of the event's group, if that is of the `group_type`.")
    ] = None
    group_type: Annotated[Name | None, Field(description="Which kind of group, such as `company`.")] = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        names = (self.property, self.column, self.trait, self.session, self.group_trait)
        if sum(name is not None for name in names) != 1:
            raise ValueError("exactly one of property, column, trait, session and group_trait has to be given")
        if (self.group_type is None) != (self.group_trait is None):
            raise ValueError("group_trait and group_type belong together")
        return self

    @property
    def stays(self) -> bool:
        """Say whether what it says of an event cannot change without the event."""
        is_of_event = self.property is not None or self.column is not None
        return is_of_event and not is_relative(self.operator, self.value)

    def _column(self) -> str | None:
        return self.column or self.session

    def _path(self) -> str | list[str] | None:
        return super()._path() if self.group_trait is None else self.group_trait

    @field_validator("value")
    @classmethod
    def _fits_operator(cls, value: Any, info: ValidationInfo) -> Any:
        operator = info.data.get("operator")
        message = None if operator is None else fault_of(operator, value)
        if message is not None:
            raise ValueError(f"{operator} {message}, not {reprlib.repr(value)}")
        return value

    def sql(self, scope: Scope) -> str:
        """Return the condition over `fct_events`; it is never null."""
        test = f"({test_of(self.operator, self, self.value, scope)})"
        # Who or what has no row there is not known: a negative condition does not hold for it either.
        if self.trait is not None:
            return among(scope.persons("dim_persons", test))
        if self.session is not None:
            sessions = scope.rows("project_id, session_id", "fct_sessions", test)
            return f"((project_id, session_id) in ({sessions}))"
        if self.group_type is not None:
            of_type = f"group_type = {scope.bind(self.group_type, 'String')} and {test}"
            groups = scope.rows("project_id, group_type, group_id", "dim_groups", of_type)
            return f"((project_id, group_type, group_id) in ({groups}))"
        return test


class Member(Document):
    """Who is in a cohort, as it was computed last."""

    cohort: CohortName

    def sql(self, scope: Scope) -> str:
        """Return the condition over whatever has a project's id and a person's number."""
        return among(scope.persons(self.cohort))


def among(persons: str) -> str:
    """Return the condition that a person is among those of a query."""
    return f"((project_id, person_number) in ({persons}))"


class SqlCondition(Protocol):
    """Whatever becomes a condition."""

    def sql(self, scope: Scope) -> str:
        """Return the condition."""
        ...


def joined(word: Literal["and", "or"], conditions: Iterable[SqlCondition], scope: Scope) -> str:
    """Return the condition that all of them hold, or any of them."""
    return "(" + f" {word} ".join(condition.sql(scope) for condition in conditions) + ")"


class AllOf(Document):
    """Holds where all of the conditions hold."""

    all: Annotated[tuple["Condition", ...], Field(min_length=1)]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `fct_events`."""
        return joined("and", self.all, scope)


class AnyOf(Document):
    """Holds where any of the conditions holds."""

    any: Annotated[tuple["Condition", ...], Field(min_length=1)]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `fct_events`."""
        return joined("or", self.any, scope)


class NoneOf(Document):
    """Holds where none of the conditions holds."""

    none: Annotated[tuple["Condition", ...], Field(min_length=1)]

    def sql(self, scope: Scope) -> str:
        """Return the condition over `fct_events`."""
        return f"(not {joined('or', self.none, scope)})"


def _kind_of(document: Any) -> str:
    names: set[str] = set(document) if isinstance(document, dict) else {type(document).__name__}
    for name, kind in (("all", "AllOf"), ("any", "AnyOf"), ("none", "NoneOf"), ("cohort", "Member")):
        if name in names or kind in names:
            return name
    return "filter"


Condition = Annotated[
    Annotated[Filter, Tag("filter")]
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[NoneOf, Tag("none")]
    | Annotated[Member, Tag("cohort")],
    Discriminator(_kind_of),
]
"""A filter, `{cohort: name}`, or several joined: `{all: […]}`, `{any: […]}`, `{none: […]}`."""


def conjunction(conditions: tuple[Condition, ...], scope: Scope) -> str:
    """Return the condition that all of them hold; `true` for none."""
    return " and ".join(condition.sql(scope) for condition in conditions) or "true"


def stays(condition: Condition) -> bool:
    """Say whether what a condition says of an event cannot change without the event."""
    is_of_cohort = next(parts_of(condition, Member), None) is not None
    return not is_of_cohort and all(part.stays for part in parts_of(condition, Filter))


def cohorts_in(document: object) -> set[str]:
    """Return the cohorts that a document names, however deep."""
    return {member.cohort for member in parts_of(document, Member)}


def parts_of(document: object, kind: type[_Part]) -> Iterator[_Part]:
    """Yield all of one kind that a document is made of, however deep."""
    if isinstance(document, kind):
        yield document
    elif isinstance(document, tuple | list):
        for item in document:
            yield from parts_of(item, kind)
    elif isinstance(document, BaseModel):
        for _, value in document:
            yield from parts_of(value, kind)

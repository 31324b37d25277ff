"""Conditions on events: filters on properties, columns and traits, joined by and, or and not."""

import reprlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Protocol, Self, TypeVar

import re2
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

from core.insights.binding import Bind

Column = Literal[
    "type", "page_host", "page_path", "page_query", "page_title", "referrer", "referrer_host", "referrer_type",
    "referrer_name", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "country",
    "region", "city", "browser", "browser_version", "os", "os_version", "device_type", "device_brand", "locale",
    "device_timezone", "library", "group_type", "group_id",
]  # fmt: skip
"""Columns of `fct_events` to filter on and to break down by; all are text, empty where nothing is known."""

CohortName = Annotated[str, StringConstraints(pattern=r"^cohort_[a-z0-9_]{1,50}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Part = TypeVar("_Part", bound=BaseModel)
Operator = Literal[
    "is", "is_not", "contains", "not_contains", "regex", "not_regex", "gt", "gte", "lt", "lte", "between", "before",
    "after", "is_set", "is_not_set",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition is written for.

    `bind` brings values into it, `relation` gives the relation of a table in the marts by its name; `project` is the
    expression of a project's id, `now` that of the present instant.
    """

    bind: Bind
    relation: Callable[[str], str]
    project: str
    now: str = "now64(3)"

    def persons(self, table: str, condition: str = "true") -> str:
        """Return the query of the persons in a table of the marts for whom a condition holds."""
        return self.rows("project_id, person_number", table, condition)

    def rows(self, columns: str, table: str, condition: str = "true") -> str:
        """Return the query of what a table of the marts has where a condition holds."""
        which = f"project_id = {self.project} and {condition}"
        # Made of expressions: a value is in there as what `bind` gave for it.
        return f"select {columns} from {self.relation(table)} where {which}"  # noqa: S608


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

    def text(self, bind: Bind, *, traits: str = "traits") -> str:
        """Return its value as text, Nullable(String); null where it is missing, null or empty.

        `traits` is the column in which the person's traits stand.
        """
        if self.column is not None:
            return f"nullIf(toString({self.column}), '')"
        return f"nullIf(JSONExtract({self._place(bind, traits)}, 'Nullable(String)'), '')"

    def number(self, bind: Bind, *, traits: str = "traits") -> str:
        """Return its value as a number, Nullable(Float64); null where it is none. A text that reads as one is one."""
        if self.column is not None:
            return f"toFloat64OrNull(toString({self.column}))"
        return f"JSONExtract({self._place(bind, traits)}, 'Nullable(Float64)')"

    def _place(self, bind: Bind, traits: str) -> str:
        path = self.trait if self.property is None else self.property
        names = path if isinstance(path, list) else [str(path)]
        source = traits if self.property is None else "properties"
        return ", ".join([source, *(bind(name, "String") for name in names)])


class Filter(Subject):
    """One condition on one value.

    `is` and `is_not` compare text, numbers or booleans, with any of a list; `is_not`, `not_contains` and `not_regex`
    hold where the value is missing too. `contains` does not regard case. `gt`, `gte`, `lt`, `lte` and `between` (with
    both ends) compare numbers, `before` and `after` instants: a value that is none fits nothing.
    """

    operator: Operator = "is"
    value: Annotated[Any, Field(validate_default=True)] = None

    @field_validator("value")
    @classmethod
    def _fits_operator(cls, value: Any, info: ValidationInfo) -> Any:
        operator = info.data.get("operator")
        message = None if operator is None else _CHECKS[_WANTED.get(operator, "text")](value)
        if message is not None:
            raise ValueError(f"{operator} {message}, not {reprlib.repr(value)}")
        return value

    def sql(self, scope: Scope) -> str:
        """Return the condition over `fct_events`; it is never null."""
        test = f"({self._test(scope.bind)})"
        if self.trait is None:
            return test
        # Whoever has no row there has no traits: a negative condition holds for nobody that is not known.
        return among(scope.persons("dim_persons", test))

    def _test(self, bind: Bind) -> str:
        name = self.operator
        if name.startswith(("is_not", "not_")) and name != "is_not_set":
            return f"not {_TESTS[_POSITIVE[name]](self, self.value, bind)}"
        return _TESTS[name](self, self.value, bind)


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


def is_of_person(condition: Condition) -> bool:
    """Say whether what a condition says of an event depends on its person: on traits, or on cohorts."""
    match condition:
        case AllOf():
            return any(map(is_of_person, condition.all))
        case AnyOf():
            return any(map(is_of_person, condition.any))
        case NoneOf():
            return any(map(is_of_person, condition.none))
        case Member():
            return True
        case Filter():
            return condition.trait is not None


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


_Test = Callable[[Filter, Any, Bind], str]


def _equals(of: Filter, value: Any, bind: Bind) -> str:
    values: list[Any] = value if isinstance(value, list) else [value]
    texts = [str(item).lower() if isinstance(item, bool) else item for item in values if not _is_number(item)]
    numbers = [float(item) for item in values if _is_number(item)]
    tests: list[str] = []
    if texts:
        tests.append(f"has({bind(texts, 'Array(String)')}, ifNull({of.text(bind)}, ''))")
    if numbers:
        tests.append(f"ifNull(has({bind(numbers, 'Array(Float64)')}, {of.number(bind)}), false)")
    return f"({' or '.join(tests)})"


def _contains(of: Filter, value: Any, bind: Bind) -> str:
    return f"(positionCaseInsensitiveUTF8(ifNull({of.text(bind)}, ''), {bind(value, 'String')}) > 0)"


def _matches(of: Filter, value: Any, bind: Bind) -> str:
    return f"match(ifNull({of.text(bind)}, ''), {bind(value, 'String')})"


def _compares(sign: str) -> _Test:
    return lambda of, value, bind: f"ifNull({of.number(bind)} {sign} {bind(float(value), 'Float64')}, false)"


def _lies_between(of: Filter, value: Any, bind: Bind) -> str:
    low, high = (bind(float(bound), "Float64") for bound in value)
    return f"ifNull({of.number(bind)} between {low} and {high}, false)"


def _is_on_side(sign: str) -> _Test:
    def test(of: Filter, value: Any, bind: Bind) -> str:
        moment = _instant(value).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        text = f"ifNull({of.text(bind)}, '')"
        # Best effort takes a number for an instant too.
        found = f"if(match({text}, '^[0-9]{{4}}-[0-9]{{2}}-'), parseDateTime64BestEffortOrNull({text}, 3, 'UTC'), null)"
        return f"ifNull({found} {sign} toDateTime64({bind(moment, 'String')}, 3, 'UTC'), false)"

    return test


_LARGEST = 1e300
_LONGEST = 10_000
_MOST = 1000
_TESTS: dict[str, _Test] = {
    "is": _equals,
    "contains": _contains,
    "regex": _matches,
    "gt": _compares(">"),
    "gte": _compares(">="),
    "lt": _compares("<"),
    "lte": _compares("<="),
    "between": _lies_between,
    "before": _is_on_side("<"),
    "after": _is_on_side(">"),
    "is_set": lambda of, _, bind: f"{of.text(bind)} is not null",
    "is_not_set": lambda of, _, bind: f"{of.text(bind)} is null",
}
_POSITIVE = {"is_not": "is", "not_contains": "contains", "not_regex": "regex"}
_WANTED = {
    **dict.fromkeys(("is", "is_not"), "any"),
    **dict.fromkeys(("regex", "not_regex"), "regex"),
    **dict.fromkeys(("gt", "gte", "lt", "lte"), "number"),
    **dict.fromkeys(("before", "after"), "instant"),
    **dict.fromkeys(("is_set", "is_not_set"), "nothing"),
    "between": "range",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST


def _instant(value: Any) -> datetime:
    found = datetime.fromisoformat(str(value))
    return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)


def _misses_any(value: Any) -> str | None:
    values: list[Any] = value if isinstance(value, list) else [value]
    each_fits = all(isinstance(item, bool) or _is_number(item) or _is_text(item) for item in values)
    fits = 0 < len(values) <= _MOST and each_fits
    return None if fits else "wants a text, a number, true, false, or a list of these (is_set tells what is missing)"


def _misses_text(value: Any) -> str | None:
    return None if _is_text(value) else "wants a text"


def _misses_regex(value: Any) -> str | None:
    if not isinstance(value, str):
        return "wants a regular expression"
    try:
        re2.compile(value)
    except re2.error as error:
        return f"wants a regular expression of RE2 ({error})"
    return None


def _misses_number(value: Any) -> str | None:
    return None if _is_number(value) else "wants a number"


def _misses_range(value: Any) -> str | None:
    fits = isinstance(value, list) and len(value) == 2 and all(_is_number(bound) for bound in value)  # noqa: PLR2004
    return None if fits and value[0] <= value[1] else "wants two numbers, [from, to]"


def _misses_instant(value: Any) -> str | None:
    try:
        _instant(value)
    except (ValueError, OverflowError):
        return "wants a date or an instant as in ISO 8601 (without an offset: UTC)"
    return None if isinstance(value, str) else "wants a date or an instant as in ISO 8601"


def _misses_nothing(value: Any) -> str | None:
    return None if value is None else "takes no value"


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "any": _misses_any,
    "text": _misses_text,
    "regex": _misses_regex,
    "number": _misses_number,
    "range": _misses_range,
    "instant": _misses_instant,
    "nothing": _misses_nothing,
}

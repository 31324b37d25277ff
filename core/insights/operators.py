"""The operators of conditions: which values they take, and the SQL of each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import re2

from core.insights.binding import Bind, Scope
from core.insights.durations import duration_ms

Operator = Literal[
    "is", "is_not", "contains", "not_contains", "regex", "not_regex", "gt", "gte", "lt", "lte", "between", "before",
    "after", "is_set", "is_not_set",
]  # fmt: skip


class Valued(Protocol):
    """Whatever has a value that a condition is about."""

    def text(self, bind: Bind) -> str:
        """Return it as text, Nullable(String)."""
        ...

    def number(self, bind: Bind) -> str:
        """Return it as a number, Nullable(Float64)."""
        ...


def fault_of(operator: Operator, value: Any) -> str | None:
    """Say what an operator wants in place of a value; None where the value goes with it."""
    return _CHECKS[_WANTED.get(operator, "text")](value)


def test_of(operator: Operator, of: Valued, value: Any, scope: Scope) -> str:
    """Return the condition; it is never null."""
    if operator in _POSITIVE:
        return f"not {_TESTS[_POSITIVE[operator]](of, value, scope)}"
    return _TESTS[operator](of, value, scope)


def is_relative(operator: Operator, value: Any) -> bool:
    """Say whether a value is told from the present instant."""
    return operator in {"before", "after"} and _offset_of(value) is not None


_Test = Callable[[Valued, Any, Scope], str]


def _equals(of: Valued, value: Any, scope: Scope) -> str:
    bind = scope.bind
    values: list[Any] = value if isinstance(value, list) else [value]
    texts = [str(item).lower() if isinstance(item, bool) else item for item in values if not _is_number(item)]
    numbers = [float(item) for item in values if _is_number(item)]
    tests: list[str] = []
    if texts:
        tests.append(f"has({bind(texts, 'Array(String)')}, ifNull({of.text(bind)}, ''))")
    if numbers:
        tests.append(f"ifNull(has({bind(numbers, 'Array(Float64)')}, {of.number(bind)}), false)")
    return f"({' or '.join(tests)})"


def _contains(of: Valued, value: Any, scope: Scope) -> str:
    return f"(positionCaseInsensitiveUTF8(ifNull({of.text(scope.bind)}, ''), {scope.bind(value, 'String')}) > 0)"


def _matches(of: Valued, value: Any, scope: Scope) -> str:
    return f"match(ifNull({of.text(scope.bind)}, ''), {scope.bind(value, 'String')})"


def _compares(sign: str) -> _Test:
    return lambda of, value, scope: (
        f"ifNull({of.number(scope.bind)} {sign} {scope.bind(float(value), 'Float64')}, false)"
    )


def _lies_between(of: Valued, value: Any, scope: Scope) -> str:
    low, high = (scope.bind(float(bound), "Float64") for bound in value)
    return f"ifNull({of.number(scope.bind)} between {low} and {high}, false)"


def _is_on_side(sign: str) -> _Test:
    def test(of: Valued, value: Any, scope: Scope) -> str:
        text = f"ifNull({of.text(scope.bind)}, '')"
        # Best effort takes a number for an instant too.
        found = f"if(match({text}, '^[0-9]{{4}}-[0-9]{{2}}-'), parseDateTime64BestEffortOrNull({text}, 3, 'UTC'), null)"
        offset = _offset_of(value)
        if isinstance(offset, _Days):
            # From the day's first instant on it is after.
            today = f"{_local_date(scope.now, scope)} + {offset.later}"
            return f"ifNull({_local_date(found, scope)} {'<' if sign == '<' else '>='} {today}, false)"
        if offset is not None:
            length = f"toIntervalMillisecond({scope.bind(offset, 'Int64')})"
            return f"ifNull({found} {sign} {scope.now} + {length}, false)"
        # What lies outside of ClickHouse's calendar it takes for its first or last instant.
        moment = _instant(value).replace(tzinfo=None).isoformat(" ", "milliseconds")
        return f"ifNull({found} {sign} toDateTime64({scope.bind(moment, 'String')}, 3, 'UTC'), false)"

    return test


@dataclass(frozen=True, slots=True)
class _Days:
    """So many days of the project's calendar after the present one."""

    later: int


_DAYS = {"yesterday": _Days(-1), "today": _Days(0), "tomorrow": _Days(1)}


def _offset_of(value: Any) -> int | _Days | None:
    """Return how far from the present instant a relative date lies, in milliseconds, or which day it is."""
    if not isinstance(value, str) or value in _DAYS:
        return _DAYS.get(str(value))
    if value == "now":
        return 0
    sign = {"-": -1, "+": 1}.get(value[:1])
    return None if sign is None else sign * duration_ms(value[1:])


def _local_date(instant: str, scope: Scope) -> str:
    """Return the day of the project's calendar; unlike a date's own function, a text takes the zone from a column."""
    return f"toDate32OrNull(substring(toString(toTimeZone({instant}, 'UTC'), {scope.timezone}), 1, 10))"


_QUIET = re2.Options()
# What somebody asks for belongs in no log.
_QUIET.log_errors = False
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
    "is_set": lambda of, _, scope: f"{of.text(scope.bind)} is not null",
    "is_not_set": lambda of, _, scope: f"{of.text(scope.bind)} is null",
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
        re2.compile(value, _QUIET)
    except re2.error as error:
        return f"wants a regular expression of RE2 ({error.args[0].decode(errors='replace')})"
    return None


def _misses_number(value: Any) -> str | None:
    return None if _is_number(value) else "wants a number"


def _misses_range(value: Any) -> str | None:
    fits = isinstance(value, list) and len(value) == 2 and all(_is_number(bound) for bound in value)  # noqa: PLR2004
    return None if fits and value[0] <= value[1] else "wants two numbers, [from, to]"


def _misses_instant(value: Any) -> str | None:
    try:
        if _offset_of(value) is None:
            _instant(value)
    except (ValueError, OverflowError):
        return "wants a date or an instant as in ISO 8601 (without an offset: UTC), or a relative one: today, -7d"
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

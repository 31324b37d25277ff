"""Which events of a project a stream shows: the conditions of insights, as far as one event can tell."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import msgspec
from msgspec import Raw
from pydantic import model_validator

from api.live.messages import Message, event_message
from core.events import LandedEvent
from core.insights.filters import Filter

_OPERATORS = frozenset({"is", "is_not", "is_set", "is_not_set"})
_COLUMNS = frozenset({"type", "country", "library", "group_type", "group_id"})
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode


class LiveFilter(Filter):
    """One condition on a property, or on a column that an event has when it comes in."""

    @model_validator(mode="after")
    def _is_known_when_it_comes_in(self) -> Self:
        if self.operator not in _OPERATORS:
            raise ValueError(f"a stream knows {', '.join(sorted(_OPERATORS))}, not {self.operator}")
        if self.trait is not None:
            raise ValueError("a stream does not know the person's traits: give property or column")
        if self.column is not None and self.column not in _COLUMNS:
            raise ValueError(
                f"{self.column} is not known when an event comes in; {', '.join(sorted(_COLUMNS))} are, and properties"
            )
        return self

    def holds(self, arrival: "Arrival") -> bool:
        """Say whether it holds for an event."""
        value = arrival.value(self)
        match self.operator:
            case "is_set":
                return value is not None
            case "is_not_set":
                return value is None
            case "is_not":
                return not self._equals(value)
            case _:
                return self._equals(value)

    def _equals(self, value: Any) -> bool:
        wanted: list[Any] = self.value if isinstance(self.value, list) else [self.value]
        return value is not None and any(_is_same(value, each) for each in wanted)


class Arrival:
    """An event that came in, and what is made of it at most once, however many look at it."""

    def __init__(self, place: str, event: LandedEvent, arrived_at: float) -> None:
        self.place = place
        self.event = event
        self.arrived_at = arrived_at

    @cached_property
    def message(self) -> Message:
        """The message that shows it."""
        return event_message(self.place, self.event)

    @cached_property
    def _properties(self) -> dict[str, Raw]:
        return _members(self.event.properties)

    def value(self, of: Filter) -> Any:
        """Return the value of a property or a column; None where it is missing, null or empty."""
        if of.column is not None:
            return getattr(self.event, of.column) or None
        names = of.property if isinstance(of.property, list) else [str(of.property)]
        members, found = self._properties, None
        for name in names:
            found = members.get(name)
            if found is None:
                return None
            members = _members(found)
        try:
            value: Any = msgspec.json.decode(found or b"null")
        except msgspec.DecodeError:
            # A number that no float holds.
            return None
        return None if value == "" else value


Condition = Callable[[Arrival], bool]


def _members(value: Raw) -> dict[str, Raw]:
    try:
        return _decode_object(value)
    except msgspec.MsgspecError:
        return {}


def _is_same(value: Any, wanted: Any) -> bool:
    """Compare as insights do: a number with what reads as one, anything else as text."""
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        return _number(value) == wanted
    return _text(value) == (_text(wanted))


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) else None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None

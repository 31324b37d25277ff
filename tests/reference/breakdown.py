"""The lines of a breakdown: values by rank, and the rest as one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Line(Generic[T]):
    """One value with what has it; `value` is '' in a question without a breakdown."""

    rank: int
    is_other: bool
    value: str
    members: Sequence[T]


def lines(
    members: Iterable[T], value: Callable[[T], str] | None, counts: Callable[[T], bool], top: int
) -> list[Line[T]]:
    """Rank values by how many of their members count; equal ones by their text, the missing one ('') last."""
    everything = list(members)
    if value is None:
        return [Line(1, is_other=False, value="", members=everything)]
    by_value: dict[str, list[T]] = {}
    for member in everything:
        by_value.setdefault(value(member), []).append(member)

    def place(of: str) -> tuple[int, bool, str]:
        return -sum(counts(member) for member in by_value[of]), of == "", of

    ranked = sorted(by_value, key=place)
    found = [
        Line(rank, is_other=False, value=of or "(none)", members=by_value[of])
        for rank, of in enumerate(ranked[:top], start=1)
    ]
    rest = [member for of in ranked[top:] for member in by_value[of]]
    return [*found, Line(top + 1, is_other=True, value="(other)", members=rest)] if rest else found

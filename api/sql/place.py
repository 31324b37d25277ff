"""Where in a statement something stands."""

from typing import NamedTuple


class Place(NamedTuple):
    """Line and column of the caller's text, both from 1."""

    line: int
    column: int

    @classmethod
    def at(cls, text: str, index: int) -> "Place":
        """Return the place of a character."""
        before = text[:index]
        return cls(before.count("\n") + 1, index - before.rfind("\n"))

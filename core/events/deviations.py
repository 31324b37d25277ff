"""How it is said that an event does not fit its schema: the same words in the landing tables and in reports.

A deviation is a JSON pointer and the keyword that does not hold, as `/items/3/sku type`. No value of an event is in it.
"""

import re
from typing import NamedTuple

import msgspec

OPAQUE_NAME = r"@|\d{5,}|^\d+$|^[0-9a-fA-F\-]{16,}$|^.{101,}$"
"""What the name of a member looks like that is data itself, such as an id or an e-mail address; for RE2 and Python."""
_DETAIL = re.compile(r'does not fit version (\d+) of the schema of ("(?:[^"\\]|\\.)*"): (.*)', re.DOTALL)
_BETWEEN = re.compile(r", (?=/)")
_INDEX = re.compile(r"/\d+(?=[/ ])")


class Violation(NamedTuple):
    """What is said of an event that was refused because of a schema."""

    version: int
    event: str
    deviations: list[str]


def describe(version: int, event: str, deviations: list[str]) -> str:
    """Return the sentence that stands in `raw.rejects.detail`.

    >>> describe(3, "buy", ["/amount type"])
    'does not fit version 3 of the schema of "buy": /amount type'
    """
    return f"does not fit version {version} of the schema of {msgspec.json.encode(event).decode()}: " + ", ".join(
        deviations
    )


def parse(detail: str) -> Violation | None:
    """Return what a sentence of `describe` says; None for any other."""
    found = _DETAIL.match(detail)
    if found is None:
        return None
    said = found[3].partition(" (")[0]
    return Violation(int(found[1]), msgspec.json.decode(found[2], type=str), _BETWEEN.split(said))


def generalise(deviation: str) -> str:
    """Return a deviation with `*` for the places in lists, so that equal ones can be counted together.

    >>> generalise("/items/3/sku type")
    '/items/*/sku type'
    """
    return _INDEX.sub("/*", deviation)

"""How much one event may hold, so that everything after the collector can read it."""

import re
from dataclasses import dataclass

from core.events import RejectReason

# Strings as a whole, so that what stands in them is not taken for structure.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}:]', re.DOTALL)
_LEAST_MEMBER = len('"":0,')
_MOST_BYTES_PER_CHARACTER = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one event may hold."""

    event_bytes: int = 32 * 1024
    depth: int = 32
    """Levels of objects and lists within properties, traits or context, these included."""
    members: int = 2_000
    """Members of all objects within properties, traits or context."""
    text_bytes: int = 16 * 1024
    """Bytes of one text within them, as it stands in JSON."""

    def exceeded(self, json: str) -> tuple[RejectReason, str] | None:
        """Say in which way a JSON value holds more than it may; None when it does not."""
        # Counting characters costs a tenth of reading them, and clears all but a few.
        if (
            len(json) * (1 if json.isascii() else _MOST_BYTES_PER_CHARACTER) <= self.text_bytes
            and (len(json) <= self.members * _LEAST_MEMBER or json.count(":") <= self.members)
            and json.count("{") + (json.count("[") if "[" in json else 0) <= self.depth
        ):
            return None
        return self._exceeded(json)

    def _exceeded(self, json: str) -> tuple[RejectReason, str] | None:
        depth = members = 0
        for token in _STRUCTURE.finditer(json):
            match json[token.start()]:
                case "{" | "[":
                    depth += 1
                    if depth > self.depth:
                        return RejectReason.NESTED_TOO_DEEP, f"more than {self.depth} levels of objects and lists"
                case "}" | "]":
                    depth -= 1
                case ":":
                    members += 1
                    if members > self.members:
                        return RejectReason.TOO_MANY_MEMBERS, f"more than {self.members} members"
                case _:
                    size = len(token.group().encode()) - len('""')
                    if size > self.text_bytes:
                        return RejectReason.TEXT_TOO_LONG, f"a text of {size} bytes; {self.text_bytes} are allowed"
        return None


DEFAULT_LIMITS = Limits()

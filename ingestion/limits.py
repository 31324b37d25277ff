"""How much one event may hold, so that everything after the collector can read it."""

import re
from dataclasses import dataclass

from msgspec import Raw

from core.events import RejectReason

# Strings as a whole, so that what stands in them is not taken for structure.
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}:]', re.DOTALL)


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

    def exceeded(self, value: Raw) -> tuple[RejectReason, str] | None:
        """Say in which way the JSON `value` holds more than it may; None when it does not."""
        json = bytes(value)
        # Counting bytes costs a tenth of reading them, and clears all but a few.
        if (
            len(json) <= self.text_bytes
            and json.count(b"{") + json.count(b"[") <= self.depth
            and json.count(b":") <= self.members
        ):
            return None
        return self._exceeded(json)

    def _exceeded(self, json: bytes) -> tuple[RejectReason, str] | None:
        depth = members = 0
        for token in _STRUCTURE.finditer(json):
            match json[token.start() : token.start() + 1]:
                case b"{" | b"[":
                    depth += 1
                    if depth > self.depth:
                        return RejectReason.NESTED_TOO_DEEP, f"more than {self.depth} levels of objects and lists"
                case b"}" | b"]":
                    depth -= 1
                case b":":
                    members += 1
                    if members > self.members:
                        return RejectReason.TOO_MANY_MEMBERS, f"more than {self.members} members"
                case _:
                    size = token.end() - token.start() - 2
                    if size > self.text_bytes:
                        return RejectReason.TEXT_TOO_LONG, f"a text of {size} bytes; {self.text_bytes} are allowed"
        return None


DEFAULT_LIMITS = Limits()

"""Under which paths the operator wants the protocols to be served."""

import re
from dataclasses import dataclass

EVERY_PROTOCOL = "any"
"""What stands for the paths without a prefix, on which the protocol is known by what a request holds."""
PROTOCOLS = ("amplitude", "mixpanel", "posthog", "rudderstack", "segment", "snowplow")
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


@dataclass(frozen=True, slots=True)
class Prefixes:
    """By protocol the prefixes that the operator chose, and whether the well-known paths are served as well."""

    chosen: tuple[tuple[str, str], ...] = ()
    """Protocol and prefix."""
    are_well_known_served: bool = True

    def of(self, protocol: str) -> list[str]:
        """Return every prefix of a protocol."""
        own = [prefix for name, prefix in self.chosen if name == protocol]
        if self.are_well_known_served:
            own.append("" if protocol == EVERY_PROTOCOL else f"/{protocol}")
        return own


def parse_prefixes(text: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of protocol and prefix in a text such as `segment=/s1,posthog=/ph`.

    Raises ValueError, which says what is wrong with it.
    """
    pairs: list[tuple[str, str]] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        protocol, _, prefix = (side.strip() for side in part.partition("="))
        if protocol not in {*PROTOCOLS, EVERY_PROTOCOL}:
            raise ValueError(f"{protocol!r} is none of {', '.join(PROTOCOLS)} and {EVERY_PROTOCOL}")
        if not _PATH.fullmatch(prefix):
            raise ValueError(f"{prefix!r} is no path such as /data or /assets/d1: letters, digits, -, _, ~ and dots")
        pairs.append((protocol, prefix))
    return tuple(pairs)

"""What collectors and the read API say to each other, by way of Valkey, about events that were just acknowledged.

They publish and store nothing: Valkey writes what it stores to a file, where an event would outlive its erasure.
"""

import msgspec
from msgspec import Struct

from core.events import LandedEvent

COLLECTORS = "radixinsight:live:collectors"
"""Channel of the collectors' own state."""
EVERY_CHANNEL = "radixinsight:live:*"
LOOK_EVERY_S = 0.25
"""How often collectors look who listens: what they acknowledge that long after somebody began is published."""
BEAT_EVERY_S = 2.0
"""How often a collector tells how it is, while somebody listens."""
_PROJECT = "radixinsight:live:project:"


class Header(Struct, frozen=True, array_like=True):
    """What stands before the events of a publication."""

    collector: str
    """Names the collector's process."""
    before: int
    """How many of the project's events this collector had before the first of these, counted from some number on. Where
    it is more than it had after the publication before, those between were left out, or got lost on the way."""


class Beat(Struct, frozen=True):
    """How a collector is."""

    collector: str
    oldest_unshipped_s: float
    """Age of the oldest segment that ClickHouse does not have."""


_decode_header = msgspec.json.Decoder(Header).decode
_decode_events = msgspec.json.Decoder(LandedEvent).decode_lines
_decode_beat = msgspec.json.Decoder(Beat).decode


def channel_of(project_id: int) -> str:
    """Return the channel of a project's events."""
    return f"{_PROJECT}{project_id}"


def project_of(channel: str) -> int | None:
    """Return whose events a channel carries; None for a channel of anything else."""
    number = channel.removeprefix(_PROJECT)
    return int(number) if number != channel and number.isascii() and number.isdecimal() else None


def pack(header: Header, lines: list[bytes]) -> bytes:
    """Return a publication with these events, each encoded as JSON."""
    return b"\n".join([msgspec.json.encode(header), *lines])


def unpack(publication: bytes) -> tuple[Header, list[LandedEvent]]:
    """Return what a publication says; raises `msgspec.MsgspecError` for what is none."""
    header, _, lines = publication.partition(b"\n")
    return _decode_header(header), _decode_events(lines)


def pack_beat(beat: Beat) -> bytes:
    """Return a beat as it is published."""
    return msgspec.json.encode(beat)


def unpack_beat(publication: bytes) -> Beat:
    """Return what a beat says; raises `msgspec.MsgspecError` for what is none."""
    return _decode_beat(publication)

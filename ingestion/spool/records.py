"""The records that a segment file is made of.

A record is a header and a payload: JSON lines for one table. The header says what it is, how long, and the payload's
CRC-32, so that a record torn by a crash or rotten on disk is noticed.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_MAGIC = b"RXS1"
_HEADER = struct.Struct("<4sBIII")  # magic, kind, rows, length, CRC-32 of what stands before it and of the payload
_CHECKED = struct.Struct("<4sBII")
HEADER_BYTES = _HEADER.size


class Kind(IntEnum):
    """Which table a record's lines are for."""

    EVENTS = 1
    REJECTS = 2
    ACKNOWLEDGED = 3
    """Not in segments, but in the ledger beside them."""


@dataclass(frozen=True, slots=True)
class Record:
    """One readable record: `rows` lines, each ended by a newline."""

    kind: Kind
    rows: int
    payload: memoryview


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a segment that cannot be read."""

    offset: int
    length: int


def frame(kind: Kind, rows: int, payload: bytes) -> bytes:
    """Return the header of a record with this payload."""
    checked = _CHECKED.pack(_MAGIC, kind, rows, len(payload))
    return checked + zlib.crc32(payload, zlib.crc32(checked)).to_bytes(4, "little")


def scan(segment: bytes) -> Iterator[Record | Damage]:
    """Yield the records of a segment in order, and where it cannot be read, how much of it.

    After damage it goes on at the next record that checks out.
    """
    view = memoryview(segment)
    offset = 0
    while offset < len(segment):
        record = _read(view, offset)
        if record is not None:
            yield record
            offset += HEADER_BYTES + len(record.payload)
            continue
        resumed = segment.find(_MAGIC, offset + 1)
        while resumed != -1 and _read(view, resumed) is None:
            resumed = segment.find(_MAGIC, resumed + 1)
        end = len(segment) if resumed == -1 else resumed
        yield Damage(offset, end - offset)
        offset = end


def _read(view: memoryview, offset: int) -> Record | None:
    if offset + HEADER_BYTES > len(view):
        return None
    magic, kind, rows, length, crc = _HEADER.unpack_from(view, offset)
    start = offset + HEADER_BYTES
    if magic != _MAGIC or start + length > len(view) or kind not in Kind.__members__.values():
        return None
    payload = view[start : start + length]
    if zlib.crc32(payload, zlib.crc32(view[offset : offset + _CHECKED.size])) != crc:
        return None
    return Record(Kind(kind), rows, payload)

"""What a collector acknowledged, counted apart from the segments that hold it.

`<data>/ledger/<ledger>/` belongs to one collector process, as its directory in the spool does, and has a page for every
segment, of the same name. The pages are numbered without a gap, so that a page that is lost is missed; and a segment
that is lost, or not all there, is missed by its page.

An entry is written after its events are durable and before they are acknowledged: what it counts must land. It is not
synced with them. It outlives its process without that, and where the machine itself dies the events of a segment that
was open are counted from the segment (`ingestion/shipper/ledger.py`). So it costs a write of 60 bytes for every fsync.
"""

import contextlib
import os
from collections import Counter
from pathlib import Path

import msgspec

from ingestion.spool.directory import ADOPTED, OPEN, SEALED, WriterDirectory, sync_directory
from ingestion.spool.records import Damage, Kind, frame, scan


class Tally(Counter[tuple[int, Kind]]):
    """How many rows, by project and kind."""


class _Entry(msgspec.Struct, array_like=True):
    page: int
    rows: list[tuple[int, Kind, int]]
    """Project, kind and number."""


class Ledger:
    """One process's ledger, locked for as long as `close` is not called and the process lives.

    The pages of a shipper's have the number 0: they tell what it found in segments, not what was acknowledged.
    """

    def __init__(self, root: Path, *, is_numbered: bool = True) -> None:
        self._directory = WriterDirectory.create(root)
        self._is_numbered = is_numbered
        self.pages = 0
        """How many numbered pages were begun."""

    def page(self, batch_id: str) -> "Page":
        """Return the page of a segment."""
        return Page(self, self._directory.path, batch_id)

    @property
    def next_number(self) -> int:
        """What the page that is begun next is numbered with."""
        return self.pages + 1 if self._is_numbered else 0

    def close(self) -> None:
        """Leave the pages to the shipper."""
        self._directory.close()


class Page:
    """What was acknowledged of one segment. Blocking, as the segment is."""

    def __init__(self, ledger: Ledger, directory: Path, batch_id: str) -> None:
        self._ledger = ledger
        self._path = directory / f"{batch_id}{OPEN}"
        self._number = 0
        self._handle = -1
        self._size = 0
        self._is_synced = False
        self._unwritten = Tally()

    def note(self, tally: Tally) -> None:
        """Count rows that are durable.

        A disk that refuses it must not refuse the events: what could not be written is kept for the next time.
        """
        self._unwritten.update(tally)
        self._is_synced = False
        with contextlib.suppress(OSError):
            self._write()

    def sync(self) -> None:
        """Make the page durable; raise `OSError` when it cannot be."""
        if self._unwritten:
            self._write()
        if self._handle != -1:
            os.fdatasync(self._handle)
            sync_directory(self._path.parent)
        self._is_synced = True

    def seal(self) -> None:
        """Hand the page to the shipper, as a dead writer's if `sync` failed: it may end with half an entry then."""
        if self._handle != -1:
            os.close(self._handle)
            self._handle = -1
            # Otherwise the shipper takes it when this process is gone.
            with contextlib.suppress(OSError):
                if self._size:
                    self._path.rename(self._path.with_suffix(SEALED if self._is_synced else ADOPTED))
                else:
                    self._path.unlink()

    def _write(self) -> None:
        if self._handle == -1:
            self._handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        # A page that the disk refuses takes no number: the one after it would be missed.
        number = self._number or self._ledger.next_number
        entry = _Entry(number, [(project_id, kind, rows) for (project_id, kind), rows in self._unwritten.items()])
        payload = msgspec.json.encode(entry)
        data = frame(Kind.ACKNOWLEDGED, len(entry.rows), payload) + payload
        # At its place, so that half a record of a full disk is written over.
        if os.pwrite(self._handle, data, self._size) < len(data):
            raise OSError("the disk took half of it")
        if not self._number:
            self._number = self._ledger.pages = number
        self._size += len(data)
        self._unwritten.clear()


def read_page(path: Path) -> tuple[int, Tally, int]:
    """Return a page's number, what it counts, and how many of its bytes cannot be read."""
    number, tally, damaged = 0, Tally(), 0
    for record in scan(path.read_bytes()):
        if isinstance(record, Damage):
            damaged += record.length
        else:
            entry = msgspec.json.decode(record.payload, type=_Entry)
            number = entry.page
            for project_id, kind, rows in entry.rows:
                tally[project_id, kind] += rows
    return number, tally, damaged

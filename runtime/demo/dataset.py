"""The demo's data: six months of a shop's clickstream, moved so that it ends now.

The rows are `retentioneering`'s (Apache-2.0): 31,106 events of 600 users and 19 event names, in 3,605 sessions, with
platform, acquisition channel and cohort, January to June 2024. The package is only the carrier: it isn't imported.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, distribution

import msgspec

from runtime.errors import OperationError

FUNNEL_STEPS = ("catalog", "product_view", "add_to_cart", "cart", "purchase")
MESSAGE_ID_PREFIX = "ecom-"
_FILE = "retentioneering/datasets/ecom.csv.gz"
_PROPERTIES = ("platform", "acquisition_channel", "user_cohort", "user_lifecycle")
# Copies are other users at other times; within two weeks, so that the shape of the six months stays.
_COPY_SHIFT_S = 977
_COPY_SHIFT_LIMIT_S = 14 * 24 * 3600


class DemoEvent(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One event as the collector takes it; encode it with `msgspec.json`. `timestamp` is UTC, whole seconds."""

    type: str = "track"
    event: str
    message_id: str
    user_id: str
    session_id: str
    timestamp: datetime
    properties: dict[str, str]


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the file. `index` counts in the order of time, rows of equal time in the file's order."""

    index: int
    user_id: str
    session_id: str
    event: str
    timestamp: datetime
    properties: dict[str, str]


def read_rows() -> list[SourceRow]:
    """Read the data set, in the order of time; timestamps as they are, taken for UTC.

    Raises OperationError when the package that carries it isn't installed.
    """
    try:
        path = distribution("retentioneering").locate_file(_FILE)
        content = gzip.decompress(path.read_bytes())  # pyright: ignore[reportAttributeAccessIssue] - a pathlib.Path
    except (PackageNotFoundError, FileNotFoundError) as error:
        raise OperationError("The demo's data set is not installed: it comes with `make .venv/installed`.") from error
    parsed: list[dict[str, str]] = list(csv.DictReader(io.StringIO(content.decode())))
    parsed.sort(key=lambda row: row["timestamp"])
    return [
        SourceRow(
            index=index,
            user_id=row["user_id"],
            session_id=row["session_id"],
            event=row["event"],
            timestamp=datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC),
            properties={name: row[name] for name in _PROPERTIES},
        )
        for index, row in enumerate(parsed)
    ]


class DemoData:
    """The data set, replicated to any number of rows and moved so that its last event happens at `ends_at`.

    The first copy is the data set itself; further ones have users, sessions and message ids of their own and lie up to
    two weeks earlier. The same arguments give the same events, so that sending them again changes nothing.
    """

    def __init__(self, ends_at: datetime, rows: int | None = None) -> None:
        self._source = read_rows()
        self._shift = ends_at.replace(microsecond=0) - self._source[-1].timestamp
        self.rows = len(self._source) if rows is None else rows

    def __len__(self) -> int:
        """Return the number of events."""
        return self.rows

    def events(self, stream: int = 0, streams: int = 1) -> Iterator[DemoEvent]:
        """Yield the events copy by copy, each in the order of time.

        With `streams`, yield one of that many disjoint parts; all events of a user are in the same one, because their
        order is what has to be kept.
        """
        size = len(self._source)
        for copy in range(-(-self.rows // size)):
            left = self.rows - copy * size
            # A part of the data set is its newest part: it is what ends now.
            rows = self._source[-left:] if left < size and copy == 0 else self._source[:left]
            yield from self._copy(copy, rows, stream, streams)

    def _copy(self, copy: int, rows: list[SourceRow], stream: int, streams: int) -> Iterator[DemoEvent]:
        suffix = f"-{copy}" if copy else ""
        shift = self._shift - timedelta(seconds=copy * _COPY_SHIFT_S % _COPY_SHIFT_LIMIT_S)
        for row in rows:
            if streams > 1 and int(row.user_id[-4:]) % streams != stream:
                continue
            yield DemoEvent(
                event=row.event,
                message_id=f"{MESSAGE_ID_PREFIX}{row.index:05d}{suffix}",
                user_id=row.user_id + suffix,
                session_id=row.session_id + suffix,
                timestamp=row.timestamp + shift,
                properties=row.properties,
            )

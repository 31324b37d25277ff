"""Cuts what landed since the last look into pieces that are small enough to be looked at in one query."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

_MOST_DELIVERIES = 500_000
# Only the column inserted_at is read, and by its index only where it is recent.
_BY_MINUTE = """
select toStartOfMinute(inserted_at) as minute, count() as deliveries
from {landing:Identifier}.events
where inserted_at >= {from:DateTime64(3, 'UTC')} and inserted_at < {until:DateTime64(3, 'UTC')}
group by minute
order by minute
"""


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of `inserted_at` (UTC) and the number of rows in it."""

    start: datetime
    until: datetime
    deliveries: int

    @property
    def bound(self) -> dict[str, object]:
        """Return it as query parameters `from` and `until`."""
        return {"from": milliseconds(self.start), "until": milliseconds(self.until)}


def find_windows(client: Client, landing: str, start: datetime, until: datetime) -> Iterator[Window]:
    """Yield windows that follow each other from `start` to `until`, of about half a million rows or one minute each."""
    if until <= start:
        return
    bound = {"landing": landing} | Window(start, until, 0).bound
    begin, deliveries = start, 0
    for minute, count in client.query(_BY_MINUTE, parameters=bound).result_rows:
        at = minute.replace(tzinfo=UTC)
        if deliveries and deliveries + count > _MOST_DELIVERIES:
            yield Window(begin, at, deliveries)
            begin, deliveries = at, 0
        deliveries += count
    # Although nothing may have landed in it: something may have been refused.
    yield Window(begin, until, deliveries)


def milliseconds(instant: datetime) -> str:
    """Return an instant as ClickHouse reads it: bound as it is, the client would cut it to whole seconds."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{instant.microsecond // 1000:03}"

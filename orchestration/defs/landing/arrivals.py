"""What can be said about the landing table without reading it all: how much arrived, and when."""

from dataclasses import dataclass
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

# ClickHouse keeps the row count of every part: the unfiltered count reads nothing. The instants are read from one
# column in the newest rows only.
_EVENTS = "select count() from {landing:Identifier}.events"
_LATEST = """
select
    count() as events,
    uniqExact(project_id) as projects,
    max(received_at) as latest_received_at,
    max(inserted_at) as latest_inserted_at
from {landing:Identifier}.events
where received_at >= now64(3) - interval 1 day and protocol != 'canary'
"""
_REJECTS = """
select count()
from {landing:Identifier}.rejects
where received_at >= now64(3) - interval 1 day
"""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """State of `<landing>.events`; the last day is the 24 hours before now. Instants are UTC, None when none."""

    events: int
    events_last_day: int
    rejects_last_day: int
    projects_last_day: int
    latest_received_at: datetime | None
    latest_inserted_at: datetime | None

    @property
    def data_version(self) -> str:
        """Return a text that changes whenever the table does: inserts add rows, erasure removes some."""
        inserted_ms = round(self.latest_inserted_at.timestamp() * 1000) if self.latest_inserted_at else 0
        return f"{self.events}-{inserted_ms}"


def observe_arrivals(client: Client, landing: str) -> Arrivals:
    """Look at the landing tables of the database `landing`."""
    bound = {"landing": landing}
    events = client.query(_EVENTS, parameters=bound).result_rows[0][0]
    last_day, projects, received_at, inserted_at = client.query(_LATEST, parameters=bound).result_rows[0]
    rejects = client.query(_REJECTS, parameters=bound).result_rows[0][0]
    return Arrivals(
        events=events,
        events_last_day=last_day,
        rejects_last_day=rejects,
        projects_last_day=projects,
        latest_received_at=received_at.astimezone(UTC) if last_day else None,
        latest_inserted_at=inserted_at.astimezone(UTC) if last_day else None,
    )

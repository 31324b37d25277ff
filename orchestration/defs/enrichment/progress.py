"""How far enrichment has come through the landed events, by `inserted_at`: the table `enrichment.progress`.

What comes later starts there, so that a run costs as much as there is new, however long the history is.
"""

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from core.clock import utc_now

ALL_PROJECTS = 0
"""Instead of a project: no event of any project that came earlier is left to do."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# As for the scan for personal data: an insert is seen when it ends, up to two minutes after the instant in its rows.
# What is looked at twice changes nothing.
OVERLAP = timedelta(minutes=10)

_NOW = "select now64(3, 'UTC')"
_PROGRESS = """
select project_id, processed_until
from {enrichment:Identifier}.progress final
where processor = {processor:String} and version = {version:String}
"""
_COLUMNS = ["project_id", "processor", "version", "processed_until", "updated_at"]


def now(client: Client) -> datetime:
    """Return the instant by the clock that also sets `inserted_at`."""
    return client.query(_NOW).result_rows[0][0]


def read_progress(client: Client, enrichment: str, processor: str, version: str) -> dict[int, datetime]:
    """Return by project before which `inserted_at` nothing is left to do in this version."""
    bound = {"enrichment": enrichment, "processor": processor, "version": version}
    rows = client.query(_PROGRESS, parameters=bound).result_rows
    return {int(project_id): processed_until for project_id, processed_until in rows}


def write_progress(
    client: Client, enrichment: str, processor: str, version: str, until: datetime, *, project_id: int = ALL_PROJECTS
) -> None:
    """Remember that nothing before `until` is left to do; what was remembered of another version is forgotten."""
    row = (project_id, processor, version, until, utc_now())
    client.insert("progress", [row], column_names=_COLUMNS, database=enrichment)

"""Landing tables of a test's own, and the dbt project run over them."""

import json
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from clickhouse_connect.driver.client import Client

from engine.dbt_runs import PROJECT, run_dbt
from engine.event_table import json_instant
from reference.events import Event
from runtime.instance import Instance

MODELS = ("build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
"""Arguments to dbt that make the models and the seeds, which `run` leaves out, without testing them."""
_LAYERS = ("staging", "intermediate", "marts")
_TABLES = {"raw": ("events", "projects", "backfills"), "enrichment": ("user_agents", "addresses", "custom", "progress")}


@dataclass(frozen=True)
class Landing:
    """A `raw` database and three model databases, all with one prefix."""

    client: Client
    prefix: str
    variables: dict[str, str]
    directory: Path
    project: Path = PROJECT

    def deliver(self, project_id: int, events: Iterable[Event], *, inserted_at: datetime) -> None:
        """Put deliveries of a project into the landing table."""
        rows: list[dict[str, object]] = [
            {
                "project_id": project_id,
                "message_id": event.message_id,
                "type": event.type,
                "event": event.event,
                "anonymous_id": event.anonymous_id,
                "user_id": event.user_id,
                "previous_id": event.previous_id,
                "session_id": event.session_id,
                "timestamp": json_instant(event.timestamp),
                "received_at": json_instant(event.received_at),
                "sequence": event.sequence,
                "group_type": event.group_type,
                "group_id": event.group_id,
                "properties": event.properties,
                "traits": event.traits,
                "traits_once": event.traits_once,
                "traits_increment": event.traits_increment,
                "context": event.context,
                "ip": event.ip,
                "user_agent": event.user_agent,
                "country": event.country,
                "library": event.library,
                "batch_id": event.batch_id,
                "inserted_at": json_instant(inserted_at),
            }
            for event in events
        ]
        self._insert("events", rows)

    def land(self, *rows: dict[str, object]) -> None:
        """Put rows into the landing table of events as they are."""
        self._insert("events", list(rows))

    def set_project(
        self,
        project_id: int,
        *,
        timezone: str,
        session_gap_minutes: int = 30,
        week_start: int = 1,
        updated_at: datetime = datetime(2024, 1, 1, tzinfo=UTC),
    ) -> None:
        """Put a project's settings into the landing table."""
        row: dict[str, object] = {
            "project_id": project_id,
            "name": f"project {project_id}",
            "timezone": timezone,
            "week_start": week_start,
            "session_gap_minutes": session_gap_minutes,
            "updated_at": json_instant(updated_at),
        }
        self._insert("projects", [row])

    def look_up(self, table: str, *rows: Mapping[str, object]) -> None:
        """Put what enrichment says of user agents, or of addresses."""
        lines = "\n".join(json.dumps(row) for row in rows)
        self.client.raw_insert(f"{self.prefix}enrichment.{table}", insert_block=lines, fmt="JSONEachRow")

    def request_backfill(self, days: Iterable[date]) -> None:
        """Ask for the events of UTC days to be made anew."""
        self._insert("backfills", [{"day": str(day), "requested_at": json_instant(datetime.now(UTC))} for day in days])

    def erase(self, project_id: int, name: str) -> None:
        """Delete every landed event that names a user or a device."""
        condition = "project_id = {project_id:UInt32} and (user_id = {name:String} or anonymous_id = {name:String})"
        self.client.command(
            f"delete from {self.prefix}raw.events where {condition}",
            parameters={"project_id": project_id, "name": name},
        )

    def dbt(self, *arguments: str) -> None:
        """Run dbt over the project; raises `AssertionError` with its output when it fails."""
        trouble = run_dbt(arguments, directory=self.directory, variables=self.variables, project=self.project)
        assert not trouble, trouble

    def table(self, name: str) -> str:
        """Return the address of a model of this landing, given as `layer.model`."""
        return self.prefix + name

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Query; `{marts}` and the other layers in the text stand for this landing's databases."""
        databases = {layer: self.prefix + layer for layer in (*_LAYERS, *_TABLES)}
        return [tuple(row) for row in self.client.query(sql.format(**databases)).result_rows]

    def _insert(self, table: str, rows: list[dict[str, object]]) -> None:
        if rows:
            lines = "\n".join(json.dumps(row) for row in rows)
            self.client.raw_insert(f"{self.prefix}raw.{table}", insert_block=lines, fmt="JSONEachRow")


@contextmanager
def landing(runtime: Instance, client: Client) -> Generator[Landing]:
    """Create empty landing tables like the migrated ones; drop them and what was modelled from them in the end.

    dbt parses the project anew for databases of another name, which takes longer than to run it: each worker of the
    tests has one name, and beside it the directory in which dbt keeps what it parsed.
    """
    prefix = f"models_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}_"
    parsed = Path(os.environ["RADIXINSIGHT_TEST_ROOT"]) / f"dbt_{prefix}"
    for database, tables in _TABLES.items():
        client.command(f"create database {prefix}{database}")
        for table in tables:
            client.command(f"create table {prefix}{database}.{table} as {database}.{table}")
    variables = runtime.variables | {
        "RADIXINSIGHT_DBT_PREFIX": prefix,
        "RADIXINSIGHT_DBT_RAW": f"{prefix}raw",
        "RADIXINSIGHT_DBT_ENRICHMENT": f"{prefix}enrichment",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    try:
        yield Landing(client, prefix, variables, parsed)
    finally:
        for database in (*_TABLES, *_LAYERS):
            client.command(f"drop database if exists {prefix}{database}")

"""Databases of a test's own for the reconciliation: models that can be made without dbt, and the result."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from governance.quality import Databases, ProjectDay, reconcile

_STAGED = "project_id, message_id, received_at, sequence, batch_id, inserted_at"


@dataclass(frozen=True)
class Books:
    """What a reconciliation of one project reads and writes."""

    client: Client
    databases: Databases

    def model(self, project_id: int) -> None:
        """Build the staging model of a project anew, as dbt would."""
        staged, landing = f"{self.databases.staging}.stg_collector__events", self.databases.landing
        self.client.command(f"delete from {staged} where project_id = {project_id}")
        self.client.command(
            f"insert into {staged} select {_STAGED} from {landing}.events"
            f" where project_id = {project_id} and protocol != 'canary'"
            " order by received_at, sequence, batch_id limit 1 by message_id"
        )

    def today(self, project_id: int, *, settled_after: timedelta = timedelta(minutes=30)) -> ProjectDay:
        """Reconcile today and return what it says of a project."""
        rows = reconcile(self.client, utc_now().date(), databases=self.databases, settled_after=settled_after)
        return next(row for row in rows if row.project_id == project_id)


@contextmanager
def books(client: Client, landing: str = "raw") -> Generator[Books]:
    """Make a staging and a governance database beside a landing one; drop them in the end."""
    prefix = f"books_{os.urandom(6).hex()}_"
    databases = Databases(landing, f"{prefix}staging", f"{prefix}governance")
    client.command(f"create database {databases.staging}")
    client.command(f"create database {databases.governance}")
    client.command(
        f"create table {databases.staging}.stg_collector__events engine = MergeTree order by (project_id, received_at)"
        f" as select {_STAGED} from raw.events where false"
    )
    client.command(f"create table {databases.governance}.reconciliation as governance.reconciliation")
    try:
        yield Books(client, databases)
    finally:
        client.command(f"drop database {databases.staging}")
        client.command(f"drop database {databases.governance}")

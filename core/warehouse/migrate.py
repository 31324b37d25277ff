"""Brings ClickHouse to the newest schema: numbered SQL files, applied once, checked by hash.

A file is named `NNNN_what_it_does.sql` and holds one or more statements. Two placeholders let the same file serve one
server and a cluster: `${on_cluster}` stands after the object's name, `${replicated}` before the engine's
(`engine = ${replicated}MergeTree`). Statements are idempotent (`if not exists`), because ClickHouse has no
transaction around them: a file whose third statement failed is run again from its first.

Files are applied by the clickhouse-migrations library, which records them in `raw.schema_migrations`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clickhouse_connect.driver.client import Client
from clickhouse_migrations.connection import ClickhouseConnectConnection
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import (
    MIGRATION_LOG_FORMAT_COMPACT,
    STATUS_MD5_MISMATCH,
    STATUS_PENDING,
    STATUS_UNKNOWN,
    Migrator,
)

from core.errors import RadixError

MIGRATIONS = Path(__file__).parent / "migrations"
DATABASE = "raw"
_CLUSTER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class MigrationError(RadixError):
    """The schema cannot be brought to the newest version."""

    code: ClassVar[str] = "migration_failed"
    title: ClassVar[str] = "The database schema cannot be migrated"


@dataclass(frozen=True)
class Layout:
    """Whether the tables live on one server or, replicated, on every server of `cluster`."""

    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.cluster is not None and not _CLUSTER_NAME.fullmatch(self.cluster):
            raise MigrationError(f"{self.cluster!r} is not a cluster name.")

    @property
    def variables(self) -> dict[str, str]:
        """What the placeholders in the files stand for."""
        if self.cluster is None:
            return {"on_cluster": "", "replicated": ""}
        return {"on_cluster": f'on cluster "{self.cluster}"', "replicated": "Replicated"}


def migrate(
    client: Client, *, directory: Path = MIGRATIONS, database: str = DATABASE, layout: Layout | None = None
) -> list[str]:
    """Apply the files that are missing, in order of their number, and return their names.

    `database` holds the record of what was applied. Raises `MigrationError` when an applied file was changed or is
    gone, before anything is run. Not guarded against a second process by itself: `core.migrate` holds the lock.
    """
    layout = layout or Layout()
    storage = MigrationStorage(directory)
    names: dict[int, str] = storage.migration_filenames()
    on_cluster = layout.variables["on_cluster"]
    client.command(f"create database if not exists {database} {on_cluster}")
    migrator = Migrator(
        ClickhouseConnectConnection(client),
        migration_log_format=MIGRATION_LOG_FORMAT_COMPACT,
        migrations_table=f"{database}.schema_migrations",
    )
    migrator.init_schema(layout.cluster)
    migrations = storage.migrations()
    pending: list[str] = []
    for row in migrator.migration_status(migrations):
        if row.state == STATUS_MD5_MISMATCH:
            raise MigrationError(
                f"{names[row.version]} was changed after it was applied on {row.applied_at:%Y-%m-%d %H:%M} UTC. "
                "Restore the file and put the change into a new one with the next number."
            )
        if row.state == STATUS_UNKNOWN:
            raise MigrationError(
                f"Migration {row.version:04} was applied on {row.applied_at:%Y-%m-%d %H:%M} UTC, but its file is not "
                "here: this database was migrated by a newer version of RadixInsight."
            )
        if row.state == STATUS_PENDING:
            pending.append(names[row.version])
    if pending:
        migrator.apply_migration(migrations, multi_statement=True, variables=layout.variables, sources=names)
    return pending

"""`python -m core.migrate`: brings PostgreSQL and ClickHouse to the newest schema.

Safe to start in several processes at once: each waits for PostgreSQL's advisory lock, and whoever comes second finds
nothing left to do.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import structlog
from clickhouse_connect.driver.exceptions import OperationalError as ClickHouseUnreachable
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from core import metadata, warehouse
from core.errors import RadixError
from core.logging import configure
from core.metadata import migrate as metadata_migrations
from core.settings import MetadataSettings, WarehouseSettings
from core.warehouse import migrate as warehouse_migrations

# Any constant will do, as long as nothing else in this database locks the same one.
_LOCK = 0x7261646978
_logger = structlog.get_logger()


class MigrateSettings(WarehouseSettings, MetadataSettings):
    """What migrating needs."""


def migrate(clickhouse_url: str, database_url: str) -> list[str]:
    """Apply what is missing in both databases and return the names of the applied ClickHouse files.

    Raises `core.warehouse.migrate.MigrationError` when the record and the files disagree.
    """
    engine = metadata.connect(database_url)
    try:
        with advisory_lock(engine):
            metadata_migrations.migrate(engine)
            with warehouse.connect(clickhouse_url) as client:
                return warehouse_migrations.migrate(client)
    finally:
        engine.dispose()


@contextmanager
def advisory_lock(engine: Engine, lock: int = _LOCK) -> Generator[None]:
    """Hold PostgreSQL's advisory lock; wait for it first. It is released even when this process is killed."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": lock})
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": lock})


def main() -> int:
    """Migrate the databases that the environment names."""
    settings = MigrateSettings.read()
    configure("migrate", settings)
    try:
        applied = migrate(settings.clickhouse_url.get_secret_value(), settings.database_url.get_secret_value())
    except RadixError as error:
        _logger.error("migration_failed", code=error.code, detail=error.detail)  # noqa: TRY400 - the detail says it all
        return 1
    except (OperationalError, ClickHouseUnreachable, OSError) as error:
        reason = str(error).splitlines()[0]
        _logger.error("engine_unreachable", detail=reason, remedy="Start the engines: `radixinsight up`.")  # noqa: TRY400
        return 1
    _logger.info("migrated", applied=applied)
    return 0


if __name__ == "__main__":
    sys.exit(main())

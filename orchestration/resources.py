"""What assets work with. Addresses are read when a run starts; nothing connects before."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version as installed_version

import dagster as dg
from clickhouse_connect.driver.client import Client
from dagster_dbt import DbtCliResource
from packaging.version import Version
from sqlalchemy.orm import Session

from core import metadata, warehouse
from orchestration.dbt_manifest import connection_variables


class WarehouseResource(dg.ConfigurableResource[Client]):
    """ClickHouse, as the user that may read, write and create tables."""

    url: str

    @contextmanager
    def connect(self) -> Generator[Client]:
        """Lend a client; raises clickhouse_connect's `OperationalError` when the server is away."""
        with warehouse.connect(self.url) as client:
            yield client


class MetadataResource(dg.ConfigurableResource[Session]):
    """PostgreSQL with projects and keys."""

    url: str

    @contextmanager
    def session(self) -> Generator[Session]:
        """Lend a session; its changes are lost unless it is committed."""
        engine = metadata.connect(self.url)
        try:
            with Session(engine) as session:
                yield session
        finally:
            engine.dispose()


class DbtResource(DbtCliResource):
    """dbt with the address of ClickHouse in the variables that `profiles.yml` reads."""

    clickhouse_url: str

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Set the variables for dbt's own process and for its adapter in this one."""
        os.environ.update(connection_variables(self.clickhouse_url))
        os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
        super().setup_for_execution(context)

    @cached_property
    def _cli_version(self) -> Version:
        # dagster-dbt runs `dbt --version` for this in every run: 3 s of processor time for what pip knows.
        return Version(installed_version("dbt-core"))

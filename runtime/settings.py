"""Settings of the runtime on one machine: where things are kept, which ports, whose engines."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class RuntimeSettings(BaseSettings):
    """What `radixinsight` reads from the environment; its flags come before these.

    An engine whose address the operator sets is used as it is, and the embedded one is not started.
    """

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_", extra="ignore", frozen=True, populate_by_name=True)

    data_dir: Path = Field(
        default=Path(".radixinsight"),
        description="The one directory in which everything is kept on this machine.",
    )
    port_base: int = Field(
        default=7100,
        ge=1024,
        le=65000,
        description="First of the ports in use: +0 page and API, +1 collector, +2 Dagster, +3 ClickHouse, "
        "+4 PostgreSQL, +5 Valkey, +6 Dagster code server, +7 shipper, +8 consumer. All on loopback.",
    )
    start_timeout_s: float = Field(
        default=120.0, gt=0, description="How long a process may take to become ready before the start is given up."
    )
    clickhouse_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("CLICKHOUSE_URL", "RADIXINSIGHT_CLICKHOUSE_URL"),
        description="HTTP address of your own ClickHouse; unset: the embedded one is started.",
    )
    clickhouse_reader_url: SecretStr | None = Field(
        default=None,
        description="Address with a read-only user of your own ClickHouse, for the API; unset: `CLICKHOUSE_URL`.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "RADIXINSIGHT_DATABASE_URL"),
        description="Address of your own PostgreSQL; unset: the embedded one is started.",
    )
    dagster_database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("DAGSTER_DATABASE_URL", "RADIXINSIGHT_DAGSTER_DATABASE_URL"),
        description="PostgreSQL database for Dagster's runs and schedules; unset: the database `dagster` on the "
        "server of `DATABASE_URL`.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("REDIS_URL", "RADIXINSIGHT_REDIS_URL"),
        description="Address of your own Valkey or Redis; unset: the embedded one is started.",
    )
    collectors: int = Field(
        default=1,
        ge=1,
        le=32,
        description="Collector processes, which share the collector's port (Linux). Several have ports of their own "
        "too, for their metrics: +9, +10, …",
    )
    api_processes: int = Field(
        default=1,
        ge=1,
        le=32,
        description="Processes of the API, which share its port (Linux). Several have ports of their own too, for "
        "their metrics: +50, +51, …",
    )
    kafka_brokers: str = Field(
        default="",
        description="Brokers of your own Kafka: the shipper writes there, and a consumer is started too. Empty: none.",
    )

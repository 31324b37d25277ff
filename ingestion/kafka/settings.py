"""What can be configured about the way through Kafka."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core.settings import CommonSettings, WarehouseSettings
from ingestion.settings import SpoolSettings

_MIB = 1024 * 1024


class KafkaSettings(CommonSettings):
    """What the shipper and the consumer share. Without brokers the shipper writes to ClickHouse itself."""

    brokers: str = Field(
        default="",
        validation_alias="RADIXINSIGHT_KAFKA_BROKERS",
        description="Brokers of any Kafka API, as `host:9092,host:9092`. Empty: no Kafka.",
    )
    topic_prefix: str = Field(
        default="radixinsight",
        min_length=1,
        validation_alias="RADIXINSIGHT_KAFKA_TOPIC_PREFIX",
        description="The topics are `<prefix>.events` and `<prefix>.rejects`.",
    )
    properties_file: Path | None = Field(
        default=None,
        validation_alias="RADIXINSIGHT_KAFKA_PROPERTIES_FILE",
        description="File of librdkafka's properties, one `name=value` per line: TLS, SASL, sizes.",
    )

    def topic(self, table: str) -> str:
        """Return the topic of a landing table's rows."""
        return f"{self.topic_prefix}.{table}"


class KafkaProducerSettings(KafkaSettings):
    """The shipper, when it writes to Kafka."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_SHIPPER_KAFKA_", extra="ignore", frozen=True)

    record_max_bytes: int = Field(
        default=4 * _MIB,
        gt=0,
        description="Most bytes of rows in one record, before compression; every record becomes one insert. "
        "Records that the brokers find too large are halved.",
    )
    timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds after which a record that the brokers did not confirm is tried again."
    )


class ConsumerSettings(SpoolSettings, WarehouseSettings, KafkaSettings):
    """The consumer: `python -m ingestion.kafka`."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_CONSUMER_", extra="ignore", frozen=True)

    brokers: str = Field(
        min_length=1,
        validation_alias="RADIXINSIGHT_KAFKA_BROKERS",
        description="As above; the consumer needs them.",
    )
    host: str = Field(default="127.0.0.1", description="Address of the consumer's /metrics, /healthz and /readyz.")
    port: int | None = Field(
        default=None,
        description="Port of the consumer's /metrics, /healthz, /readyz. Default: RADIXINSIGHT_PORT_BASE + 8.",
    )
    group: str = Field(
        default="radixinsight-landing",
        min_length=1,
        description="Consumer group: those of one group share the partitions among themselves.",
    )
    insert_timeout_s: int = Field(default=120, gt=0, description="Seconds after which an insert counts as failed.")
    max_backoff_s: float = Field(default=15.0, gt=0, description="Longest pause between two tries of a record.")

    @property
    def listen_port(self) -> int:
        """The port, given or derived."""
        return self.port_base + 8 if self.port is None else self.port

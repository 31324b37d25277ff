"""What can be configured about the collector and the shipper."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core.settings import CommonSettings, MetadataSettings, WarehouseSettings

_MIB = 1024 * 1024


class SpoolSettings(CommonSettings):
    """What the collector and the shipper share."""

    port_base: int = Field(
        default=7100,
        validation_alias="RADIXINSIGHT_PORT_BASE",
        description="First of the ports of all services; the collector listens on the next one.",
    )

    @property
    def spool_dir(self) -> Path:
        """Where accepted events wait until ClickHouse has them."""
        return self.data_dir / "spool"


class CollectorSettings(SpoolSettings, MetadataSettings):
    """The collector: `python -m ingestion`. It takes events whether ClickHouse is there or not."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_COLLECTOR_", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(default=None, description="Port to listen on. Default: RADIXINSIGHT_PORT_BASE + 1.")
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Addresses, separated by commas, whose X-Forwarded-For is believed; `*` for every one.",
    )
    max_event_bytes: int = Field(default=32 * 1024, gt=0, description="Most bytes of one event.")
    max_request_bytes: int = Field(
        default=20 * _MIB, gt=0, description="Most bytes of one request, as sent and unpacked."
    )
    max_request_events: int = Field(
        default=10_000, gt=0, description="Most events of one request: 413 above, and the client has to split it."
    )
    segment_max_bytes: int = Field(
        default=32 * _MIB, gt=0, description="Size at which a spool segment is handed to the shipper."
    )
    segment_max_age_s: float = Field(
        default=1.0, gt=0, description="Seconds after which a spool segment is handed to the shipper in any case."
    )
    spool_max_bytes: int = Field(
        default=10 * 1024 * _MIB,
        gt=0,
        description="Bound of the spool of all collectors: 429 from nine tenths of it on, 503 above it.",
    )
    spool_min_free_bytes: int = Field(
        default=512 * _MIB, ge=0, description="Bytes to leave free on the spool's disk: 503 below."
    )
    geo_database: Path | None = Field(
        default=None,
        validation_alias="RADIXINSIGHT_GEO_DATABASE",
        description="A .mmdb file of countries or cities to look addresses up in. Default: the embedded countries.",
    )
    max_pending_bytes: int = Field(
        default=64 * _MIB, gt=0, description="Most bytes that wait in memory for the disk: 429 above."
    )

    max_reading_bytes: int = Field(
        default=256 * _MIB,
        gt=0,
        description="Most bytes of bodies that are in memory at once, of all requests together: 429 above.",
    )
    body_timeout_s: float = Field(
        default=60.0, gt=0, description="Seconds in which a client has to send its body: refused after that."
    )
    max_connections: int = Field(
        default=2000, gt=0, description="Most connections at once: 503 above, whatever is asked for."
    )

    @property
    def listen_port(self) -> int:
        """The port, given or derived."""
        return self.port_base + 1 if self.port is None else self.port


class ShipperSettings(SpoolSettings, WarehouseSettings):
    """The shipper: `python -m ingestion.shipper`."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_SHIPPER_", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address of the shipper's /metrics, /healthz and /readyz.")
    port: int | None = Field(
        default=None,
        description="Port of the shipper's /metrics, /healthz, /readyz. Default: RADIXINSIGHT_PORT_BASE + 7.",
    )
    poll_interval_s: float = Field(default=0.1, gt=0, description="Seconds between two looks into the spool.")
    insert_timeout_s: int = Field(default=120, gt=0, description="Seconds after which an insert counts as failed.")
    max_backoff_s: float = Field(default=15.0, gt=0, description="Longest pause between two tries of a segment.")

    @property
    def listen_port(self) -> int:
        """The port, given or derived."""
        return self.port_base + 7 if self.port is None else self.port

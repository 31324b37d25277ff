"""What can be configured about the collector and the shipper."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from core.settings import CommonSettings, MetadataSettings
from ingestion.limits import Limits
from ingestion.prefixes import Prefixes, parse_prefixes

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

    @property
    def damaged_dir(self) -> Path:
        """Where bytes are kept that could not be delivered."""
        return self.data_dir / "damaged"

    @property
    def ledger_dir(self) -> Path:
        """Where collectors count what they acknowledged."""
        return self.data_dir / "ledger"

    @property
    def imports_dir(self) -> Path:
        """Where uploaded files of history wait, and what is told of them."""
        return self.data_dir / "imports"


class EventSettings(CommonSettings):
    """What holds for every event, however it comes."""

    max_event_bytes: int = Field(
        default=32 * 1024,
        gt=0,
        validation_alias="RADIXINSIGHT_COLLECTOR_MAX_EVENT_BYTES",
        description="Most bytes of one event.",
    )
    max_event_depth: int = Field(
        default=32,
        gt=0,
        le=200,
        validation_alias="RADIXINSIGHT_COLLECTOR_MAX_EVENT_DEPTH",
        description="Most levels of objects and lists within properties, traits or context.",
    )
    max_event_members: int = Field(
        default=2_000,
        gt=0,
        validation_alias="RADIXINSIGHT_COLLECTOR_MAX_EVENT_MEMBERS",
        description="Most members of all objects within properties, traits or context.",
    )
    max_text_bytes: int = Field(
        default=16 * 1024,
        gt=0,
        validation_alias="RADIXINSIGHT_COLLECTOR_MAX_TEXT_BYTES",
        description="Most bytes of one text within properties, traits or context.",
    )
    geo_database: Path | None = Field(
        default=None,
        validation_alias="RADIXINSIGHT_GEO_DATABASE",
        description="A .mmdb file of countries or cities to look addresses up in. Default: the embedded countries.",
    )

    @property
    def limits(self) -> Limits:
        """The most that one event may hold."""
        return Limits(self.max_event_bytes, self.max_event_depth, self.max_event_members, self.max_text_bytes)


class CollectorSettings(EventSettings, SpoolSettings, MetadataSettings):
    """The collector: `python -m ingestion`. It takes events whether ClickHouse is there or not."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_COLLECTOR_", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(default=None, description="Port to listen on. Default: RADIXINSIGHT_PORT_BASE + 1.")
    own_port: int | None = Field(
        default=None,
        description="Port at which this process alone is reached, for its metrics and its health. With it, further "
        "collectors of the same user may listen on the other port too (Linux).",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Addresses, separated by commas, whose X-Forwarded-For is believed; `*` for every one.",
    )
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
    head_timeout_s: float = Field(
        default=10.0,
        gt=0,
        description="Seconds in which a client has to send a request's head: disconnected after that.",
    )
    keep_alive_s: int = Field(default=5, gt=0, description="Seconds that a connection stays open between two requests.")
    max_head_bytes: int = Field(
        default=64 * 1024, gt=0, description="Most bytes of a request's address and headers: 431 above."
    )
    upload_max_bytes: int = Field(
        default=5 * 1024 * _MIB, gt=0, description="Most bytes of one file of history that is uploaded: 413 above."
    )
    uploads_max_bytes: int = Field(
        default=20 * 1024 * _MIB,
        gt=0,
        description="Most bytes of all uploaded files that wait to be imported: 429 above.",
    )
    max_connections: int = Field(
        default=2000, gt=0, description="Most connections at once: 503 above, whatever is asked for."
    )
    path_prefixes: str = Field(
        default="",
        description="Further prefixes of the protocols' paths, as `segment=/s1,posthog=/ph`; `any=/data` serves all "
        "protocols below it, as they are at the root.",
    )
    well_known_paths: bool = Field(
        default=True, description="Whether events are also taken at the root and under the protocols' names."
    )
    redis_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("REDIS_URL", "RADIXINSIGHT_REDIS_URL"),
        description="Valkey or Redis address, by which several collectors share the rates and events reach those who "
        "listen; unset: each has its own rates, and nobody hears of events.",
    )
    live_events_per_second: int = Field(
        default=1000,
        ge=0,
        description="Most events a second of one project that are published to those who listen to it; 0 publishes "
        "none.",
    )
    key_events_per_second: float | None = Field(
        default=None,
        gt=0,
        description="Most events a second of a write key that has no rate of its own, and whose project has none: 429 "
        "above. Unset: any number.",
    )
    address_requests_per_second: float | None = Field(
        default=None,
        gt=0,
        description="Most requests with events a second from one address (of IPv6, one network of 64 bits): 429 above. "
        "Unset: any number.",
    )
    rate_burst_s: float = Field(
        default=10.0, gt=0, description="So many seconds' worth of a rate may come at once after a pause."
    )

    @field_validator("path_prefixes")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        parse_prefixes(value)
        return value

    @property
    def prefixes(self) -> Prefixes:
        """Where the protocols are served."""
        return Prefixes(parse_prefixes(self.path_prefixes), self.well_known_paths)

    canary_interval_s: float = Field(
        default=60.0, ge=0, description="Seconds between two canary events of each project; 0 sends none."
    )

    @property
    def listen_port(self) -> int:
        """The port, given or derived."""
        return self.port_base + 1 if self.port is None else self.port


class ShipperSettings(SpoolSettings):
    """The shipper: `python -m ingestion.shipper`. It needs ClickHouse's address, unless it writes to Kafka."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_SHIPPER_", extra="ignore", frozen=True)

    clickhouse_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("CLICKHOUSE_URL", "RADIXINSIGHT_CLICKHOUSE_URL"),
        description="ClickHouse's HTTP address, with user and password. To ship to Kafka, only the ledger needs it.",
    )
    host: str = Field(default="127.0.0.1", description="Address of the shipper's /metrics, /healthz and /readyz.")
    port: int | None = Field(
        default=None,
        description="Port of the shipper's /metrics, /healthz, /readyz. Default: RADIXINSIGHT_PORT_BASE + 7.",
    )
    poll_interval_s: float = Field(default=0.1, gt=0, description="Seconds between two looks into the spool.")
    ledger_interval_s: float = Field(
        default=10.0, gt=0, description="Seconds between two reports of what collectors acknowledged."
    )
    watch_interval_s: float = Field(
        default=15.0, gt=0, description="Seconds between two looks for canaries, and for the last reconciliation."
    )
    insert_timeout_s: int = Field(default=120, gt=0, description="Seconds after which an insert counts as failed.")
    max_backoff_s: float = Field(default=15.0, gt=0, description="Longest pause between two tries of a segment.")

    @property
    def listen_port(self) -> int:
        """The port, given or derived."""
        return self.port_base + 7 if self.port is None else self.port

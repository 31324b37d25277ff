"""Settings of the read API."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import SettingsConfigDict

from core.metadata.origins import InvalidOriginError, parse_origin
from core.settings import Settings

_INSTALLATION = Path(__file__).resolve().parents[1]

# Wherever the process was started: a relative path starts at the installation.
_InstalledPath = Annotated[Path, AfterValidator(lambda path: _INSTALLATION / path)]


class ApiSettings(Settings):
    """The read API and the page: where they listen, what one query may use, how long answers are kept."""

    model_config = SettingsConfigDict(env_prefix="RADIXINSIGHT_API_")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=7100, ge=0, le=65535, description="Port to listen on.")
    pages_dir: _InstalledPath = Field(
        default=Path("dashboards/dist"),
        description="Directory of the built page, from the installation's directory; absent: the API alone is served.",
    )
    macros_dir: _InstalledPath = Field(
        default=Path("dbt_project/macros"),
        description="Directory of the analytic SQL that dbt and the API share (its `events` and `insights`), from the "
        "installation's directory.",
    )
    insights_dir: _InstalledPath = Field(
        default=Path("dbt_project/insights"),
        description="Directory of the insights that are defined in files, from the installation's directory.",
    )
    marts_database: str = Field(
        default="marts",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="ClickHouse database that holds the modelled tables.",
    )
    staging_database: str = Field(
        default="staging",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="ClickHouse database of the staging models: which events were ever staged.",
    )
    intermediate_database: str = Field(
        default="intermediate",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="ClickHouse database of the intermediate models: whom an event counts for.",
    )
    landing_database: str = Field(
        default="raw",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="ClickHouse database of the landing tables: events that no refresh has modelled yet.",
    )
    landing_seconds: float = Field(
        default=5.0,
        ge=0.001,
        description="How often answers take in what landed since the last refresh. Between, equal questions have equal "
        "answers, from the cache.",
    )
    landing_max_events: int = Field(
        default=500_000,
        ge=0,
        description="Where more than these landed since the last refresh, answers wait for the next one and say so; 0 "
        "leaves all to it.",
    )
    landing_listed_events: int = Field(
        default=500,
        ge=0,
        le=2_000,
        description="Up to how many of them are looked up once and then handed to each statement as values, which is "
        "faster; of more, each statement looks them up.",
    )
    query_max_seconds: float = Field(
        default=30.0, gt=0, description="One query may run this long; then it is cancelled with `query_timeout`."
    )
    query_max_memory_bytes: int = Field(
        default=2 * 1024**3, gt=0, description="One query may use this much memory in ClickHouse, in bytes."
    )
    query_max_rows_to_read: int = Field(
        default=2_000_000_000, gt=0, description="One query may read this many rows in ClickHouse."
    )
    query_max_result_rows: int = Field(
        default=100_000, gt=0, description="One query may return this many rows from ClickHouse."
    )
    max_concurrent_queries: int = Field(
        default=8, gt=0, description="Queries that one API process runs in ClickHouse at once; further ones wait."
    )
    max_buckets: int = Field(default=10_000, gt=0, description="Most points that one time series may have.")
    result_cache_seconds: int = Field(
        default=3600,
        ge=0,
        description="How long a result is kept in Valkey. New data makes a new key, so this only bounds memory; "
        "0 keeps nothing.",
    )
    data_version_seconds: float = Field(
        default=1.0,
        ge=0,
        description="How long the version of the modelled data is believed: the most by which a cached answer may be "
        "older than a finished model run.",
    )
    key_cache_seconds: float = Field(
        default=5.0,
        ge=0,
        description="How long a checked API key is believed: the most by which a key may outlive its revocation.",
    )
    live_max_streams: int = Field(
        default=500, gt=0, description="Most live streams that one API process has open: 429 above."
    )
    live_max_streams_per_project: int = Field(
        default=50, gt=0, description="Most live streams of one project that one API process has open: 429 above."
    )
    live_reader_max_bytes: int = Field(
        default=1024 * 1024,
        gt=0,
        description="Most bytes of events that wait for one live stream. What comes above that is left out; if nothing "
        "has been read for seconds, the stream ends (`slow_reader`).",
    )
    live_send_seconds: float = Field(
        default=10.0, gt=0, description="A live stream of which nothing is read for so long is disconnected."
    )
    live_heartbeat_seconds: float = Field(
        default=15.0, gt=0, description="A live stream that has nothing to say says so after this time."
    )
    live_resume_seconds: float = Field(
        default=60.0,
        ge=0,
        description="How long events are kept in memory for live streams that come back, and a project is listened to "
        "after its last stream ended.",
    )
    live_resume_events: int = Field(
        default=1000, ge=0, description="Most events of one project that are kept for that, in at most 4 MiB."
    )
    live_counters_seconds: float = Field(
        default=5.0, gt=0, description="How often live counters are counted anew, of a project that somebody looks at."
    )
    live_key_check_seconds: float = Field(
        default=4.0,
        gt=0,
        description="How often the keys of open live streams are looked at: with RADIXINSIGHT_API_KEY_CACHE_SECONDS "
        "the most by which a stream outlives the revocation of its key.",
    )
    live_ticket_seconds: int = Field(
        default=30, gt=0, description="How long a ticket for a WebSocket can be used, in seconds."
    )
    live_allowed_origins: str = Field(
        default="",
        description="Origins, separated by spaces, of further pages that may open WebSockets, as `https://bi.example`; "
        "the API's own may in any case.",
    )
    live_lag_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Age of events that have not reached ClickHouse from which on live streams tell of a lag.",
    )
    dagster_url: str | None = Field(
        default=None,
        description="Address of Dagster's webserver, which is asked for failed refreshes while live streams are open; "
        "unset: nothing is told of them.",
    )
    connect_seconds: float = Field(
        default=5.0, gt=0, description="How long to wait for a connection to ClickHouse, PostgreSQL or Valkey."
    )

    @field_validator("live_allowed_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        for origin in value.split():
            try:
                parse_origin(origin)
            except InvalidOriginError as error:
                raise ValueError(error.detail) from error
        return value

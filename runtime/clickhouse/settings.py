"""Settings of the embedded ClickHouse server, read once from the environment."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "RADIXINSIGHT_CLICKHOUSE_"


class ClickHouseServerSettings(BaseSettings):
    """Where it listens, where it keeps its data, who may enter, and how much one client may take.

    A duration is in seconds, a size in bytes.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. There is no TLS: leave it on loopback, or put a reverse proxy in front.",
    )
    port: int = Field(default=7103, ge=1, le=65535, description="Port of the HTTP interface.")
    data_dir: Path = Field(
        default=Path(".radixinsight/clickhouse"),
        validation_alias=AliasChoices(f"{_PREFIX}DATA_DIR", f"{_PREFIX}DIRECTORY"),
        description="The engine's data directory; one process at a time.",
    )
    admin_password: SecretStr = Field(min_length=1, description="Password of `admin`, who may do everything.")
    radixinsight_password: SecretStr = Field(
        min_length=1,
        description="Password of `radixinsight`, who reads, writes and defines tables, but reaches no files and no "
        "network from SQL.",
    )
    reader_password: SecretStr = Field(min_length=1, description="Password of `reader`, who only reads.")
    reader_max_execution_time_s: int = Field(
        default=60, ge=1, description="Longest that one query of `reader` may run."
    )
    reader_max_memory_bytes: int = Field(
        default=2 * 1024**3, ge=1, description="Most memory that one query of `reader` may take."
    )
    reader_max_result_bytes: int = Field(
        default=0, ge=0, description="Largest result of one query of `reader`, uncompressed; 0: any."
    )
    display_name: str = Field(
        default="radixinsight", description="Name in the `X-ClickHouse-Server-Display-Name` header."
    )
    max_server_memory_bytes: int = Field(
        default=0, ge=0, description="Most memory that all queries together may take; 0: 90 % of the machine's."
    )
    max_connections: int = Field(default=512, ge=1, description="Connections at once; further ones are answered 503.")
    max_concurrent_queries: int = Field(
        default=400, ge=1, description="Queries at once; further ones are refused with code 202."
    )
    max_sessions: int = Field(default=1000, ge=1, description="Named sessions held at once; the oldest idle one goes.")
    max_idle_handles: int = Field(default=64, ge=1, description="Engine handles kept open for the next query.")
    max_header_bytes: int = Field(
        default=1024**2, ge=1024, description="Longest request head (address and headers together)."
    )
    max_headers: int = Field(default=1000, ge=10, description="Most headers in one request.")
    max_body_bytes: int = Field(default=1024**4, ge=1, description="Longest request body, as sent.")
    max_query_bytes: int = Field(
        default=64 * 1024**2,
        ge=1024,
        description="Longest query text whatever `max_query_size` says; rows of an insert don't count.",
    )
    max_external_table_bytes: int = Field(
        default=1024**3, ge=1, description="Longest multipart body with external tables."
    )
    max_held_result_bytes: int = Field(
        default=4 * 1024**3,
        ge=0,
        description="Most that results held back by `wait_end_of_query` take on disk, of all queries together.",
    )
    header_timeout_s: float = Field(default=10.0, gt=0, description="Longest that a request's head may take to come.")
    body_timeout_s: float = Field(default=60.0, gt=0, description="Longest pause within a request's body.")
    keep_alive_timeout_s: float = Field(default=30.0, gt=0, description="Longest idle time between two requests.")
    send_timeout_s: float = Field(
        default=300.0, gt=0, description="Longest that a client may pause while it reads a result."
    )
    session_timeout_s: int = Field(default=60, ge=1, description="Idle time after which a session ends by default.")
    max_session_timeout_s: int = Field(default=3600, ge=1, description="Longest `session_timeout` a client may ask.")
    stop_timeout_s: float = Field(
        default=2.5, ge=0, description="On SIGTERM, how long running queries may go on before they are killed."
    )
    log_ttl_days: int = Field(default=7, ge=1, description="Days that query_log and part_log are kept.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="RADIXINSIGHT_LOG_LEVEL", description="Least level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        default="console",
        validation_alias="RADIXINSIGHT_LOG_FORMAT",
        description="`console` for people, `json` for log collectors.",
    )

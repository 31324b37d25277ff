"""Settings of the read API."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator
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
    own_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="A port of this process alone, beside the one that it shares with other processes of the API then "
        "(Linux): for its metrics.",
    )
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
        description="Up to how many of them are looked up once and then handed to each statement as values (ids, "
        "names, persons and instants), which is faster; of more, each statement looks them up.",
    )
    max_body_bytes: int = Field(
        default=1024 * 1024,
        ge=65_536,
        description="Most bytes of a request's body: 413 above (`body_too_large`). Query documents and answers of SAML "
        "providers have smaller bounds of their own.",
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
    sql_max_result_bytes: int = Field(
        default=64 * 1024**2,
        gt=0,
        description="One statement of an analyst may return this many bytes from ClickHouse, before they are text.",
    )
    sql_max_concurrent_queries: int = Field(
        default=2,
        gt=0,
        description="How many of `max_concurrent_queries` may be statements of analysts; further ones wait.",
    )
    max_concurrent_queries: int = Field(
        default=8, gt=0, description="Queries that one API process runs in ClickHouse at once; further ones wait."
    )
    project_max_concurrent_queries: int = Field(
        default=6,
        gt=0,
        description="How many of `max_concurrent_queries` may be one project's. Of those that wait, one of the project "
        "of which fewest run is next.",
    )
    project_max_waiting_queries: int = Field(
        default=200, gt=0, description="Queries of one project that may wait in one API process: 429 above."
    )
    project_max_exports: int = Field(
        default=10, gt=0, description="Exports of one project that may wait or run at once: 429 above."
    )
    export_max_bytes: int = Field(
        default=4 * 1024**3,
        gt=0,
        description="How large the file of one export may grow; then it fails.",
    )
    project_max_export_bytes: int = Field(
        default=16 * 1024**3,
        gt=0,
        description="How much the files of one project's exports may take together, those that are being written "
        "included: 409 above, and what is being written fails.",
    )
    export_keep_hours: float = Field(
        default=24.0, gt=0, description="How long the file of an export is kept, in `exports` of the data directory."
    )
    export_look_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How often each API process looks for exports that another one has left, and for expired files.",
    )
    max_buckets: int = Field(default=10_000, gt=0, description="Most points that one time series may have.")
    result_cache_seconds: int = Field(
        default=3600,
        ge=0,
        description="How long a result is kept in Valkey. New data makes a new key, so this only bounds memory; "
        "0 keeps nothing.",
    )
    answer_memory_bytes: int = Field(
        default=64 * 1024**2,
        ge=0,
        description="Most memory for answers that one API process gives again while it believes the version of the "
        "data; 0 keeps none.",
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
        description="How long a checked API key, session or role is believed: the most by which one may outlive its "
        "revocation.",
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
    public_url: str = Field(
        default="http://127.0.0.1:7100",
        pattern=r"^https?://[^/?#\s]+$",
        description="Where people reach the page: the beginning of links in mails. With https, cookies are sent over "
        "https only.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses of proxies, separated by commas, whose X-Forwarded-… are believed.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs access tokens and encrypts second factors: 32 characters or more, the same for all "
        "API processes. Left out: one is drawn at the first start and kept in the data directory, as `api-secret-key`.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Where mails are handed in, as `smtp://user:password@host:587` or "
        "`smtps://…:465`. Left out: mails become files in `mail_dir`.",
    )
    mail_from: str = Field(
        default="RadixInsight <radixinsight@localhost>", min_length=3, description="Sender of the mails."
    )
    mail_dir: Path | None = Field(
        default=None,
        description="Directory of mails that were not handed in, a file each. Left out: `mails` in the data directory.",
    )
    show_mails: bool = Field(
        default=False,
        description="Show the mails of `mail_dir` at /mails, to whoever can reach the API: for development alone.",
    )
    smtp_starttls: Literal["demanded", "offered", "never"] = Field(
        default="demanded",
        description="What becomes of mails where an `smtp://` server has no STARTTLS: they are not handed in "
        "(`demanded`), or go in plain text (`offered`). `never` does not even ask for it: for a server on the same "
        "machine.",
    )
    invitations_per_day: int = Field(default=100, ge=1, description="Most invitations that one member makes in a day.")
    identity_providers_over_http: bool = Field(
        default=False,
        description="Let OpenID providers be reached over http, where anybody on the way can say who signs in: for "
        "development alone.",
    )
    session_idle_days: int = Field(
        default=14, ge=1, description="A sign-in that is not used for so long ends, a program's refresh token too."
    )
    session_max_days: int = Field(default=90, ge=1, description="Every sign-in ends after so long.")
    access_token_seconds: int = Field(
        default=600, ge=60, le=86_400, description="How long an access token of a program is good."
    )
    sign_in_attempts: int = Field(
        default=10,
        ge=1,
        description="Attempts to sign in with one e-mail address, or at the password of one shared link, from one "
        "network in 15 minutes; five times as many from anywhere, and twice as many from browsers with which somebody "
        "signed in before.",
    )
    code_attempts: int = Field(
        default=30,
        ge=1,
        description="Wrong codes of one account's authenticator in a day; as many again where somebody signed in "
        "before, with the same browser.",
    )
    address_attempts: int = Field(
        default=100, ge=1, description="Attempts to sign in from one network in 15 minutes, with whatever address."
    )
    materialised_most_minutes: int = Field(
        default=180,
        ge=1,
        description="Age up to which an answer that was made beforehand is given; then it is computed.",
    )
    saved_versions: int = Field(
        default=100, ge=2, description="Versions that are kept of each saved thing, the latest ones."
    )

    @property
    def is_https(self) -> bool:
        """Say whether browsers reach the page over https."""
        return self.public_url.startswith("https://")

    @property
    def cookie_name(self) -> str:
        """Return the name of the session's cookie: over https one that browsers take from no other host or path."""
        return "__Host-radixinsight" if self.is_https else "radixinsight"

    @property
    def device_cookie_name(self) -> str:
        """Return the name of the cookie that tells a browser from others."""
        return f"{self.cookie_name}-device"

    @property
    def visit_cookie_name(self) -> str:
        """Return the name of the cookie of a browser that is at an identity provider."""
        return f"{self.cookie_name}-visit"

    @field_validator("live_allowed_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        for origin in value.split():
            try:
                parse_origin(origin)
            except InvalidOriginError as error:
                raise ValueError(error.detail) from error
        return value

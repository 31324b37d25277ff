"""How the pipeline runs, read once when Dagster loads the definitions."""

from datetime import timedelta
from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from governance.pii import ScanLimits
from governance.quality import LandingThresholds

_REPOSITORY = Path(__file__).parents[1]


class OrchestrationSettings(BaseSettings):
    """What runs when, and what counts as normal.

    Holds no address: definitions load, and are checked in CI, without any engine. The resources read `CLICKHOUSE_URL`
    and `DATABASE_URL` when a run starts.
    """

    model_config = SettingsConfigDict(
        env_prefix="RADIXINSIGHT_ORCHESTRATION_", extra="ignore", frozen=True, populate_by_name=True
    )

    data_dir: Path = Field(
        default=Path(".radixinsight"),
        validation_alias="RADIXINSIGHT_DATA_DIR",
        description="The one directory in which everything is kept on this machine; dbt's state is in `dagster/dbt`.",
    )
    dbt_project_dir: Path = Field(
        default=_REPOSITORY / "dbt_project", description="The dbt project whose models become assets."
    )
    landing_database: str = Field(
        default="raw",
        validation_alias=AliasChoices("RADIXINSIGHT_DBT_RAW", "RADIXINSIGHT_ORCHESTRATION_LANDING_DATABASE"),
        description="ClickHouse database of the landing tables; dbt reads the same variable.",
    )
    staging_database: str = Field(
        default="staging", description="ClickHouse database of the staging models, which the reconciliation reads."
    )
    governance_database: str = Field(
        default="governance",
        description="ClickHouse database of the findings about personal data and of the reconciliation.",
    )
    enrichment_database: str = Field(
        default="enrichment",
        validation_alias=AliasChoices("RADIXINSIGHT_DBT_ENRICHMENT", "RADIXINSIGHT_ORCHESTRATION_ENRICHMENT_DATABASE"),
        description="ClickHouse database of what is told of user agents, addresses and events; dbt reads the same.",
    )
    geo_database: Path | None = Field(
        default=None,
        validation_alias="RADIXINSIGHT_GEO_DATABASE",
        description="A .mmdb file of countries or cities to look addresses up in. Default: the embedded countries.",
    )
    refresh_cron: str = Field(default="*/5 * * * *", description="When the whole pipeline runs (cron, UTC).")
    refresh_enabled: bool = Field(
        default=True, description="Whether the schedule runs without being switched on first."
    )
    materialise_cron: str = Field(
        default="17 * * * *", description="When answers of saved insights are made beforehand (cron, UTC)."
    )
    api_url: str = Field(
        default="http://127.0.0.1:7100", description="Where the read API is, which answers them; without a last slash."
    )
    reconcile_cron: str = Field(
        default="47 4 * * *", description="When acknowledged, landed and modelled events are compared (cron, UTC)."
    )
    reconciled_days: int = Field(
        default=3, ge=1, le=30, description="How many complete UTC days before today are compared each time."
    )
    column_lineage: bool = Field(
        default=True, description="Whether runs record columns and column lineage of the models."
    )
    keep_runs_days: int = Field(default=14, ge=1, description="Age at which ended runs are deleted, every night.")
    stale_after_minutes: int = Field(
        default=30, ge=2, description="Age at which an asset that the schedule keeps fresh counts as stale."
    )
    landing_least_events_per_day: int = Field(
        default=1, ge=0, description="Fewer events than this in 24 hours fail the volume check."
    )
    landing_latest_event_age_minutes: int = Field(
        default=60, ge=1, description="A latest event older than this fails the freshness check."
    )
    pii_scan_events: int = Field(
        default=500_000, ge=1, description="About how many new events one scan for personal data reads at most."
    )
    pii_values_per_property: int = Field(
        default=50, ge=1, le=10_000, description="Distinct values of a property that one scan checks at most."
    )

    @property
    def dbt_state_dir(self) -> Path:
        """Where parsed dbt projects and the artifacts of dbt runs are kept."""
        return (self.data_dir / "dagster" / "dbt").absolute()

    @property
    def stale_after(self) -> timedelta:
        """Age at which a refreshed asset counts as stale."""
        return timedelta(minutes=self.stale_after_minutes)

    @property
    def landing_thresholds(self) -> LandingThresholds:
        """What the expectations on the landing data take for normal."""
        return LandingThresholds(
            least_events_per_day=self.landing_least_events_per_day,
            latest_event_age=timedelta(minutes=self.landing_latest_event_age_minutes),
        )

    @property
    def scan_limits(self) -> ScanLimits:
        """How much one scan for personal data reads at most."""
        return ScanLimits(events=self.pii_scan_events, values_per_property=self.pii_values_per_property)

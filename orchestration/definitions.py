"""Everything that Dagster knows, put together from one folder per domain."""

from datetime import timedelta

import dagster as dg

from orchestration import dbt_manifest
from orchestration.dbt_translation import freshness
from orchestration.defs.backfills.assets import backfills
from orchestration.defs.enrichment.assets import addresses, custom, user_agents
from orchestration.defs.governance.assets import pii_findings
from orchestration.defs.governance.properties import event_properties, events_as_agreed
from orchestration.defs.insights.assets import insight_results
from orchestration.defs.insights.jobs import build_materialise_schedule, materialise
from orchestration.defs.landing.assets import events, projects
from orchestration.defs.landing.checks import landing_expectations
from orchestration.defs.models.assets import build_model_assets
from orchestration.defs.models.checks import insight_definitions
from orchestration.defs.reconciliation.assets import reconciliation
from orchestration.defs.reconciliation.jobs import build_reconcile_schedule, reconcile
from orchestration.defs.refresh.history import history, history_schedule
from orchestration.defs.refresh.jobs import refresh
from orchestration.defs.refresh.schedules import build_refresh_schedule
from orchestration.resources import DbtResource, MetadataResource, WarehouseResource
from orchestration.settings import OrchestrationSettings


def build_definitions(settings: OrchestrationSettings) -> dg.Definitions:
    """Return the definitions under `settings`; parses the dbt project if it changed, connects to nothing."""
    parsed = dbt_manifest.prepare(settings.dbt_project_dir, settings.dbt_state_dir)
    fresh = freshness(settings.stale_after)
    return dg.Definitions(
        assets=[
            events,
            backfills,
            # Thrice the time between two of its runs: two may fail.
            insight_results.map_asset_specs(
                lambda spec: dg.apply_freshness_policy(spec, freshness(timedelta(hours=3)))
            ),
            *(
                made.map_asset_specs(lambda spec: dg.apply_freshness_policy(spec, fresh))
                for made in (projects, user_agents, addresses, custom, pii_findings, event_properties)
            ),
            # Twice the time between two of its runs.
            reconciliation.map_asset_specs(lambda spec: dg.apply_freshness_policy(spec, freshness(timedelta(days=2)))),
            build_model_assets(parsed, stale_after=settings.stale_after),
        ],
        asset_checks=[landing_expectations, events_as_agreed, insight_definitions],
        jobs=[refresh, reconcile, materialise, history],
        schedules=[
            build_refresh_schedule(settings),
            build_reconcile_schedule(settings),
            build_materialise_schedule(settings),
            history_schedule,
        ],
        resources={
            "settings": settings,
            "warehouse": WarehouseResource(url=dg.EnvVar("CLICKHOUSE_URL")),
            "metadata": MetadataResource(url=dg.EnvVar("DATABASE_URL")),
            "dbt": DbtResource(
                project_dir=str(settings.dbt_project_dir),
                profiles_dir=str(settings.dbt_project_dir),
                dbt_executable=str(dbt_manifest.DBT_EXECUTABLE),
                clickhouse_url=dg.EnvVar("CLICKHOUSE_URL"),
            ),
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions under the settings of this environment."""
    return build_definitions(OrchestrationSettings())

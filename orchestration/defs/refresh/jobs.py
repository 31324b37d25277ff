"""The job that brings everything up to date."""

import dagster as dg

from orchestration.defs.backfills.assets import BACKFILLS
from orchestration.defs.insights.assets import RESULTS
from orchestration.defs.reconciliation.assets import RECONCILIATION
from orchestration.runs import run_tags

# One process for all steps: importing Dagster and dbt anew for each would cost more than the steps themselves.
refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all(include_sources=True)
    - dg.AssetSelection.assets(RECONCILIATION, BACKFILLS, RESULTS),
    executor_def=dg.in_process_executor,
    description="Observes and checks what landed, rebuilds and tests every model, scans new events for personal data.",
    tags=run_tags("refresh"),
)

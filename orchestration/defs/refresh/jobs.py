"""The job that brings everything up to date."""

import dagster as dg

from orchestration.defs.backfills.assets import BACKFILLS
from orchestration.defs.insights.assets import RESULTS
from orchestration.defs.reconciliation.assets import RECONCILIATION

# One process for all steps: importing Dagster and dbt anew for each would cost more than the steps themselves.
refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all(include_sources=True)
    - dg.AssetSelection.assets(RECONCILIATION, BACKFILLS, RESULTS),
    executor_def=dg.in_process_executor,
    description="Observes and checks what landed, rebuilds and tests every model, scans new events for personal data.",
    run_tags={
        "radixinsight/pipeline": "refresh",
        "dagster/max_runtime": "3600",
        # Steps retry by themselves; what still fails is a fact. A run whose process died is started again.
        "dagster/retry_on_asset_or_op_failure": "false",
    },
)

"""What was acknowledged, landed and modelled, compared once a day."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

import dagster as dg

from core.clock import utc_now
from governance.quality import RECONCILIATION_RULES, Databases, Outcome, ProjectDay, judge, missing_pages, reconcile
from governance.quality.outcome import Severity
from orchestration.defs.landing.assets import EVENTS
from orchestration.resources import WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

RECONCILIATION = dg.AssetKey(["governance", "reconciliation"])
_STAGED = dg.AssetKey(["staging", "stg_collector__events"])
_SHOWN_ROWS = 100
_COUNTS = [field.name for field in fields(ProjectDay) if field.name not in {"day", "project_id"}]
_SEVERITIES: dict[Severity, dg.AssetCheckSeverity] = {
    "warning": dg.AssetCheckSeverity.WARN,
    "error": dg.AssetCheckSeverity.ERROR,
}


@dg.asset(
    key=RECONCILIATION,
    deps=[EVENTS, _STAGED],
    group_name="governance",
    tags={"layer": "governance"},
    kinds={"clickhouse"},
    retry_policy=ENGINE_RESTARTS,
    check_specs=[
        dg.AssetCheckSpec(rule.name, asset=RECONCILIATION, description=rule.description)
        for rule in RECONCILIATION_RULES.values()
    ],
    description=(
        "One row per project and UTC day: how many events were acknowledged, landed, were rejected, are duplicates and "
        "are modelled, and what is missing. Each run compares the latest complete days anew."
    ),
)
def reconciliation(
    warehouse: WarehouseResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Compare the latest days; a difference fails the checks, and the run."""
    databases = Databases(settings.landing_database, settings.staging_database, settings.governance_database)
    today = utc_now().date()
    days = [today - timedelta(days=back) for back in range(settings.reconciled_days, 0, -1)]
    with warehouse.connect() as client:
        rows = [
            row
            for day in days
            for row in reconcile(client, day, databases=databases, settled_after=settings.stale_after)
        ]
        outcomes = judge(rows, missing_pages=missing_pages(client, days, databases=databases))
    yield dg.MaterializeResult(
        metadata={
            **{name: sum(getattr(row, name) for row in rows) for name in _COUNTS},
            "days": dg.MetadataValue.table(records=_table(rows), schema=_SCHEMA),
        },
        check_results=[_check(outcome) for outcome in outcomes],
    )
    broken = [outcome for outcome in outcomes if not outcome.passed and outcome.rule.severity == "error"]
    if broken:
        raise dg.Failure("; ".join(f"{outcome.rule.name}: {outcome.facts}" for outcome in broken), allow_retries=False)


_SCHEMA = dg.TableSchema([dg.TableColumn("day"), *(dg.TableColumn(name, "int") for name in ("project_id", *_COUNTS))])


def _check(outcome: Outcome) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=outcome.rule.name,
        passed=outcome.passed,
        severity=_SEVERITIES[outcome.rule.severity],
        metadata=outcome.facts,
    )


def _table(rows: Sequence[ProjectDay]) -> list[dg.TableRecord]:
    """Show the days of those projects that have something wrong first."""
    ordered = sorted(rows, key=lambda row: -(row.lost + row.doubled + row.unledgered + row.unmodelled + row.unfounded))
    return [dg.TableRecord(asdict(row) | {"day": row.day.isoformat()}) for row in ordered[:_SHOWN_ROWS]]

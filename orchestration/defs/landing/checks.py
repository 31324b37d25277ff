"""The expectations on the landing data as asset checks."""

from collections.abc import Iterator

import dagster as dg

from governance.quality import EXPECTATIONS, validate_landing
from governance.quality.outcome import Severity
from orchestration.defs.landing.assets import EVENTS
from orchestration.resources import WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

_SEVERITIES: dict[Severity, dg.AssetCheckSeverity] = {
    "warning": dg.AssetCheckSeverity.WARN,
    "error": dg.AssetCheckSeverity.ERROR,
}


# None of them blocks the models: bad events of one project must not stop the figures of all the others.
@dg.multi_asset_check(
    name="landing_expectations",
    specs=[dg.AssetCheckSpec(rule.name, asset=EVENTS, description=rule.description) for rule in EXPECTATIONS.values()],
    can_subset=True,
    retry_policy=ENGINE_RESTARTS,
)
def landing_expectations(
    context: dg.AssetCheckExecutionContext,
    warehouse: WarehouseResource,
    settings: dg.ResourceParam[OrchestrationSettings],
) -> Iterator[dg.AssetCheckResult]:
    """Check the last 24 hours of landing data; one selected check costs as much as all."""
    outcomes = validate_landing(
        warehouse.url, thresholds=settings.landing_thresholds, landing=settings.landing_database
    )
    selected = {key.name for key in context.selected_asset_check_keys}
    for outcome in outcomes:
        if outcome.rule.name in selected:
            yield dg.AssetCheckResult(
                asset_key=EVENTS,
                check_name=outcome.rule.name,
                passed=outcome.passed,
                severity=_SEVERITIES[outcome.rule.severity],
                metadata=outcome.facts,
            )

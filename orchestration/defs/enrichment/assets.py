"""The tables of enrichment as assets; the models are built after them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from core.enrichment.geography import Geography, GeographyError
from orchestration.defs.enrichment.lookups import Lookup, address_lookup, refresh_lookup, user_agent_lookup
from orchestration.defs.enrichment.processors import Outcome, run_processors
from orchestration.defs.landing.assets import EVENTS
from orchestration.resources import WarehouseResource
from orchestration.retries import ENGINE_RESTARTS
from orchestration.settings import OrchestrationSettings

USER_AGENTS = dg.AssetKey(["enrichment", "user_agents"])
ADDRESSES = dg.AssetKey(["enrichment", "addresses"])
CUSTOM = dg.AssetKey(["enrichment", "custom"])
_DATABASE_IS_READABLE = "geo_database_is_readable"
_PROCESSORS_SUCCEED = "processors_succeed"
# Before the models, which wait for them.
_FIRST = {"dagster/priority": "2"}


@dg.asset(
    key=USER_AGENTS,
    deps=[EVENTS],
    group_name="enrichment",
    tags={"layer": "enrichment"},
    kinds={"clickhouse"},
    op_tags=_FIRST,
    retry_policy=ENGINE_RESTARTS,
    description=(
        "One row per user agent of any event: browser, operating system, device, whether it is a robot's. "
        "Each is read once by each version of the rules."
    ),
)
def user_agents(
    warehouse: WarehouseResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> dg.MaterializeResult[Any]:
    """Read the user agents that are new or were read by other rules."""
    return dg.MaterializeResult(metadata=_refresh(warehouse, settings, user_agent_lookup()))


@dg.asset(
    key=ADDRESSES,
    deps=[EVENTS],
    group_name="enrichment",
    tags={"layer": "enrichment"},
    kinds={"clickhouse"},
    op_tags=_FIRST,
    retry_policy=ENGINE_RESTARTS,
    check_specs=[
        dg.AssetCheckSpec(
            _DATABASE_IS_READABLE, asset=ADDRESSES, description="The configured database of places can be read."
        )
    ],
    description=(
        "One row per address of any event: country, and region and city where a database knows them. "
        "Each is looked up once in each version of the database, and forgotten within a day of its last event."
    ),
)
def addresses(
    warehouse: WarehouseResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Look up the addresses that are new or were looked up in another database."""
    try:
        geography = Geography.open(settings.geo_database)
    except GeographyError as error:
        # What another database says would be worse than what this one said while it could be read, and the figures
        # must not wait for it.
        failed = _judged(_DATABASE_IS_READABLE, passed=False, facts={"error": error.detail})
        yield dg.MaterializeResult(check_results=[failed])
        return
    yield dg.MaterializeResult(
        metadata=_refresh(warehouse, settings, address_lookup(geography)),
        check_results=[_judged(_DATABASE_IS_READABLE, passed=True, facts={})],
    )


@dg.asset(
    key=CUSTOM,
    deps=[EVENTS],
    group_name="enrichment",
    tags={"layer": "enrichment"},
    kinds={"clickhouse", "python"},
    op_tags=_FIRST,
    retry_policy=ENGINE_RESTARTS,
    check_specs=[
        dg.AssetCheckSpec(
            _PROCESSORS_SUCCEED, asset=CUSTOM, description="No processor of the operator's own failed in this run."
        )
    ],
    description="One row per event and processor of the operator's own that returned something for it.",
)
def custom(
    warehouse: WarehouseResource, settings: dg.ResourceParam[OrchestrationSettings]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Run the operator's own processors over the events that are new to them."""
    with warehouse.connect() as client:
        outcomes = run_processors(client, landing=settings.landing_database, enrichment=settings.enrichment_database)
    failures = {name: outcome.failures for name, outcome in outcomes.items() if outcome.failures}
    yield dg.MaterializeResult(
        metadata={"processors": {name: _facts(outcome) for name, outcome in outcomes.items()}},
        check_results=[_judged(_PROCESSORS_SUCCEED, passed=not failures, facts={"failures": failures})],
    )


def _judged(name: str, *, passed: bool, facts: dict[str, Any]) -> dg.AssetCheckResult:
    # A warning: the figures do not depend on it.
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=facts)


def _facts(outcome: Outcome) -> dict[str, Any]:
    return {
        "version": outcome.version,
        "events": outcome.events,
        "results": outcome.results,
        "unreadable": outcome.unreadable,
        "unfinished": outcome.unfinished,
    }


def _refresh(warehouse: WarehouseResource, settings: OrchestrationSettings, lookup: Lookup) -> dict[str, Any]:
    with warehouse.connect() as client:
        done = refresh_lookup(
            client, lookup, landing=settings.landing_database, enrichment=settings.enrichment_database
        )
    return {
        "dagster/row_count": done.rows,
        "looked_up": done.looked_up,
        "forgotten": done.forgotten,
        "rules": lookup.rules,
    }

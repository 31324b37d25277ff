"""What is said about the models beside dbt's own tests."""

from typing import Any

import dagster as dg

from core.insights.files import scan_definitions
from core.insights.marts import DEFINITIONS
from orchestration.settings import OrchestrationSettings


# No error: the marts of the other definitions, and of this one as it was, are as right as before.
@dg.asset_check(
    asset=dg.AssetKey(["marts", "dim_projects"]),
    name="insight_definitions_are_valid",
    description="Every file in dbt_project/insights can be read; what cannot keeps the mart that it had.",
)
def insight_definitions(settings: dg.ResourceParam[OrchestrationSettings]) -> dg.AssetCheckResult:
    """Read all definitions, and name file, line and key of what is wrong."""
    found, problems = scan_definitions(settings.dbt_project_dir / DEFINITIONS)
    facts: dict[str, Any] = {"definitions": len(found), "problems": [str(problem) for problem in problems]}
    return dg.AssetCheckResult(passed=not problems, severity=dg.AssetCheckSeverity.WARN, metadata=facts)

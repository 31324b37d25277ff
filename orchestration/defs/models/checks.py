"""What is said about the models beside dbt's own tests."""

from typing import Any

import dagster as dg

from core.insights.marts import read_project, unwritten
from orchestration.settings import OrchestrationSettings


# No error: the marts of the other definitions, and of this one as it was, are as right as before.
@dg.asset_check(
    asset=dg.AssetKey(["marts", "dim_projects"]),
    name="insight_definitions_are_valid",
    description="Every file in dbt_project/insights can be read and has its model; what cannot keeps the mart it had.",
)
def insight_definitions(settings: dg.ResourceParam[OrchestrationSettings]) -> dg.AssetCheckResult:
    """Read all definitions, and name file, line and key of what is wrong."""
    found, problems = read_project(settings.dbt_project_dir)
    without_model = [str(file) for file in unwritten(settings.dbt_project_dir)]
    facts: dict[str, Any] = {
        "definitions": len(found),
        "problems": [str(problem) for problem in problems],
        "unwritten": without_model,
    }
    passed = not problems and not without_model
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=facts)

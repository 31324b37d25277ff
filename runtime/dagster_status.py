"""What Dagster's webserver says about Dagster: whether it is ready, and which runs lost their worker."""

from runtime.readiness import ask_graphql

_WORKSPACE = """
query { workspaceOrError { ... on Workspace {
  locationEntries { loadStatus locationOrLoadError { __typename } } } } }
"""
_DAEMONS = """
query { instance { daemonHealth { allDaemonStatuses { required lastHeartbeatTime } } } }
"""
_ACTIVE_RUNS = """
query ($before: Float!) { runsOrError(filter: {
  statuses: [NOT_STARTED, STARTING, STARTED, CANCELING], createdBefore: $before }) {
  ... on Runs { results { runId } } } }
"""
_ENDED_REFRESHES = """
query { runsOrError(filter: { pipelineName: "refresh", statuses: [SUCCESS, FAILURE] }, limit: 100) {
  ... on Runs { results { status endTime } } } }
"""
_CANCEL = """
mutation ($runs: [String!]!) {
  terminateRuns(runIds: $runs, terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) { __typename } }
"""


async def has_loaded_definitions(web_port: int) -> bool:
    """Say whether the webserver is up and has the code location's definitions."""
    data = await ask_graphql(web_port, _WORKSPACE)
    entries = ((data or {}).get("workspaceOrError") or {}).get("locationEntries") or []
    return bool(entries) and all(
        entry["loadStatus"] == "LOADED"
        and (entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation"
        for entry in entries
    )


async def daemons_are_at_work(web_port: int, since: float) -> bool:
    """Say whether every daemon has given a sign of life after `since` (seconds since 1970)."""
    data = await ask_graphql(web_port, _DAEMONS)
    health = ((data or {}).get("instance") or {}).get("daemonHealth") or {}
    required = [status for status in health.get("allDaemonStatuses", []) if status["required"]]
    return bool(required) and all((status["lastHeartbeatTime"] or 0) > since for status in required)


async def failed_refreshes(web_port: int) -> list[float]:
    """Return when each refresh since the last one that succeeded failed (seconds since 1970), the newest first."""
    data = await ask_graphql(web_port, _ENDED_REFRESHES)
    runs = ((data or {}).get("runsOrError") or {}).get("results", [])
    statuses = [run["status"] for run in runs]
    failed = statuses.index("SUCCESS") if "SUCCESS" in statuses else len(statuses)
    return [run["endTime"] for run in runs[:failed]]


async def cancel_abandoned_runs(web_port: int, before: float) -> int:
    """Cancel the unfinished runs that were created before `before`, and return their number.

    A run's worker is a child of the code server and ends with it, and Dagster's default launcher never finds out: the
    run would hold the one place in the queue for ever. Give the time at which the present code server was launched.
    """
    data = await ask_graphql(web_port, _ACTIVE_RUNS, {"before": before})
    runs = [run["runId"] for run in ((data or {}).get("runsOrError") or {}).get("results", [])]
    if runs:
        await ask_graphql(web_port, _CANCEL, {"runs": runs})
    return len(runs)

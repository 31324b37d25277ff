"""Runs the job `refresh` on the running Dagster, through its GraphQL interface."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from runtime.errors import OperationError

JOB = "refresh"
_POLL_S = 0.5
_PATIENCE_S = 60.0
_FINAL = {"SUCCESS", "FAILURE", "CANCELED"}

_FIND_JOB = """
query { repositoriesOrError { __typename
  ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
  ... on PythonError { message } } }
"""
_LAUNCH = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }
"""
_FOLLOW = """
query ($run: ID!, $cursor: String) {
  runOrError(runId: $run) { ... on Run { status } }
  logsForRun(runId: $run, afterCursor: $cursor, limit: 200) { ... on EventConnection { cursor hasMore events {
    __typename
    ... on MaterializationEvent { assetKey { path } }
    ... on AssetCheckEvaluationEvent { evaluation { success checkName assetKey { path } } }
    ... on ExecutionStepStartEvent { stepKey }
    ... on ExecutionStepFailureEvent { stepKey error { message } }
    ... on RunFailureEvent { message } } } } }
"""


@dataclass(frozen=True)
class Happening:
    """Something that the run reported: a `table` built, a `check` passed or failed, a `step` begun, a `failure`."""

    kind: str
    name: str
    is_good: bool = True


class Dagster:
    """A client of one Dagster webserver. Every method raises OperationError when Dagster says no or stays away."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def launch(self) -> str:
        """Start the job and return the run's id; wait up to a minute until the code location is loaded."""
        selector = self._find_job()
        answer = self._ask(_LAUNCH, {"params": {"selector": selector, "mode": "default"}})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise OperationError(f"Dagster did not start the job {JOB}: {answer}")
        return answer["run"]["runId"]

    def follow(self, run_id: str) -> Iterator[Happening]:
        """Yield what the run reports until it has ended; raise OperationError with the reason unless it succeeded."""
        cursor: str | None = None
        reasons: list[str] = []
        while True:
            answer = self._ask(_FOLLOW, {"run": run_id, "cursor": cursor})
            logs = answer["logsForRun"]
            cursor = logs.get("cursor", cursor)
            for event in logs.get("events", []):
                happening = _happening(event)
                if happening is not None:
                    if happening.kind == "failure":
                        reasons.append(happening.name)
                    yield happening
            status = answer["runOrError"].get("status")
            if status in _FINAL and not logs.get("hasMore"):
                break
            time.sleep(_POLL_S)
        if status != "SUCCESS":
            reason = "\n".join(reasons) or status
            raise OperationError(f"The run of {JOB} did not succeed: {reason}\nSee {self.url}/runs/{run_id}")

    def _find_job(self) -> dict[str, str]:
        until = time.monotonic() + _PATIENCE_S
        answer: Any = None
        while time.monotonic() < until:
            answer = self._ask(_FIND_JOB, {})["repositoriesOrError"]
            for repository in answer.get("nodes", []):
                if any(job["name"] == JOB for job in repository["jobs"]):
                    location = repository["location"]["name"]
                    return {"repositoryName": repository["name"], "repositoryLocationName": location, "jobName": JOB}
            time.sleep(_POLL_S)
        raise OperationError(f"Dagster at {self.url} has no job {JOB}: {answer}. See `radixinsight logs dagster-code`.")

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._client.post("/graphql", json={"query": query, "variables": variables})
            answer: dict[str, Any] = response.raise_for_status().json()
        except httpx.HTTPError as error:
            raise OperationError(f"Dagster at {self.url} does not answer: {error!r}") from error
        if answer.get("errors"):
            raise OperationError(f"Dagster refused a query: {answer['errors']}")
        return answer["data"]


def _happening(event: dict[str, Any]) -> Happening | None:
    match event["__typename"]:
        case "MaterializationEvent" if event["assetKey"]:
            return Happening("table", ".".join(event["assetKey"]["path"]))
        case "AssetCheckEvaluationEvent":
            evaluation = event["evaluation"]
            name = f"{'.'.join(evaluation['assetKey']['path'])}: {evaluation['checkName']}"
            return Happening("check", name, is_good=bool(evaluation["success"]))
        case "ExecutionStepStartEvent":
            return Happening("step", event["stepKey"])
        case "ExecutionStepFailureEvent":
            reason = (event["error"] or {}).get("message", "").strip()
            return Happening("failure", f"{event['stepKey']}: {reason}", is_good=False)
        case "RunFailureEvent":
            return Happening("failure", event["message"], is_good=False)
        case _:
            return None

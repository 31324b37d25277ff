"""What `radixinsight status` says about refreshes."""

import asyncio
from typing import Any

import pytest

from runtime import dagster_status


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [
        ([], []),
        (["SUCCESS", "FAILURE"], []),
        (["FAILURE", "FAILURE", "SUCCESS", "FAILURE"], [100.0, 99.0]),
        (["FAILURE"], [100.0]),
    ],
)
def test_refreshes_that_failed_since_the_last_success_are_counted(
    monkeypatch: pytest.MonkeyPatch, statuses: list[str], failed: list[float]
) -> None:
    async def answer(port: int, query: str) -> dict[str, Any]:
        assert (port, "refresh" in query) == (7102, True)
        runs = [{"status": status, "endTime": 100.0 - place} for place, status in enumerate(statuses)]
        return {"runsOrError": {"results": runs}}

    monkeypatch.setattr(dagster_status, "ask_graphql", answer)
    assert asyncio.run(dagster_status.failed_refreshes(7102)) == failed


def test_a_dagster_that_does_not_answer_has_no_failed_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_port: int, _query: str) -> None:
        return None

    monkeypatch.setattr(dagster_status, "ask_graphql", answer)
    assert asyncio.run(dagster_status.failed_refreshes(7102)) == []

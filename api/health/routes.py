"""`/healthz`, `/readyz` and `/metrics`."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import ResourcesDep
from api.health.schemas import Alive, Ready
from api.problems import UNAVAILABLE
from core.errors import UnavailableError

router = APIRouter(tags=["health"])

_METRICS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus' text format",
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": 'radixinsight_api_results_total{source="cache"} 12.0\n',
            }
        },
    }
}


@router.get("/healthz", operation_id="get_health", summary="Whether the process answers")
async def get_health() -> Alive:
    """Answer, whatever the state of the engines: for a probe that restarts a process that does not answer."""
    return Alive(status="ok")


@router.get("/readyz", operation_id="get_readiness", summary="Whether questions can be answered", responses=UNAVAILABLE)
async def get_readiness(held: ResourcesDep) -> Ready:
    """Ask ClickHouse, PostgreSQL and Valkey for a sign of life. Without Valkey the API is slower, yet ready."""
    clickhouse, postgresql, valkey = await asyncio.gather(
        held.warehouse.is_reachable(), held.database.is_reachable(), held.cache.is_reachable()
    )
    missing = [name for name, there in (("clickhouse", clickhouse), ("postgresql", postgresql)) if not there]
    if missing:
        raise UnavailableError(*missing)
    return Ready(status="ready", checks={"clickhouse": "ok", "postgresql": "ok", "valkey": "ok" if valkey else "away"})


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Metrics for Prometheus",
    responses=_METRICS,
    response_class=Response,
)
async def get_metrics(held: ResourcesDep) -> Response:
    """Return the process's counters and histograms."""
    return Response(held.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

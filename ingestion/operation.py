"""What operators ask the collector: is it alive, is it ready, what did it count."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Not ready; `checks` says why."}})
async def readyz(request: Request) -> Response:
    """Say whether events are taken: write keys are known and the spool has room."""
    checks = request.app.state.collector.checks()
    is_ready = all(value == "ok" for value in checks.values())
    body: dict[str, Any] = {"status": "ready" if is_ready else "not ready", "checks": checks}
    return Response(msgspec.json.encode(body), status_code=200 if is_ready else 503, media_type="application/json")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Return counters and gauges in Prometheus' text format."""
    return Response(generate_latest(request.app.state.collector.metrics.registry), media_type=CONTENT_TYPE_LATEST)

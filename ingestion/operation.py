"""What operators ask the collector: is it alive, is it ready, what did it count."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "alive"}


# Not in the document: it says less than /healthz, and only to those who expect Snowplow's collector here.
@router.get("/health", include_in_schema=False)
async def health() -> PlainTextResponse:
    """Say that the process is alive, as Snowplow's collector does."""
    return PlainTextResponse("OK")


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

"""The collector's HTTP interface."""

import base64
import time
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from core.events import EventType
from ingestion import body as bodies
from ingestion import openapi
from ingestion.intake import Outcome, take
from ingestion.protocols import segment
from ingestion.reading import Share
from ingestion.state import CollectorState
from ingestion.validation import Received

_SUCCESS = b'{"success":true}'
_MAX_REPORTED_REJECTS = 100
router = APIRouter()
health = APIRouter(tags=["operation"])


async def _collect(request: Request, parse: Callable[[bytes], segment.Request], kind: str | None) -> Response:
    with request.app.state.collector.reading.share() as share:
        return await _collect_within(share, request, parse, kind)


async def _collect_within(
    share: Share, request: Request, parse: Callable[[bytes], segment.Request], kind: str | None
) -> Response:
    received_ms = time.time_ns() // 1_000_000
    started = time.perf_counter()
    state: CollectorState = request.app.state.collector
    state.bounds.check(state.writer.pending_bytes)
    key = _basic_user(request.headers.get("authorization"))
    # A key in the header is judged before the body is read, one in the body before its events are looked at.
    owner = await state.write_keys.find(key) if key else None
    body = await bodies.read(request, state.settings.max_request_bytes, share, state.settings.body_timeout_s)
    if owner is None:
        await state.write_keys.find(segment.find_write_key(body))
    parsed = parse(body)
    if owner is None:
        owner = await state.write_keys.find(parsed.write_key)
    received = Received(
        project_id=owner.project_id,
        write_key_id=owner.write_key_id,
        protocol=segment.NAME,
        received_ms=received_ms,
        ip=request.client.host if request.client else "",
        user_agent=request.headers.get("user-agent", ""),
    )
    outcome = take(parsed, received, state.writer, kind=kind, max_event_bytes=state.settings.max_event_bytes)
    await state.writer.commit()
    state.bounds.add(outcome.size)
    state.metrics.count(outcome, time.perf_counter() - started)
    return Response(_answer(outcome), media_type="application/json")


def _answer(outcome: Outcome) -> bytes:
    if not outcome.rejected:
        return _SUCCESS
    reported = outcome.rejected[:_MAX_REPORTED_REJECTS]
    rejects = [{"index": index, "reason": reason, "detail": detail} for index, reason, detail in reported]
    return msgspec.json.encode({"success": True, "rejected": len(outcome.rejected), "rejects": rejects})


def _basic_user(authorization: str | None) -> str | None:
    """Return the user name of Basic authentication, which is the write key; None without one."""
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials).decode().partition(":")[0]
    except ValueError:
        return None


@router.post("/v1/batch", tags=["events"], openapi_extra=openapi.batch(), responses=openapi.RESPONSES)
async def send_batch(request: Request) -> Response:
    """Send many events at once.

    The answer 200 means that every event is on disk: either on its way to the warehouse or, when it was rejected,
    to the table of rejects. One bad event never spoils the others; the answer lists those that were rejected.
    """
    return await _collect(request, segment.parse_batch, None)


def _add_single(kind: EventType) -> None:
    async def send_one(request: Request) -> Response:
        return await _collect(request, segment.parse_single, kind)

    send_one.__doc__ = f"Send one {kind} event. The answer 200 means that it is on disk."
    router.post(
        f"/v1/{kind}",
        name=f"send_{kind}",
        tags=["events"],
        openapi_extra=openapi.single(kind),
        responses=openapi.RESPONSES,
    )(send_one)


for _kind in EventType:
    _add_single(_kind)


@health.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "alive"}


@health.get("/readyz", responses={503: {"description": "Not ready; `checks` says why."}})
async def readyz(request: Request) -> Response:
    """Say whether events are taken: write keys are known and the spool has room."""
    checks = request.app.state.collector.checks()
    is_ready = all(value == "ok" for value in checks.values())
    body: dict[str, Any] = {"status": "ready" if is_ready else "not ready", "checks": checks}
    return Response(msgspec.json.encode(body), status_code=200 if is_ready else 503, media_type="application/json")


@health.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Return counters and gauges in Prometheus' text format."""
    return Response(generate_latest(request.app.state.collector.metrics.registry), media_type=CONTENT_TYPE_LATEST)

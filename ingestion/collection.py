"""The short way for events: from an ASGI request to the spool and its answer.

Routing, dependencies and response classes of the framework cost more than all of our own work on a small request
(docs/performance.md), so requests with events go past them; everything else goes through FastAPI.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import RadixError
from ingestion import body as bodies
from ingestion.errors import MethodNotAllowedError, RequestTooLargeError
from ingestion.intake import Outcome, take
from ingestion.reading import Share
from ingestion.state import CollectorState
from ingestion.validation import Received
from ingestion.wire import Endpoint, Reply, Wire, problem
from ingestion.write_keys import KeyOwner

_logger = structlog.get_logger()


class EventRoutes:
    """ASGI middleware that serves the endpoints and passes on every other path."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint]) -> None:
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        state: CollectorState = scope["app"].state.collector
        wire = Wire(
            scope["method"],
            scope["path"],
            scope["query_string"],
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            scope["client"][0] if scope.get("client") else "",
        )
        await _send(send, await _answer(state, endpoint, wire, receive))


async def _answer(state: CollectorState, endpoint: Endpoint, wire: Wire, receive: Receive) -> Reply:
    received_ms = time.time_ns() // 1_000_000
    started = time.perf_counter()
    try:
        with state.reading.share() as share:
            owner, wire = await _read(state, endpoint, wire, receive, share)
            endpoint = endpoint.chosen(wire)
            reply, outcome = await _collect(state, endpoint, wire, owner, received_ms)
            state.metrics.count(outcome, time.perf_counter() - started)
            return reply
    except RadixError as error:
        refusal = error
    except Exception:  # one request's fault must not end the connection unanswered
        _logger.exception("request_failed", path=wire.path)
        refusal = RadixError("Something unexpected went wrong; the log has the details.")
    state.metrics.refused.labels(refusal.code).inc()
    return (endpoint.chosen(wire).refuse or problem)(wire, refusal)


async def _read(
    state: CollectorState, endpoint: Endpoint, wire: Wire, receive: Receive, share: Share
) -> tuple[KeyOwner | None, Wire]:
    """Return the request with its body, and whose key its header holds."""
    if wire.method not in endpoint.methods:
        raise MethodNotAllowedError(wire.method, endpoint.methods)
    state.bounds.check(state.writer.pending_bytes)
    # A key in the header is judged before the body is read, one in the body before its events are looked at.
    key = wire.header_key if endpoint.head_key is None else endpoint.head_key(wire)
    owner = await state.write_keys.find(key) if key else None
    settings = state.settings
    body = await bodies.read(receive, wire.headers, settings.max_request_bytes, share, settings.body_timeout_s)
    return owner, replace(wire, body=body)


async def _collect(
    state: CollectorState, endpoint: Endpoint, wire: Wire, owner: KeyOwner | None, received_ms: int
) -> tuple[Reply, Outcome]:
    """Put the request's events on disk."""
    if owner is None and endpoint.find_key is not None:
        await state.write_keys.find(endpoint.find_key(wire))
    delivery = endpoint.parse(wire)
    if owner is None:
        owner = await state.write_keys.find(delivery.write_key)
    if len(delivery.events) > state.settings.max_request_events:
        raise RequestTooLargeError(
            f"The request has {len(delivery.events)} events; {state.settings.max_request_events} are allowed."
        )
    ip = wire.ip if delivery.uses_ip else ""
    received = Received(
        project_id=owner.project_id,
        write_key_id=owner.write_key_id,
        protocol=endpoint.protocol,
        received_ms=received_ms,
        ip=ip,
        user_agent=wire.headers.get("user-agent", ""),
        path=wire.path,
        country=state.geography.country(ip),
        country_of=state.geography.country,
    )
    outcome = take(delivery, received, state.writer, max_event_bytes=state.settings.max_event_bytes)
    await state.writer.commit()
    state.bounds.add(outcome.size)
    return delivery.reply(outcome.rejected), outcome


async def _send(send: Send, reply: Reply) -> None:
    headers = [
        (b"content-type", reply.media_type.encode("latin-1")),
        (b"content-length", str(len(reply.body)).encode("ascii")),
    ]
    for name, value in (reply.headers or {}).items():
        headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})

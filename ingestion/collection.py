"""The short way for events: from an ASGI request to the spool and its answer.

Middleware, routing, dependencies and response classes of the framework cost more than all of our own work on a small
request (docs/performance.md), so requests with events go past them; everything else goes through FastAPI.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import RadixError
from core.logging import REQUEST_ID
from core.metadata.collection_rules import Bots
from ingestion import body as bodies
from ingestion.cross_origin import cross_origin
from ingestion.errors import MethodNotAllowedError, RequestTooLargeError
from ingestion.importing.routes import is_upload
from ingestion.intake import Outcome, take
from ingestion.protocols import canary
from ingestion.reading import Share
from ingestion.request_ids import HEADER, RequestIds
from ingestion.state import CollectorState
from ingestion.validation import Received
from ingestion.wire import Endpoint, Reply, Wire, problem
from ingestion.write_keys import KeyOwner

_REQUEST_ID = HEADER.encode("ascii")
_LOOPBACK = ("127.0.0.1", "::1")
_logger = structlog.get_logger()


class EventRoutes:
    """ASGI application that serves the endpoints and passes on every other path. Every request gets an id."""

    def __init__(self, app: ASGIApp, endpoints: Mapping[str, Endpoint], state: Callable[[], CollectorState]) -> None:
        self._app = app
        self._endpoints = endpoints
        self._state = state
        self._request_ids = RequestIds()
        self._serve_other_origins = cross_origin(self._serve)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        names = {name for name, _ in scope["headers"]}
        is_preflight = scope["method"] == "OPTIONS" and b"access-control-request-method" in names
        if scope["path"] not in self._endpoints or is_preflight or is_upload(scope):
            await self._pass_on(scope, receive, send)
        elif b"origin" in names:
            await self._serve_other_origins(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = self._begin(headers)
        client = scope["client"][0] if scope.get("client") else ""
        wire = Wire(scope["method"], scope["path"], scope["query_string"], headers, ip=client, request_id=request_id)
        reply = await _answer(self._state(), self._endpoints[wire.path], wire, receive)
        await _send(send, reply, wire)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._begin(Headers(scope=scope))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], _request_id_header(request_id)]
            await send(message)

        scope.setdefault("state", {})["request_id"] = request_id
        await self._app(scope, receive, send_with_id)

    def _begin(self, headers: Mapping[str, str]) -> str:
        request_id = self._request_ids.of(headers)
        REQUEST_ID.set(request_id)
        return request_id


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
    refusal.extra["request_id"] = wire.request_id
    state.metrics.refused.labels(refusal.code).inc()
    endpoint = endpoint.chosen(wire)
    reply = (endpoint.refuse or problem)(wire, refusal)
    state.refusals.write(wire, endpoint.protocol, reply.status, refusal)
    return reply


async def _read(
    state: CollectorState, endpoint: Endpoint, wire: Wire, receive: Receive, share: Share
) -> tuple[KeyOwner | None, Wire]:
    """Return the request with its body, and whose key its header holds."""
    if wire.method not in endpoint.methods:
        raise MethodNotAllowedError(wire.method, endpoint.methods)
    is_rated = not _is_own_canary(state, endpoint, wire)
    if is_rated:
        state.rates.demand_address(wire.ip)
    state.bounds.check(state.writer.pending_bytes)
    # A key in the header is judged before the body is read, one in the body before its events are looked at.
    key = wire.header_key if endpoint.head_key is None else endpoint.head_key(wire)
    owner = await state.owner_of(key, wire.headers.get("origin"), is_rated=is_rated) if key else None
    settings = state.settings
    body = await bodies.read(receive, wire.headers, settings.max_request_bytes, share, settings.body_timeout_s)
    return owner, replace(wire, body=body)


async def _collect(
    state: CollectorState, endpoint: Endpoint, wire: Wire, owner: KeyOwner | None, received_ms: int
) -> tuple[Reply, Outcome]:
    """Put the request's events on disk."""
    origin, is_rated = wire.headers.get("origin"), not _is_own_canary(state, endpoint, wire)
    if owner is None and endpoint.find_key is not None:
        await state.owner_of(endpoint.find_key(wire), origin, is_rated=is_rated)
    delivery = endpoint.parse(wire)
    if owner is None:
        owner = await state.owner_of(delivery.write_key, origin, is_rated=is_rated)
    if len(delivery.events) > state.settings.max_request_events:
        raise RequestTooLargeError(
            f"The request has {len(delivery.events)} events; {state.settings.max_request_events} are allowed."
        )
    if is_rated:
        state.rates.demand_key(owner, len(delivery.events))
    ip = wire.ip if delivery.uses_ip else ""
    received = Received(
        project_id=owner.project_id,
        write_key_id=owner.write_key_id,
        protocol=endpoint.protocol,
        received_ms=received_ms,
        ip=ip,
        user_agent=wire.headers.get("user-agent", ""),
        path=wire.path,
        schemas=None if endpoint.protocol == canary.NAME else owner.schemas,
        privacy=owner.project.privacy,
        limits=state.limits,
        rejects_bots=owner.project.rules.bots is Bots.REJECT,
        country=state.geography.country(ip),
        country_of=state.geography.country,
    )
    outcome = take(delivery, received, state.writer)
    await state.writer.commit()
    state.bounds.add(outcome.size)
    if state.live is not None and endpoint.protocol != canary.NAME:
        state.live.offer(owner.project_id, outcome.landed)
    state.metrics.repeated.inc(state.recent_ids.count_repeats(owner.project_id, outcome.message_ids))
    return delivery.reply(outcome.rejected), outcome


def _is_own_canary(state: CollectorState, endpoint: Endpoint, wire: Wire) -> bool:
    """Say whether this collector sent it: no rate may stop it, or it would cry alarm where others send too much."""
    return endpoint.protocol == canary.NAME and wire.ip in {*_LOOPBACK, state.settings.host}


async def _send(send: Send, reply: Reply, wire: Wire) -> None:
    headers = [
        _request_id_header(wire.request_id),
        (b"content-type", reply.media_type.encode("latin-1")),
        (b"content-length", str(len(reply.body)).encode("ascii")),
    ]
    if "origin" not in wire.headers:
        headers.append((b"vary", b"Origin"))  # one that names its origin is answered otherwise
    for name, value in (reply.headers or {}).items():
        headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _request_id_header(request_id: str) -> tuple[bytes, bytes]:
    return _REQUEST_ID, request_id.encode("ascii")

"""`/v1/projects/{project_id}/live/…`."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response, WebSocket

from api.dependencies import ProjectDep, ResourcesDep
from api.live.access import SocketGrantDep, StreamGrantDep
from api.live.schemas import Counters, LiveQuery, SocketQuery, Ticket
from api.live.stream import EventStream, serve_socket
from api.problems import (
    INVALID,
    TIMED_OUT,
    TOO_MANY_STREAMS,
    UNANSWERABLE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNKNOWN_PROJECT,
)

router = APIRouter(prefix="/v1/projects/{project_id}/live", tags=["live"], responses=UNAUTHENTICATED | UNKNOWN_PROJECT)

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Messages, until either side ends the stream; each is a kind and a JSON object (docs/live.md)",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'event: hello\ndata: {"project_id":1,"resumed":null}\n\n'
                "event: event\nid: 5f0c1d2e-1764182450123456\n"
                'data: {"message_id":"m-1","type":"track","event":"purchase","user_id":"ada", … }\n\n'
                'event: dropped\ndata: {"over_rate":12,"over_memory":0,"missed":0}\n\n',
            }
        },
    }
}


@router.get(
    "/events",
    operation_id="stream_live_events",
    summary="A project's events while they come in",
    responses=_STREAM | INVALID | TOO_MANY_STREAMS | UNAVAILABLE,
    response_class=EventStream,
    status_code=200,
)
async def stream_live_events(
    grant: StreamGrantDep,
    held: ResourcesDep,
    query: Annotated[LiveQuery, Query()],
    last_event_id: Annotated[
        str | None, Header(max_length=200, description="Id of the last event that was seen: those since come again.")
    ] = None,
) -> Response:
    """Stream events within two seconds of their acknowledgement, live counters and alerts."""
    reader = await held.live.open(grant, query.wanted(), "sse", last_event_id)
    return EventStream(held.live, reader)


@router.websocket("/socket")
async def stream_live_socket(
    websocket: WebSocket, grant: SocketGrantDep, held: ResourcesDep, query: Annotated[SocketQuery, Query()]
) -> None:
    """Send the same messages over a WebSocket."""
    reader = await held.live.open(grant, query.wanted(), "websocket", query.last_event_id)
    await serve_socket(held.live, reader, websocket)


@router.get(
    "/counters",
    operation_id="get_live_counters",
    summary="What happened in the last minutes",
    responses=INVALID | UNANSWERABLE | TIMED_OUT,
)
async def get_live_counters(project: ProjectDep, held: ResourcesDep) -> Counters:
    """Count active ids of the last 5 and 30 minutes, and events per minute, a few seconds old at most."""
    return await held.live.counters.read(project.id)


@router.post(
    "/tickets",
    operation_id="create_live_ticket",
    summary="Make a ticket for a WebSocket",
    responses=INVALID | UNAVAILABLE,
)
async def create_live_ticket(grant: StreamGrantDep, held: ResourcesDep) -> Ticket:
    """Make what opens one WebSocket of the project, once and within seconds: browsers cannot send the key there."""
    ticket, expires_at = await held.live.tickets.issue(grant)
    return Ticket(ticket=ticket, expires_at=expires_at)

"""Whose project a stream shows, and by which key: in the head, or for a browser's WebSocket by a ticket."""

from typing import Annotated

from fastapi import Depends, Path, Request, WebSocket
from starlette.requests import HTTPConnection

from api.dependencies import ProjectDep, ResourcesDep, bearer, key_project
from api.errors import OriginNotAllowedError, ProjectNotFoundError
from api.live.tickets import Grant
from core.metadata.origins import AllowedOrigins
from core.metadata.projects import hash_api_key


async def key_grant(request: Request, project: ProjectDep) -> Grant:
    """Return what the key in the head may see."""
    return Grant(project.id, _hash_in_head(request))


async def socket_key(websocket: WebSocket, held: ResourcesDep) -> Grant:
    """Return what the ticket, or the key in the head, of a handshake may see; pages of other origins may nothing."""
    _demand_origin(websocket, held.settings.live_allowed_origins)
    ticket = websocket.query_params.get("ticket")
    if ticket is None:
        project = await key_project(websocket, held, await bearer(websocket))
        return Grant(project.id, _hash_in_head(websocket))
    grant = await held.live.tickets.redeem(ticket)
    # It may have been revoked since.
    await held.keys.project_of_hash(grant.key_hash)
    return grant


async def socket_grant(
    grant: Annotated[Grant, Depends(socket_key)], project_id: Annotated[int, Path(ge=1, le=2**32 - 1)]
) -> Grant:
    """Return what a handshake may see of the project in its path."""
    if grant.project_id != project_id:
        raise ProjectNotFoundError(project_id)
    return grant


KeyGrantDep = Annotated[Grant, Depends(key_grant)]
SocketGrantDep = Annotated[Grant, Depends(socket_grant)]


def _hash_in_head(connection: HTTPConnection) -> str:
    return hash_api_key(connection.headers["authorization"].partition(" ")[2])


def _demand_origin(websocket: WebSocket, allowed: str) -> None:
    """Raise `OriginNotAllowedError` for a page of another origin; programs name none.

    A browser lets every page open a WebSocket to every host, and only says where the page is from.
    """
    origin = websocket.headers.get("origin")
    if origin is None:
        return
    # A proxy in front may speak TLS where we do not.
    host = websocket.headers.get("host", "")
    own = [f"{scheme}://{host}" for scheme in ("http", "https")] if host else []
    if not AllowedOrigins([*own, *allowed.split()]).allow(origin):
        raise OriginNotAllowedError(origin)

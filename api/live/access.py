"""Whose project a stream shows, and to whom: by a key or session, or for a browser's WebSocket by a ticket."""

from typing import Annotated

from fastapi import Depends, Path, WebSocket

from api.dependencies import ClientDep, PrincipalDep, ResourcesDep, bearer, demand_project, principal, project_for
from api.errors import OriginNotAllowedError, ProjectNotFoundError
from api.live.tickets import PERMISSION, Grant
from core.metadata import Project
from core.metadata.origins import AllowedOrigins


async def stream_grant(
    found: PrincipalDep, client: ClientDep, project: Annotated[Project, Depends(project_for(PERMISSION))]
) -> Grant:
    """Return what whoever asks may see."""
    return Grant(project.id, found.holder, client.address)


async def socket_grant(
    websocket: WebSocket,
    held: ResourcesDep,
    client: ClientDep,
    project_id: Annotated[int, Path(ge=1, le=2**32 - 1)],
) -> Grant:
    """Return what a handshake may see, by its ticket, key or session; pages of other origins may nothing."""
    _demand_origin(websocket, held.settings.live_allowed_origins)
    ticket = websocket.query_params.get("ticket")
    if ticket is not None:
        grant = await held.live.tickets.redeem(ticket)
        # It may have been revoked since.
        holds = await held.access.still_sees(grant.holder, grant.project_id, PERMISSION, client)
        if grant.project_id != project_id or not holds:
            raise ProjectNotFoundError(project_id)
        return grant._replace(address=client.address)
    found = await principal(websocket, held, await bearer(websocket), None)
    seen = demand_project(found, project_id, PERMISSION, websocket, held)
    return Grant(seen.project.id, found.holder, client.address)


StreamGrantDep = Annotated[Grant, Depends(stream_grant)]
SocketGrantDep = Annotated[Grant, Depends(socket_grant)]


def _demand_origin(websocket: WebSocket, allowed: str) -> None:
    """Raise `OriginNotAllowedError` for a page of another origin; programs name none.

    A browser lets every page open a WebSocket to every host, with its cookie, and only says where the page is from.
    """
    origin = websocket.headers.get("origin")
    if origin is None:
        return
    # A proxy in front may speak TLS where we do not.
    host = websocket.headers.get("host", "")
    own = [f"{scheme}://{host}" for scheme in ("http", "https")] if host else []
    if not AllowedOrigins([*own, *allowed.split()]).allow(origin):
        raise OriginNotAllowedError(origin)

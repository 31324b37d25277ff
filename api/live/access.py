"""Whose project a stream shows, and to whom: by a key or session, or for a browser's WebSocket by a ticket."""

from typing import Annotated

from fastapi import Depends, Path, WebSocket

from api.access.errors import ApiKeyInvalidError, ProjectNotFoundError, SessionEndedError
from api.access.principals import Principal
from api.dependencies import ClientDep, PrincipalDep, ResourcesDep, bearer, demand_project, principal, project_for
from api.live.errors import OriginNotAllowedError, TicketInvalidError
from api.live.tickets import PERMISSION, Grant
from core.metadata import Project
from core.metadata.origins import AllowedOrigins


async def stream_grant(
    found: PrincipalDep, client: ClientDep, project: Annotated[Project, Depends(project_for(PERMISSION))]
) -> Grant:
    """Return what whoever asks may see."""
    return Grant(project.id, found.holder, client.address)


async def socket_holder(websocket: WebSocket, held: ResourcesDep, client: ClientDep) -> Grant | Principal:
    """Return who opens a WebSocket, by a ticket, key or session; pages of other origins may not."""
    _demand_origin(websocket, held.settings.live_allowed_origins)
    ticket = websocket.query_params.get("ticket")
    if ticket is None:
        return await principal(websocket, held, await bearer(websocket), None)
    grant = await held.live.tickets.redeem(ticket)
    # It may have been revoked since.
    try:
        holds = await held.access.still_sees(grant.holder, grant.project_id, PERMISSION, client)
    except (ApiKeyInvalidError, SessionEndedError) as error:
        raise TicketInvalidError from error
    if not holds:
        raise TicketInvalidError
    return grant._replace(address=client.address)


async def socket_grant(
    websocket: WebSocket,
    held: ResourcesDep,
    found: Annotated[Grant | Principal, Depends(socket_holder)],
    client: ClientDep,
    project_id: Annotated[int, Path(ge=1, le=2**32 - 1)],
) -> Grant:
    """Return what a handshake may see of the project in its path."""
    if isinstance(found, Grant):
        if found.project_id != project_id:
            raise ProjectNotFoundError(project_id)
        return found
    demand_project(found, project_id, PERMISSION, websocket, held)
    return Grant(project_id, found.holder, client.address)


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

"""`/v1/projects/{project_id}/links`, and `/v1/shared` for whoever has a link."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from api.access.principals import ProjectAccess
from api.dependencies import ActingDep, ClientDep, ObjectId, ResourcesDep, project_access_for
from api.problems import (
    LINK_OPENING,
    SAVED,
    SAVED_NEW,
    SHARED,
    SHARED_RESULT,
    SHARING,
    TIMED_OUT,
    UNANSWERABLE,
    UNAVAILABLE,
)
from api.resources import Resources
from api.sharing.schemas import (
    LinkOpened,
    LinkPage,
    LinkQuery,
    LinkShown,
    NewLink,
    OpenLink,
    Shared,
    SharedQuery,
    SharedResult,
)
from api.sharing.service import demand_export
from api.sharing.view import LinkNotOpenedError, Viewer
from core.metadata.saved import SavedObject, SharedLink

router = APIRouter(prefix="/v1", tags=["sharing"])
_Writes = Annotated[ProjectAccess, Depends(project_access_for("insights:write"))]
_LinkId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]
_bearer = HTTPBearer(
    scheme_name="SharedLink",
    bearerFormat="sv_…",
    description="What POST /v1/shared/open gives to whoever has a link.",
    auto_error=False,
)


@router.post(
    "/projects/{project_id}/saved/{object_id}/links",
    operation_id="create_link",
    summary="Share by link",
    responses=SAVED | SAVED_NEW | SHARING,
    status_code=201,
)
async def create_link(
    object_id: ObjectId, body: NewLink, access: _Writes, by: ActingDep, held: ResourcesDep
) -> LinkShown:
    """Make a link by which whoever has it sees a dashboard or an insight until it expires, and nothing else."""
    link, shared = await held.links.create(by, access, object_id, body.expires_at, body.password)
    return _shown(held, link, shared)


@router.get("/projects/{project_id}/links", operation_id="list_links", summary="List links", responses=SAVED | SHARING)
async def list_links(
    access: _Writes, _: ActingDep, held: ResourcesDep, query: Annotated[LinkQuery, Query()]
) -> LinkPage:
    """Return the links of the project that were not revoked."""
    demand_export(access)
    page, following = await held.links.page(access.project, query)
    return LinkPage(links=[_shown(held, link, shared) for link, shared in page], next=following)


@router.delete(
    "/projects/{project_id}/links/{link_id}",
    operation_id="revoke_link",
    summary="Revoke a link",
    responses=SAVED | SHARING,
    status_code=204,
)
async def revoke_link(link_id: _LinkId, access: _Writes, by: ActingDep, held: ResourcesDep) -> None:
    """Show nothing any more to whoever has it."""
    await held.links.revoke(by, access.project, link_id)


@router.post("/shared/open", operation_id="open_link", summary="Open a link", responses=LINK_OPENING | UNAVAILABLE)
async def open_link(body: OpenLink, client: ClientDep, held: ResourcesDep) -> LinkOpened:
    """Exchange the token of a link, and its password, for one to ask with."""
    return await held.shared.open(body.token, body.password, client)


async def _viewer(
    request: HTTPConnection,
    client: ClientDep,
    held: ResourcesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Viewer:
    """Return who opened a link, and note that he looks at it; raises what `SharedViews.viewer` raises."""
    if credentials is None:
        raise LinkNotOpenedError
    viewer = await held.shared.viewer(credentials.credentials, client)
    held.trail.note_access(viewer.actor(client), "data:query", request, viewer.project)
    return viewer


_Viewer = Annotated[Viewer, Depends(_viewer)]


@router.get("/shared", operation_id="get_shared", summary="What a link shows", responses=SHARED | UNAVAILABLE)
async def get_shared(viewer: _Viewer, held: ResourcesDep) -> Shared:
    """Return the dashboard with its tiles, or the insight."""
    return await held.shared.show(viewer)


@router.get(
    "/shared/result",
    operation_id="get_shared_result",
    summary="The figures of what a link shows",
    responses=SHARED | SHARED_RESULT | UNANSWERABLE | TIMED_OUT,
)
async def get_shared_result(
    viewer: _Viewer, held: ResourcesDep, query: Annotated[SharedQuery, Query()]
) -> SharedResult:
    """Return the figures of the insight, or of one tile of the dashboard."""
    return await held.shared.answer(viewer, query.tile)


def _shown(held: Resources, link: SharedLink, shared: SavedObject) -> LinkShown:
    return LinkShown.model_validate(
        {
            "id": link.id,
            "object_id": link.object_id,
            "kind": shared.kind,
            "name": shared.name,
            "url": f"{held.settings.public_url}/#shared={held.link_tokens.of_link(link)}",
            "has_password": link.password_hash is not None,
            "created_at": link.created_at,
            "created_by": link.created_by,
            "expires_at": link.expires_at,
        }
    )

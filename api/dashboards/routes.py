"""`/v1/projects/{project_id}/dashboards`, and those that were granted to oneself: `/v1/me/dashboards`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from api.access.principals import DashboardAccess
from api.dashboards.schemas import Dashboard, DashboardShown, GrantedDashboard, GrantedDashboards, TrashedInsight
from api.dependencies import (
    ActorDep,
    Asking,
    ClientDep,
    ObjectId,
    ResourcesDep,
    UserDep,
    asking_dashboard,
    dashboard_access_for,
)
from api.problems import (
    KEPT,
    SAVED,
    SAVED_CHANGE,
    SAVED_NEW,
    SAVED_RESULT,
    TIMED_OUT,
    TOO_MANY_QUERIES,
    UNANSWERABLE,
    UNAVAILABLE,
    USER,
)
from api.queries.answers import Answer
from api.queries.replies import reply_to
from api.results.files import ExplainParameter, FormatParameter
from api.saved.contents import DashboardContent
from api.saved.locking import EditDep, shown
from api.saved.routes import WriterDep
from api.saved.schemas import stamped
from api.saved_insights.schemas import AskedInsight

router = APIRouter(prefix="/v1", tags=["saved"])
_PATH = "/projects/{project_id}/dashboards"
_Reads = Annotated[DashboardAccess, Depends(dashboard_access_for("data:query"))]
_Writes = Annotated[DashboardAccess, Depends(dashboard_access_for("insights:write"))]
TileId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,50}$", examples=["signups"])]


@router.get(
    "/me/dashboards",
    operation_id="list_granted_dashboards",
    summary="Dashboards that were granted to oneself",
    responses=USER | UNAVAILABLE,
)
async def list_granted_dashboards(user: UserDep, client: ClientDep, held: ResourcesDep) -> GrantedDashboards:
    """Return dashboards that one may see by a grant for them alone, whether or not one may see their project."""
    return GrantedDashboards(
        dashboards=[
            GrantedDashboard(
                project_id=each.project_id, id=each.id, name=each.name, description=each.content["description"]
            )
            for each in await held.dashboards.granted(user, client)
        ]
    )


@router.post(
    _PATH,
    operation_id="create_dashboard",
    summary="Make a dashboard",
    responses=SAVED | SAVED_NEW,
    status_code=201,
)
async def create_dashboard(
    body: DashboardContent, project: WriterDep, by: ActorDep, held: ResourcesDep, response: Response
) -> Dashboard:
    """Make a dashboard of tiles on a grid of 12 columns: saved insights and texts, none over another."""
    found = await held.saved.create(by, project, body)
    return shown(response, Dashboard, found, shared_links=0)


@router.get(_PATH + "/{object_id}", operation_id="get_dashboard", summary="A dashboard", responses=SAVED)
async def get_dashboard(object_id: ObjectId, access: _Reads, held: ResourcesDep, response: Response) -> DashboardShown:
    """Return its tiles and what they ask. Each tile's answer is asked for by itself."""
    found, insights = await held.dashboards.find(access.project, object_id)
    links = await held.saved.shared_links(access.project, found)
    return DashboardShown(
        **shown(response, Dashboard, found, shared_links=links).model_dump(),
        insights=[stamped(AskedInsight, each) for each in insights if each.deleted_at is None],
        insights_in_trash=[TrashedInsight.model_validate(each) for each in insights if each.deleted_at is not None],
    )


@router.put(
    _PATH + "/{object_id}",
    operation_id="change_dashboard",
    summary="Change a dashboard",
    responses=SAVED | SAVED_CHANGE,
)
async def change_dashboard(
    object_id: ObjectId,
    body: DashboardContent,
    access: _Writes,
    edit: EditDep,
    held: ResourcesDep,
) -> Dashboard:
    """Make a version of it. Who may change this dashboard alone arranges what it shows, and adds texts."""
    found = await held.dashboards.change(edit.by, access, object_id, body, edit.seen)
    return edit.shown(Dashboard, found, shared_links=await held.saved.shared_links(access.project, found))


@router.get(
    _PATH + "/{object_id}/tiles/{tile_id}/result",
    operation_id="get_tile_result",
    summary="The answer of a tile",
    response_model=Answer,
    responses=KEPT | SAVED | SAVED_RESULT | TOO_MANY_QUERIES | UNANSWERABLE | TIMED_OUT,
)
async def get_tile_result(
    object_id: ObjectId,
    tile_id: TileId,
    asking: Annotated[Asking, Depends(asking_dashboard)],
    format_: FormatParameter = None,
    explain: ExplainParameter = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """Answer the question of one tile, as `POST …/query` does."""
    found, read = await asking.held.dashboards.question(asking.access.project, object_id, tile_id)
    return await reply_to(asking, read, format_, explain=explain, saved=found)

"""`/v1/projects/{project_id}/saved` and `/trash`: what all that is saved has in common."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from api.access.principals import UserPrincipal
from api.dependencies import ActorDep, ObjectId, PrincipalDep, ProjectDep, ResourcesDep, UserDep, project_for
from api.problems import SAVED, SAVED_CHANGE, SAVED_DELETION, SAVED_IN_USE, SAVED_NEW, SAVED_UNDO
from api.saved.locking import EditDep, SeenDep, tell_version
from api.saved.schemas import (
    SavedPage,
    SavedQuery,
    SavedSummary,
    VersionMade,
    VersionPage,
    VersionQuery,
    VersionShown,
    VersionSummary,
)
from core.metadata import Project
from core.metadata.saved import SavedObject

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["saved"], responses=SAVED)
WriterDep = Annotated[Project, Depends(project_for("insights:write"))]
_Version = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


@router.get("/saved", operation_id="list_saved", summary="List what is saved")
async def list_saved(
    project: ProjectDep, found: PrincipalDep, held: ResourcesDep, query: Annotated[SavedQuery, Query()]
) -> SavedPage:
    """Return what is saved but descriptions of events, of one kind, folder or tag; or what is in the trash."""
    user_id = found.user_id if isinstance(found, UserPrincipal) else None
    page, following = await held.saved.page(project, query, user_id)
    return SavedPage(saved=[_summary(each) for each in page], next=following)


@router.delete(
    "/saved/{object_id}",
    operation_id="delete_saved",
    summary="Put into the trash",
    responses=SAVED_DELETION,
    status_code=204,
)
async def delete_saved(
    object_id: ObjectId, project: WriterDep, by: ActorDep, seen: SeenDep, held: ResourcesDep
) -> None:
    """Put something saved, or an empty folder, into the trash; with `If-Match`, only as it was seen.

    Links to it show nothing then.
    """
    await held.saved.delete(by, project, object_id, seen)


@router.post(
    "/trash/{object_id}/recover",
    operation_id="recover_saved",
    summary="Take out of the trash",
    responses=SAVED_NEW | SAVED_IN_USE,
)
async def recover_saved(
    object_id: ObjectId, project: WriterDep, by: ActorDep, held: ResourcesDep, response: Response
) -> VersionMade:
    """Put something back where it was; into no folder, if its folder is in the trash."""
    found = await held.saved.recover(by, project, object_id)
    return _made(response, found, None)


@router.get("/saved/{object_id}/versions", operation_id="list_versions", summary="List versions")
async def list_versions(
    object_id: ObjectId, project: ProjectDep, held: ResourcesDep, query: Annotated[VersionQuery, Query()]
) -> VersionPage:
    """Return who changed what and when, the latest version first."""
    found, following = await held.saved.versions(project, object_id, query)
    return VersionPage(versions=[VersionSummary.model_validate(each) for each in found], next=following)


@router.get("/saved/{object_id}/versions/{version}", operation_id="get_version", summary="One version")
async def get_version(object_id: ObjectId, version: _Version, project: ProjectDep, held: ResourcesDep) -> VersionShown:
    """Return what it held."""
    return VersionShown.model_validate(vars(await held.saved.version(project, object_id, version)))


@router.post(
    "/saved/{object_id}/versions/{version}/restore",
    operation_id="restore_version",
    summary="Go back to a version",
    responses=SAVED_CHANGE | SAVED_IN_USE,
)
async def restore_version(
    object_id: ObjectId,
    version: _Version,
    project: WriterDep,
    edit: EditDep,
    held: ResourcesDep,
) -> VersionMade:
    """Make a new version with the content of an earlier one. Nothing is lost by it."""
    found, restored_from = await held.saved.restore(edit.by, project, object_id, version, edit.seen)
    return _made(edit.response, found, restored_from)


@router.post("/saved/{object_id}/undo", operation_id="undo_change", summary="Undo", responses=SAVED_UNDO)
async def undo_change(object_id: ObjectId, project: WriterDep, edit: EditDep, held: ResourcesDep) -> VersionMade:
    """Take the latest edit back; the next time the one before it. To redo is to restore the version that was left."""
    found, restored_from = await held.saved.undo(edit.by, project, object_id, edit.seen)
    return _made(edit.response, found, restored_from)


@router.put(
    "/saved/{object_id}/favourite", operation_id="add_favourite", summary="Add to one's favourites", status_code=204
)
async def add_favourite(object_id: ObjectId, project: ProjectDep, user: UserDep, held: ResourcesDep) -> None:
    """Put it among one's own favourites, which nobody else sees."""
    await held.saved.set_favourite(project, object_id, user.user_id, is_one=True)


@router.delete(
    "/saved/{object_id}/favourite",
    operation_id="remove_favourite",
    summary="Remove from one's favourites",
    status_code=204,
)
async def remove_favourite(object_id: ObjectId, project: ProjectDep, user: UserDep, held: ResourcesDep) -> None:
    """Take it out of one's own favourites."""
    await held.saved.set_favourite(project, object_id, user.user_id, is_one=False)


def _summary(listed: Mapping[str, Any]) -> SavedSummary:
    # An annotation and a folder have neither.
    said = {"description": listed["description"] or "", "tags": listed["tags"] or []}
    return SavedSummary.model_validate({**listed, **said})


def _made(response: Response, found: SavedObject, restored_from: int | None) -> VersionMade:
    tell_version(response, found.version)
    return VersionMade(id=found.id, version=found.version, restored_from=restored_from)

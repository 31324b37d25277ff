"""`/v1/projects/{project_id}/folders`. They are listed with all that is saved."""

from fastapi import APIRouter, Response

from api.dependencies import ActorDep, ObjectId, ResourcesDep
from api.folders.schemas import Folder
from api.problems import SAVED, SAVED_CHANGE, SAVED_NEW
from api.saved.contents import FolderContent
from api.saved.locking import EditDep, shown
from api.saved.routes import WriterDep

router = APIRouter(prefix="/v1/projects/{project_id}/folders", tags=["saved"], responses=SAVED)


@router.post("", operation_id="create_folder", summary="Make a folder", responses=SAVED_NEW, status_code=201)
async def create_folder(
    body: FolderContent, project: WriterDep, by: ActorDep, held: ResourcesDep, response: Response
) -> Folder:
    """Make a folder, perhaps within another."""
    found = await held.saved.create(by, project, body)
    return shown(response, Folder, found)


@router.put("/{object_id}", operation_id="change_folder", summary="Rename or move a folder", responses=SAVED_CHANGE)
async def change_folder(
    object_id: ObjectId,
    body: FolderContent,
    project: WriterDep,
    edit: EditDep,
    held: ResourcesDep,
) -> Folder:
    """Give it another name or place; what is in it goes with it."""
    return edit.shown(Folder, await held.saved.change(edit.by, project, object_id, body, edit.seen))

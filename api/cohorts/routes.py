"""`/v1/projects/{project_id}/cohorts`. They are listed with all that is saved."""

from fastapi import APIRouter, Response

from api.cohorts.schemas import Cohort
from api.dependencies import ActorDep, ObjectId, ProjectDep, ResourcesDep
from api.problems import SAVED, SAVED_CHANGE, SAVED_NEW, TOO_LARGE
from api.saved.contents import CohortContent
from api.saved.locking import EditDep, shown
from api.saved.routes import WriterDep

router = APIRouter(prefix="/v1/projects/{project_id}/cohorts", tags=["saved"], responses=SAVED)


@router.post(
    "", operation_id="create_cohort", summary="Save a cohort", responses=SAVED_NEW | TOO_LARGE, status_code=201
)
async def create_cohort(
    body: CohortContent, project: WriterDep, by: ActorDep, held: ResourcesDep, response: Response
) -> Cohort:
    """Save who is in a cohort under a name, by which query documents and other cohorts can name it."""
    found = await held.cohorts.create(by, project, body)
    return shown(response, Cohort, found)


@router.get("/{object_id}", operation_id="get_cohort", summary="A saved cohort")
async def get_cohort(object_id: ObjectId, project: ProjectDep, held: ResourcesDep, response: Response) -> Cohort:
    """Return who is in it by its definition."""
    return shown(response, Cohort, await held.cohorts.find(project, object_id))


@router.put(
    "/{object_id}",
    operation_id="change_cohort",
    summary="Change a saved cohort",
    responses=SAVED_CHANGE | TOO_LARGE,
)
async def change_cohort(
    object_id: ObjectId,
    body: CohortContent,
    project: WriterDep,
    edit: EditDep,
    held: ResourcesDep,
) -> Cohort:
    """Make a version of it. Whatever names it is answered by this one from now on."""
    return edit.shown(Cohort, await held.cohorts.change(edit.by, project, object_id, body, edit.seen))

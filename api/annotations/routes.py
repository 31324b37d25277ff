"""`/v1/projects/{project_id}/annotations`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.annotations.schemas import Annotation, AnnotationPage, AnnotationQuery
from api.dependencies import ActorDep, ObjectId, ProjectDep, ResourcesDep
from api.problems import SAVED, SAVED_CHANGE, SAVED_NEW
from api.saved.contents import AnnotationContent
from api.saved.locking import EditDep, shown
from api.saved.routes import WriterDep
from api.saved.schemas import stamped

router = APIRouter(prefix="/v1/projects/{project_id}/annotations", tags=["saved"], responses=SAVED)


@router.get("", operation_id="list_annotations", summary="List annotations")
async def list_annotations(
    project: ProjectDep, held: ResourcesDep, query: Annotated[AnnotationQuery, Query()]
) -> AnnotationPage:
    """Return notes of a range of time, about the project, or about one dashboard or insight too."""
    page, following = await held.annotations.page(project, query)
    return AnnotationPage(annotations=[stamped(Annotation, each) for each in page], next=following)


@router.post("", operation_id="create_annotation", summary="Annotate", responses=SAVED_NEW, status_code=201)
async def create_annotation(
    body: AnnotationContent, project: WriterDep, by: ActorDep, held: ResourcesDep, response: Response
) -> Annotation:
    """Note something on an instant or a range of time."""
    found = await held.saved.create(by, project, body)
    return shown(response, Annotation, found)


@router.put("/{object_id}", operation_id="change_annotation", summary="Change an annotation", responses=SAVED_CHANGE)
async def change_annotation(
    object_id: ObjectId,
    body: AnnotationContent,
    project: WriterDep,
    edit: EditDep,
    held: ResourcesDep,
) -> Annotation:
    """Make a version of it."""
    return edit.shown(Annotation, await held.saved.change(edit.by, project, object_id, body, edit.seen))

"""`/v1/projects/{project_id}/saved-insights`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.dependencies import ActorDep, Asking, ObjectId, ProjectDep, ResourcesDep, asking_for
from api.problems import (
    KEPT,
    SAVED,
    SAVED_CHANGE,
    SAVED_NEW,
    SAVED_RESULT,
    TIMED_OUT,
    TOO_LARGE,
    TOO_MANY_QUERIES,
    UNANSWERABLE,
)
from api.queries.answers import Answer
from api.queries.replies import note_question, reply_to
from api.results.files import ExplainParameter, FormatParameter
from api.saved.contents import InsightContent
from api.saved.locking import EditDep, shown
from api.saved.routes import WriterDep
from api.saved_insights.schemas import Materialisation, MaterialisedResult, SavedInsight

router = APIRouter(prefix="/v1/projects/{project_id}/saved-insights", tags=["saved"], responses=SAVED)


@router.post(
    "",
    operation_id="create_saved_insight",
    summary="Save a question",
    responses=SAVED_NEW | TOO_LARGE,
    status_code=201,
)
async def create_saved_insight(
    body: InsightContent, project: WriterDep, by: ActorDep, held: ResourcesDep, response: Response
) -> SavedInsight:
    """Save a query document under a name. It is checked as `POST …/query` checks it."""
    found = await held.saved_insights.create(by, project, body)
    return shown(response, SavedInsight, found, shared_links=0)


@router.get("/{object_id}", operation_id="get_saved_insight", summary="A saved question")
async def get_saved_insight(
    object_id: ObjectId, project: ProjectDep, held: ResourcesDep, response: Response
) -> SavedInsight:
    """Return what it asks; its answer is at `…/result`."""
    found = await held.saved_insights.find(project, object_id)
    return shown(response, SavedInsight, found, shared_links=await held.saved.shared_links(project, found))


@router.put(
    "/{object_id}",
    operation_id="change_saved_insight",
    summary="Change a saved question",
    responses=SAVED_CHANGE | TOO_LARGE,
)
async def change_saved_insight(
    object_id: ObjectId,
    body: InsightContent,
    project: WriterDep,
    edit: EditDep,
    held: ResourcesDep,
) -> SavedInsight:
    """Make a version of it; what is left out of the body is empty then."""
    found = await held.saved_insights.change(edit.by, project, object_id, body, edit.seen)
    return edit.shown(SavedInsight, found, shared_links=await held.saved.shared_links(project, found))


@router.get(
    "/{object_id}/result",
    operation_id="get_saved_insight_result",
    summary="The answer to a saved question",
    response_model=Answer,
    responses=KEPT | SAVED_RESULT | TOO_MANY_QUERIES | UNANSWERABLE | TIMED_OUT,
)
async def get_saved_insight_result(
    object_id: ObjectId,
    asking: Annotated[Asking, Depends(asking_for("data:query", is_noted=False))],
    format_: FormatParameter = None,
    explain: ExplainParameter = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """Answer it now, as `POST …/query` does; or with what was made of it beforehand, as `meta` says then."""
    found, read = await asking.held.saved_insights.question(asking.access.project, object_id)
    return await reply_to(asking, read, format_, explain=explain, saved=found)


@router.get(
    "/{object_id}/materialisation",
    operation_id="get_materialisation",
    summary="What was made of a saved question beforehand",
    responses=SAVED_RESULT | TOO_MANY_QUERIES | UNANSWERABLE | TIMED_OUT,
)
async def get_materialisation(object_id: ObjectId, project: ProjectDep, held: ResourcesDep) -> Materialisation:
    """Return when its answer was made last, whether that is given, and why there is none."""
    return await held.materialised.state(project, await held.saved_insights.find(project, object_id))


@router.get(
    "/{object_id}/materialisation/next",
    operation_id="make_materialisation",
    summary="The answer to keep",
    responses=SAVED_RESULT | TOO_MANY_QUERIES | UNANSWERABLE | TIMED_OUT,
)
async def make_materialisation(
    object_id: ObjectId, asking: Annotated[Asking, Depends(asking_for("data:query", is_noted=False))]
) -> MaterialisedResult:
    """Answer it from the data of now: for the schedule that keeps it."""
    held, project = asking.held, asking.access.project
    found, read = await held.saved_insights.question(project, object_id)
    note_question(asking, read)
    return await held.materialised.make(project, found, await held.queries.question(project, read))

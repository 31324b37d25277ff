"""`POST /v1/projects/{project_id}/query`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from api.dependencies import PrincipalDep, ProjectDep, ResourcesDep, demand_project
from api.problems import INVALID_DOCUMENT, TIMED_OUT, TOO_LARGE, UNANSWERABLE, UNAUTHENTICATED, UNKNOWN_PROJECT
from api.queries.answers import Answer
from api.queries.examples import DOCUMENTS
from api.queries.reading import ReadDocument, read_document

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["queries"])

# These show single events or persons, which a viewer may not see.
_OF_PERSONS = frozenset({"events", "persons", "person", "cohort"})
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/QueryDocument"},
                "examples": {kind: {"value": document} for kind, document in DOCUMENTS.items()},
            }
        },
    }
}


async def _allowed(
    project: ProjectDep,
    found: PrincipalDep,
    held: ResourcesDep,
    request: Request,
    read: Annotated[ReadDocument, Depends(read_document)],
) -> ReadDocument:
    """Return a document that whoever asks may ask; that persons are shown is an access of its own."""
    if read.document.kind in _OF_PERSONS:
        demand_project(found, project.id, "persons:read", request, held)
    return read


@router.post(
    "/query",
    operation_id="query",
    summary="The answer to a query document",
    responses=UNAUTHENTICATED | UNKNOWN_PROJECT | TOO_LARGE | INVALID_DOCUMENT | UNANSWERABLE | TIMED_OUT,
    openapi_extra=_BODY,
)
async def query(
    project: ProjectDep,
    held: ResourcesDep,
    read: Annotated[ReadDocument, Depends(_allowed)],
    explain: Annotated[bool, Query(description="Also return ClickHouse's plan of the statement.")] = False,  # noqa: FBT002 - a query parameter
) -> Answer:
    """Answer one typed query document: a question of one `kind` and its range."""
    return await held.queries.answer(project, read, explain=explain)

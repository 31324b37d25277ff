"""`POST /v1/projects/{project_id}/query`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.access.principals import ProjectAccess
from api.dependencies import ResourcesDep, project_access_for
from api.problems import INVALID_DOCUMENT, TIMED_OUT, TOO_LARGE, UNANSWERABLE, UNAUTHENTICATED, UNKNOWN_PROJECT
from api.queries.answers import Answer
from api.queries.examples import DOCUMENTS
from api.queries.reading import ReadDocument, demand_permission, read_document

router = APIRouter(prefix="/v1/projects/{project_id}", tags=["queries"])

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


@router.post(
    "/query",
    operation_id="query",
    summary="The answer to a query document",
    responses=UNAUTHENTICATED | UNKNOWN_PROJECT | TOO_LARGE | INVALID_DOCUMENT | UNANSWERABLE | TIMED_OUT,
    openapi_extra=_BODY,
)
async def query(
    access: Annotated[ProjectAccess, Depends(project_access_for("data:query"))],
    held: ResourcesDep,
    read: Annotated[ReadDocument, Depends(read_document)],
    explain: Annotated[bool, Query(description="Also return ClickHouse's plan of the statement.")] = False,  # noqa: FBT002 - a query parameter
) -> Answer:
    """Answer one typed query document: a question of one `kind` and its range."""
    demand_permission(access.permissions, read)
    return await held.queries.answer(access.project, read, explain=explain)

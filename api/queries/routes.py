"""`POST /v1/projects/{project_id}/query`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.audit.questions import document_text
from api.dependencies import Asking, ResourcesDep, asking_for
from api.errors import PermissionMissingError
from api.problems import INVALID_DOCUMENT, TIMED_OUT, TOO_LARGE, UNANSWERABLE, UNAUTHENTICATED, UNKNOWN_PROJECT
from api.queries.answers import Answer
from api.queries.examples import DOCUMENTS
from api.queries.reading import ReadDocument, read_document
from core.metadata.permissions import Permission

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


@router.post(
    "/query",
    operation_id="query",
    summary="The answer to a query document",
    responses=UNAUTHENTICATED | UNKNOWN_PROJECT | TOO_LARGE | INVALID_DOCUMENT | UNANSWERABLE | TIMED_OUT,
    openapi_extra=_BODY,
)
async def query(
    asking: Annotated[Asking, Depends(asking_for("data:query"))],
    held: ResourcesDep,
    read: Annotated[ReadDocument, Depends(read_document)],
    explain: Annotated[bool, Query(description="Also return ClickHouse's plan of the statement.")] = False,  # noqa: FBT002 - a query parameter
) -> Answer:
    """Answer one typed query document: a question of one `kind` and its range."""
    permission: Permission = "persons:read" if read.document.kind in _OF_PERSONS else "data:query"
    if permission not in asking.access.permissions:
        raise PermissionMissingError(permission)
    asking.note(permission, read.sent, document_text(read.sent))
    return await held.queries.answer(asking.access.project, read, explain=explain)

"""`POST /v1/projects/{project_id}/query`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from api.dependencies import Asking, asking_for
from api.problems import (
    INVALID_DOCUMENT,
    KEPT,
    TIMED_OUT,
    TOO_LARGE,
    TOO_MANY_QUERIES,
    UNANSWERABLE,
    UNAUTHENTICATED,
    UNKNOWN_PROJECT,
)
from api.queries.answers import Answer
from api.queries.examples import DOCUMENTS
from api.queries.reading import ReadDocument, read_document
from api.queries.replies import reply_to
from api.results.files import ExplainParameter, FormatParameter

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
    response_model=Answer,
    responses=KEPT
    | UNAUTHENTICATED
    | UNKNOWN_PROJECT
    | TOO_LARGE
    | INVALID_DOCUMENT
    | TOO_MANY_QUERIES
    | UNANSWERABLE
    | TIMED_OUT,
    openapi_extra=_BODY,
)
async def query(
    asking: Annotated[Asking, Depends(asking_for("data:query", is_noted=False))],
    read: Annotated[ReadDocument, Depends(read_document)],
    format_: FormatParameter = None,
    explain: ExplainParameter = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """Answer one typed query document: a question of one `kind` and its range."""
    return await reply_to(asking, read, format_, explain=explain)

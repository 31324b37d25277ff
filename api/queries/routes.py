"""`POST /v1/projects/{project_id}/query`."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from api.audit.questions import document_text
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
from api.queries.documents import InsightDocument
from api.queries.examples import DOCUMENTS
from api.queries.reading import ReadDocument, read_document, shows_persons
from api.results.files import FormatParameter
from api.results.leaving import unless_left
from api.results.replies import reply

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
    explain: Annotated[bool, Query(description="Also return ClickHouse's plan of the statement.")] = False,  # noqa: FBT002 - a query parameter
) -> Answer | Response:
    """Answer one typed query document: a question of one `kind` and its range."""
    asking.note("persons:read" if shows_persons(read) else "data:query", read.sent, document_text(read.sent))
    answer = partial(asking.held.queries.answer, asking.access.project, read)
    if explain:
        return await unless_left(asking.request, answer(explain=True))
    asked = read.document
    return await reply(
        asking,
        asked,
        partial(answer, explain=False),
        name=asked.kind,
        wanted=format_,
        # Who was erased is shown no more, and figures of a moment ago are no harm.
        may_be_stale=isinstance(asked, InsightDocument),
    )

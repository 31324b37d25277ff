"""The problem documents that operations declare, each with an example."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.errors import (
    ApiKeyMissingError,
    DocumentTooLargeError,
    InsightNotFoundError,
    NotModelledYetError,
    ProjectNotFoundError,
    QueryTimeoutError,
    QueryTooLargeError,
    UnavailableError,
)
from api.queries.reading import MOST_BYTES, invalid_document
from core.errors import RadixError
from core.insights.faults import Fault
from core.problem import InvalidRequestError


class ParameterError(BaseModel):
    """One parameter, or one place in a document, that does not fit."""

    location: Annotated[
        list[str] | None, Field(description="Where a parameter stands: `query` or `path`, then its name.")
    ] = None
    pointer: Annotated[
        str | None, Field(description="JSON Pointer (RFC 6901) of the place in the document; empty for all of it.")
    ] = None
    message: str
    kind: str


class Problem(BaseModel):
    """An error (RFC 9457). `code` is stable; `detail` says what was wrong and what to do."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str | None = None
    errors: list[ParameterError] | None = None
    missing: Annotated[list[str] | None, Field(description="Engines that cannot be reached.")] = None
    limit: Annotated[str | None, Field(description="The limit that was met.")] = None
    allowed: Annotated[float | None, Field(description="Its value.")] = None


def documented(status: int, description: str, *errors: RadixError) -> dict[int | str, dict[str, Any]]:
    """Return one entry of `responses=` with each error as a named example."""
    examples = {
        error.code: {"summary": error.title, "value": error.problem("/v1/projects/1/insights/funnel")}
        for error in errors
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {status: {"description": description, "content": {"application/problem+json": content}}}


_MISSPELT = InvalidRequestError(
    "query.from: '2026-02-30' is not a day of the calendar",
    errors=[
        {
            "location": ["query", "from"],
            "message": "'2026-02-30' is not a day of the calendar",
            "kind": "value_error",
        }
    ],
)

UNAUTHENTICATED = documented(401, "No API key, or one that is not valid", ApiKeyMissingError())
UNKNOWN_PROJECT = documented(404, "The key may see no such project", ProjectNotFoundError(7))
UNKNOWN_INSIGHT = documented(
    404,
    "The key may see no such project, or no such insight is defined",
    ProjectNotFoundError(7),
    InsightNotFoundError("funnel_signup"),
)
INVALID = documented(
    422,
    "A parameter does not fit, or the query needs more than one query may use",
    _MISSPELT,
    QueryTooLargeError("query_max_memory_bytes", 2 * 1024**3),
)
TOO_LARGE = documented(413, "The document is too large", DocumentTooLargeError(MOST_BYTES))
INVALID_DOCUMENT = documented(
    422,
    "The document does not fit, or the query needs more than one query may use",
    invalid_document(
        Fault(("steps", 1, "where", 0, "value"), "gt wants a number, not 'much'", "value_error"),
        Fault(("windw",), "there is no such key here", "extra_forbidden"),
    ),
    QueryTooLargeError("query_max_memory_bytes", 2 * 1024**3),
)
UNAVAILABLE = documented(503, "An engine is away, see `missing`", UnavailableError("postgresql"))
UNANSWERABLE = documented(
    503,
    "An engine is away, see `missing`, or no model run has finished yet",
    UnavailableError("clickhouse"),
    NotModelledYetError("a table of marts"),
)
TIMED_OUT = documented(504, "The query ran longer than one query may", QueryTimeoutError(30))

"""The problem documents that operations declare, each with an example."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.access.errors import (
    AddressNotAllowedError,
    ApiKeyMissingError,
    CsrfTokenInvalidError,
    OrganisationNotFoundError,
    PermissionMissingError,
    ProjectNotFoundError,
    SessionEndedError,
    SignInNeededError,
    TooPowerfulError,
)
from api.accounts.attempts import TooManyAttemptsError
from api.accounts.errors import LinkInvalidError
from api.accounts.passwords import PasswordTooWeakError
from api.errors import (
    BodyTooLargeError,
    DocumentTooLargeError,
    InsightNotFoundError,
    NameTakenError,
    NotFoundError,
    NotModelledYetError,
    QueryTimeoutError,
    QueryTooLargeError,
    SqlInvalidError,
    SqlNotAllowedError,
    TooManyQueriesError,
)
from api.exports.errors import ExportsFullError, TooManyExportsError
from api.live.errors import TooManyStreamsError
from api.organisations.errors import TooManyInvitationsError
from api.queries.reading import MOST_BYTES, invalid_document
from api.results.files import AS_FILE
from api.roles.service import InUseError
from api.saved.errors import ChangedMeanwhileError, InTrashError, NothingToUndoError, VersionMissingError
from api.sharing.service import LinkExpiryError
from api.sharing.view import LinkNotOpenedError, LinkPasswordError, LinkUnknownError, NotShareableError
from core.errors import RadixError, UnavailableError
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
    line: Annotated[int | None, Field(description="Line of the statement, from 1.")] = None
    column: Annotated[int | None, Field(description="Column in that line, from 1.")] = None


def documented(status: int, description: str, *errors: RadixError) -> dict[int | str, dict[str, Any]]:
    """Return one entry of `responses=` with each error as a named example."""
    examples = {
        error.code: {"summary": error.title, "value": error.problem("/v1/projects/1/insights/funnel")}
        for error in errors
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {status: {"description": description, "content": {"application/problem+json": content}}}


MISSPELT = InvalidRequestError(
    "query.from: '2026-02-30' is not a day of the calendar",
    errors=[
        {
            "location": ["query", "from"],
            "message": "'2026-02-30' is not a day of the calendar",
            "kind": "value_error",
        }
    ],
)

UNAUTHENTICATED = documented(
    401, "No API key and no session, or one that is not valid", ApiKeyMissingError(), SessionEndedError()
) | documented(
    403, "Not permitted, or not from here", PermissionMissingError("data:query"), AddressNotAllowedError("203.0.113.7")
)
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
    MISSPELT,
    QueryTooLargeError("query_max_memory_bytes", 2 * 1024**3),
)
REFUSED_SQL = documented(
    422,
    "The statement is not allowed or not valid, or needs more than one query may use",
    SqlNotAllowedError("A table of the project or a query is expected here; there are no table functions.", (2, 6)),
    SqlInvalidError("ClickHouse cannot read the statement from here on.", (3, 1)),
    QueryTooLargeError("sql_max_result_bytes", 64 * 1024**2),
)
TOO_MANY_STREAMS = documented(
    429, "As many streams are open as may be", TooManyStreamsError("live_max_streams_per_project", 50)
)
TOO_LARGE = documented(413, "The document is too large", DocumentTooLargeError(MOST_BYTES))
BODY_TOO_LARGE = documented(413, "The body is too large", BodyTooLargeError(1024 * 1024))
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

TOO_MANY_QUERIES = documented(429, "As many queries of the project wait as may", TooManyQueriesError(200))
TOO_MANY_EXPORTS = documented(429, "As many exports of the project wait or run as may", TooManyExportsError(10))
EXPORTS_FULL = documented(
    409, "The files of the project's exports take as much as they may", ExportsFullError(2**34, 2**34)
)
UNKNOWN_EXPORT = documented(
    404,
    "The key may see no such project, or there is no such export in it",
    ProjectNotFoundError(7),
    NotFoundError("export", 7),
)
EXPORT_LINK = documented(404, "The link is not valid", LinkInvalidError()) | documented(
    422, "The token has not the form of one", MISSPELT
)
UNSUITABLE = documented(422, "The body or a parameter does not fit", MISSPELT)
KEPT: dict[int | str, dict[str, Any]] = {
    200: AS_FILE[200]
    | {
        "headers": AS_FILE[200]["headers"]
        | {
            "ETag": {"description": "Stands for the answer, its origin included.", "schema": {"type": "string"}},
            "Age": {
                "description": "With `Cache-Control: max-stale=…`: since when it may have changed, in seconds.",
                "schema": {"type": "integer"},
            },
        },
    },
    304: {"description": "The answer is still the one that `If-None-Match` names"},
}

USER = documented(401, "Nobody is signed in", SignInNeededError(), SessionEndedError())
CHANGE = (
    USER
    | UNSUITABLE
    | documented(
        403,
        "Not permitted, or not from here, or a browser's request that the page did not send",
        PermissionMissingError("members:manage"),
        CsrfTokenInvalidError(),
        AddressNotAllowedError("203.0.113.7"),
        TooPowerfulError(["organisation:manage"]),
    )
)
ORGANISATION = (
    UNSUITABLE
    | documented(
        404,
        "One is a member of no such organisation, or there is no such thing in it",
        OrganisationNotFoundError(7),
        NotFoundError("member", 7),
    )
    | documented(403, "Not permitted, or not from here", PermissionMissingError("members:read"))
)
CONFLICT = documented(409, "It is not in a state in which this can be done", NameTakenError("role", "support"))
TOO_OFTEN = documented(429, "Too many attempts, see the header Retry-After", TooManyAttemptsError(60))
TOO_MANY = documented(429, "The member invited too many within a day", TooManyInvitationsError(100, 3600))
_OF_KEY_OR_PERSON = documented(
    403,
    "Not permitted, or not from here, or a browser's request that the page did not send",
    PermissionMissingError("insights:write"),
    CsrfTokenInvalidError(),
    AddressNotAllowedError("203.0.113.7"),
)
SAVED = (
    UNAUTHENTICATED
    | UNAVAILABLE
    | UNSUITABLE
    | documented(
        404,
        "One may see no such project, or there is no such thing in it, or it is in the trash",
        ProjectNotFoundError(7),
        NotFoundError("insight", 7),
        InTrashError("insight", 7, "Buyers", datetime(2026, 3, 20, tzinfo=UTC), 1),
    )
)
SAVED_NEW = _OF_KEY_OR_PERSON | documented(
    422,
    "The body or a parameter does not fit, or names what is not there",
    MISSPELT,
    invalid_document(Fault(("tiles", 0, "insight_id"), "there is no insight 7 here", "not_found")),
)
_SEEN = documented(412, "Somebody else changed it since it was read", ChangedMeanwhileError(3, 4)) | documented(
    428, "If-Match does not say which version was seen", VersionMissingError()
)
SAVED_CHANGE = SAVED_NEW | _SEEN
SAVED_UNDO = SAVED_CHANGE | documented(409, "It is as it was made", NothingToUndoError())
SAVED_IN_USE = _OF_KEY_OR_PERSON | documented(409, "A folder is not empty", InUseError("The folder is not empty."))
SAVED_DELETION = SAVED_IN_USE | _SEEN
SAVED_RESULT = documented(
    422,
    "A parameter does not fit, or the saved question does not any more, or needs more than one query may use",
    MISSPELT,
    QueryTooLargeError("query_max_memory_bytes", 2 * 1024**3),
)
SHARING = _OF_KEY_OR_PERSON | documented(
    422,
    "The body or a parameter does not fit, or what would be shared is not shown by link",
    MISSPELT,
    NotShareableError(),
    LinkExpiryError(datetime(2020, 1, 1, tzinfo=UTC)),
    PasswordTooWeakError("A password has 12 to 256 characters."),
)
_FROM_ELSEWHERE = documented(403, "Not from here", AddressNotAllowedError("203.0.113.7"))
LINK_OPENING = (
    UNSUITABLE
    | TOO_OFTEN
    | _FROM_ELSEWHERE
    | documented(401, "The password is missing or wrong", LinkPasswordError())
    | documented(404, "The link does not work", LinkUnknownError())
)
SHARED = (
    _FROM_ELSEWHERE
    | documented(401, "The link has to be opened first", LinkNotOpenedError())
    | documented(404, "The link does not work", LinkUnknownError())
)
SHARED_RESULT = documented(
    404, "The link does not work, or there is no such tile", LinkUnknownError(), NotFoundError("tile", "signups")
) | documented(
    422,
    "A parameter does not fit, or the answer is not shown by link",
    MISSPELT,
    NotShareableError(),
    QueryTooLargeError("query_max_memory_bytes", 2 * 1024**3),
)

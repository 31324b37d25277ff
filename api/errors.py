"""What can go wrong in the read API: each error with its status and its stable code."""

from collections.abc import Iterable
from typing import ClassVar

from core.errors import RadixError


class ApiKeyMissingError(RadixError):
    """The request carries no API key, and nobody is signed in."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "api_key_missing"
    title: ClassVar[str] = "An API key is needed"

    def __init__(self) -> None:
        super().__init__(
            "Send the project's API key as `Authorization: Bearer rk_…`, or sign in.",
            headers={"WWW-Authenticate": "Bearer"},
        )


class ApiKeyInvalidError(RadixError):
    """The API key is malformed, unknown or revoked; which of them is not said."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "api_key_invalid"
    title: ClassVar[str] = "The API key is not valid"

    def __init__(
        self,
        detail: str = "This API key is unknown or revoked. Use the one that `radixinsight project` printed as API key.",
    ) -> None:
        super().__init__(
            detail,
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


class SignInNeededError(RadixError):
    """What is asked for is a person's, and nobody is signed in."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "sign_in_needed"
    title: ClassVar[str] = "Somebody has to sign in"

    def __init__(self, detail: str = "Sign in first: POST /v1/sign-in, or POST /v1/tokens for a program.") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class SessionEndedError(RadixError):
    """The session or token is unknown, has expired or was ended; which of them is not said."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "session_ended"
    title: ClassVar[str] = "The session has ended"

    def __init__(self) -> None:
        super().__init__("Sign in again.", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


class SessionNotFoundError(RadixError):
    """There is no such session of one's own."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "session_not_found"
    title: ClassVar[str] = "No such session"

    def __init__(self, session_id: int) -> None:
        super().__init__(f"You have no live session {session_id}. GET /v1/me/sessions lists yours.")


class NotFoundError(RadixError):
    """There is no such member, role, team, grant, invitation or key: in this organisation or project, that is."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "There is no such thing"

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"There is no {kind} {name!r} here.", kind=kind)


class NameTakenError(RadixError):
    """Something of the same kind has this name."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "name_taken"
    title: ClassVar[str] = "The name is taken"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is a {kind} {name!r} already.", kind=kind)


class TooPowerfulError(RadixError):
    """Somebody would give or take away more than he may do himself."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "too_powerful"
    title: ClassVar[str] = "Nobody gives or takes more than he has"

    def __init__(self, permissions: Iterable[str]) -> None:
        missing = sorted(permissions)
        super().__init__(f"It takes permissions that you lack yourself: {', '.join(missing)}.", permissions=missing)


class CsrfTokenInvalidError(RadixError):
    """A browser's request to change something does not prove that the page itself sent it."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "csrf_token_invalid"
    title: ClassVar[str] = "The request does not come from the page"

    def __init__(self) -> None:
        super().__init__("Send the `csrf_token` of GET /v1/me as the header X-CSRF-Token.")


class PermissionMissingError(RadixError):
    """Whoever asks may not do this; `permission` names what he lacks."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "permission_missing"
    title: ClassVar[str] = "This is not permitted"

    def __init__(self, permission: str) -> None:
        super().__init__(
            f"This takes the permission {permission}: a member has it by role or grant, an API key by its scopes.",
            permission=permission,
        )


class AddressNotAllowedError(RadixError):
    """The organisation may not be reached from this address."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "address_not_allowed"
    title: ClassVar[str] = "Not from this address"

    def __init__(self, address: str | None) -> None:
        super().__init__(f"The organisation allows certain networks, and {address or 'an unknown address'} is in none.")


class OrganisationNotFoundError(RadixError):
    """Whoever asks is a member of no such organisation, whether or not it exists."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "organisation_not_found"
    title: ClassVar[str] = "No such organisation"

    def __init__(self, organisation_id: int) -> None:
        super().__init__(f"You are a member of no organisation {organisation_id}. GET /v1/organisations lists yours.")


class ProjectNotFoundError(RadixError):
    """Whoever asks may see no project of this id, whether or not another tenant has one."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "project_not_found"
    title: ClassVar[str] = "No such project"

    def __init__(self, project_id: int) -> None:
        super().__init__(
            f"There is no project {project_id} that you may see. GET /v1/projects lists those that you may."
        )


class InsightNotFoundError(RadixError):
    """No insight of this name is defined for the project."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "insight_not_found"
    title: ClassVar[str] = "No such insight"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No insight {name!r} is defined for this project. GET /v1/projects/{{project_id}}/insights/defined lists "
            "those that are; of a file that cannot be read `radixinsight insights check` says why."
        )


class DocumentTooLargeError(RadixError):
    """The document has more bytes than one may have; the rest of it was not read."""

    status: ClassVar[int] = 413
    code: ClassVar[str] = "document_too_large"
    title: ClassVar[str] = "The query document is too large"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"A query document may have {most} bytes. Long lists of values are better a trait, or a cohort.",
            limit="document_bytes",
            allowed=most,
        )


class TooManyQueriesError(RadixError):
    """So many queries of the project wait that no further one may."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_queries"
    title: ClassVar[str] = "Too many queries wait"

    def __init__(self, allowed: int) -> None:
        super().__init__(
            f"{allowed} queries of this project wait to be run in this process. Ask again in some seconds, and fewer "
            "at a time.",
            headers={"Retry-After": "5"},
            limit="project_max_waiting_queries",
            allowed=allowed,
        )


class QueryTimeoutError(RadixError):
    """The query ran longer than one query may; it was cancelled."""

    status: ClassVar[int] = 504
    code: ClassVar[str] = "query_timeout"
    title: ClassVar[str] = "The query took too long"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The query was cancelled after {seconds:g} s. Choose a shorter range or a longer interval.",
            limit="query_max_seconds",
            allowed=seconds,
        )


class QueryTooLargeError(RadixError):
    """The query needs more memory, or reads or returns more rows, than one query may."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "query_too_large"
    title: ClassVar[str] = "The query needs more than one query may use"

    def __init__(self, limit: str, allowed: int) -> None:
        super().__init__(
            f"The query was cancelled at its limit: {limit} = {allowed}. Choose a shorter range or fewer steps.",
            limit=limit,
            allowed=allowed,
        )


class _StatementError(RadixError):
    status: ClassVar[int] = 422

    def __init__(self, detail: str, place: tuple[int, int] | None = None) -> None:
        if place is None:
            super().__init__(detail)
        else:
            line, column = place
            super().__init__(f"Line {line}, column {column}: {detail}", line=line, column=column)


class SqlNotAllowedError(_StatementError):
    """The statement uses something that analysts' SQL may not."""

    code: ClassVar[str] = "sql_not_allowed"
    title: ClassVar[str] = "The statement is not allowed"


class SqlInvalidError(_StatementError):
    """The statement cannot be read, or ClickHouse cannot run it."""

    code: ClassVar[str] = "sql_invalid"
    title: ClassVar[str] = "The statement is not valid"


class QueryFailedError(RadixError):
    """ClickHouse refused or broke off the query for a reason that the caller cannot mend."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "query_failed"
    title: ClassVar[str] = "The query failed"


class NotModelledYetError(RadixError):
    """A modelled table has not been built: no model run has finished since it was asked for."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "not_modelled_yet"
    title: ClassVar[str] = "The data has not been modelled yet"

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"What the answer is read from does not exist yet: {missing}. It is built by the next model run, "
            "within 5 minutes; the Dagster page shows its progress.",
            headers={"Retry-After": "30"},
        )


class TicketInvalidError(RadixError):
    """The ticket was never issued, has been used, or is too old; which of them is not said."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "ticket_invalid"
    title: ClassVar[str] = "The ticket is not valid"

    def __init__(self) -> None:
        super().__init__(
            "A ticket opens one WebSocket, within seconds. POST /v1/projects/{project_id}/live/tickets makes a new one."
        )


class OriginNotAllowedError(RadixError):
    """The page that opens a WebSocket is of an origin that may not."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "origin_not_allowed"
    title: ClassVar[str] = "The page's origin is not allowed"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Pages of {origin!r} may not open a WebSocket here: the API's own may, and those of "
            "RADIXINSIGHT_API_LIVE_ALLOWED_ORIGINS."
        )


class TooManyStreamsError(RadixError):
    """So many streams are open that no further one may be."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_streams"
    title: ClassVar[str] = "Too many streams are open"

    def __init__(self, limit: str, allowed: int) -> None:
        super().__init__(
            f"{limit} = {allowed} streams are open in this process. Close one, or try again later.",
            headers={"Retry-After": "10"},
            limit=limit,
            allowed=allowed,
        )

"""What can go wrong with questions, and with whatever has a name or a number: each with its status and stable code."""

from typing import ClassVar

from core.errors import RadixError


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


class BodyTooLargeError(RadixError):
    """The body has more bytes than a request may have; the rest of it was not read."""

    status: ClassVar[int] = 413
    code: ClassVar[str] = "body_too_large"
    title: ClassVar[str] = "The body is too large"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The body of this request may have {most} bytes.",
            # What else is on its way is not read.
            headers={"Connection": "close"},
            limit="max_body_bytes",
            allowed=most,
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

    def __init__(self, seconds: float, advice: str = "Choose a shorter range or a longer interval.") -> None:
        super().__init__(
            f"The query was cancelled after {seconds:g} s. {advice}",
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

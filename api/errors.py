"""What can go wrong in the read API: each error with its status and its stable code."""

from typing import ClassVar

from core.errors import RadixError


class ApiKeyMissingError(RadixError):
    """The request carries no API key."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "api_key_missing"
    title: ClassVar[str] = "An API key is needed"

    def __init__(self) -> None:
        super().__init__(
            "Send the project's API key as `Authorization: Bearer rk_…`.", headers={"WWW-Authenticate": "Bearer"}
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


class ProjectNotFoundError(RadixError):
    """The key may see no project of this id, whether or not another tenant has one."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "project_not_found"
    title: ClassVar[str] = "No such project"

    def __init__(self, project_id: int) -> None:
        super().__init__(
            f"Project {project_id} does not exist or this API key may not see it. GET /v1/projects lists those it may."
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


class UnavailableError(RadixError):
    """An engine that the answer needs does not answer; `missing` names it."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "unavailable"
    title: ClassVar[str] = "A part of the system is away"

    def __init__(self, *missing: str) -> None:
        super().__init__(
            f"{' and '.join(missing)} cannot be reached. Try again in some seconds; "
            "`radixinsight status` shows what runs.",
            headers={"Retry-After": "5"},
            missing=list(missing),
        )

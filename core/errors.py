"""Domain errors: each class carries an HTTP status and a stable code."""

from typing import Any, ClassVar


class RadixError(Exception):
    """Base of every error that a caller may see.

    A subclass sets `status` (HTTP), `code` (stable, snake_case, documented) and `title` (one line that is the same for
    every occurrence). The instance's `detail` says what was wrong, with which value, and what to do. `extra` members
    are added to the rendered problem. `headers` go onto the HTTP response.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, headers: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra

    def problem(self, instance: str | None = None) -> dict[str, Any]:
        """Render as a problem document (RFC 9457)."""
        body: dict[str, Any] = {
            "type": f"urn:radixinsight:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if instance is not None:
            body["instance"] = instance
        return body | self.extra


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

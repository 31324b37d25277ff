"""Why a live stream is not opened."""

from typing import ClassVar

from core.errors import RadixError


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

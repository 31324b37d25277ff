"""How one event of a request is refused."""

from core.events import RejectReason


class RejectedEventError(Exception):
    """One event cannot be taken; the others of its request can."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

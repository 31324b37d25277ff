"""What can go wrong with exports."""

from typing import ClassVar

from core.errors import RadixError


class TooManyExportsError(RadixError):
    """So many exports of the project wait or run that no further one may."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_exports"
    title: ClassVar[str] = "Too many exports wait"

    def __init__(self, allowed: int) -> None:
        super().__init__(
            f"{allowed} exports of this project wait or run. Wait for one, or cancel it.",
            headers={"Retry-After": "60"},
            limit="project_max_exports",
            allowed=allowed,
        )

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


class ExportsFullError(RadixError):
    """The files of the project's exports take as much as they may, so that no further one is begun."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "exports_full"
    title: ClassVar[str] = "The project's exports take all that they may"

    def __init__(self, taken: int, allowed: int) -> None:
        super().__init__(
            f"Files of this project's exports take {taken} bytes, and {allowed} are allowed. None is removed before "
            "its time: cancel one that is done (DELETE), or wait until one expires.",
            limit="project_max_export_bytes",
            allowed=allowed,
        )


class ExportTooLargeError(RadixError):
    """A file grew above what it may take; what was written of it is removed."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "export_too_large"
    title: ClassVar[str] = "The export is too large"

    def __init__(self, limit: str, allowed: int) -> None:
        super().__init__(
            f"The file grew above {limit} = {allowed} bytes. Ask for a shorter range or one event, or cancel exports "
            "that are done.",
            limit=limit,
            allowed=allowed,
        )


class DiskFullError(RadixError):
    """The disk has no room for a file; what was written of it is removed."""

    status: ClassVar[int] = 507
    code: ClassVar[str] = "disk_full"
    title: ClassVar[str] = "The disk is full"

    def __init__(self) -> None:
        super().__init__("The disk on which exports lie is full. Whoever runs RadixInsight has to make room there.")

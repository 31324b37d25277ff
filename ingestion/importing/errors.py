"""What ends an import, or keeps it from beginning. What has landed by then stays."""

from typing import ClassVar

from core.errors import RadixError


class InvalidMappingError(RadixError):
    """The mapping cannot be understood, or there is none of that name."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid_mapping"
    title: ClassVar[str] = "The mapping is not valid"


class UnreadableFileError(RadixError):
    """The file, or the rest of it, is nothing that can be read."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "unreadable_file"
    title: ClassVar[str] = "The file cannot be read"


class WarehouseAwayError(RadixError):
    """ClickHouse cannot take the rows now. The import can be repeated and goes on where it was."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "warehouse_away"
    title: ClassVar[str] = "ClickHouse does not take the rows"


class GivenUpError(RadixError):
    """The import was begun several times and got no further: it kills the process, or the disk cannot be read."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "given_up"
    title: ClassVar[str] = "The file cannot be imported"


class UnknownProjectError(RadixError):
    """The project that the rows are for is not there any more."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "unknown_project"
    title: ClassVar[str] = "There is no such project"

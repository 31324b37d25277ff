"""What can go wrong on one machine; the command prints the message and exits with 1."""

from typing import ClassVar

from core.errors import RadixError


class OperationError(RadixError):
    """The command can't do what was asked; `detail` says why and what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "runtime_error"
    title: ClassVar[str] = "The command could not be carried out"


class AlreadyRunningError(OperationError):
    """Another supervisor holds the data directory."""

    code: ClassVar[str] = "already_running"
    title: ClassVar[str] = "RadixInsight already runs on this data directory"


class NotRunningError(OperationError):
    """The command needs a running supervisor and there is none."""

    code: ClassVar[str] = "not_running"
    title: ClassVar[str] = "RadixInsight is not running"


class PortTakenError(OperationError):
    """Somebody else listens on a port that is needed."""

    code: ClassVar[str] = "port_taken"
    title: ClassVar[str] = "A port is taken"


class StartFailedError(OperationError):
    """A process ended, or wasn't ready in time, while the system started."""

    code: ClassVar[str] = "start_failed"
    title: ClassVar[str] = "The start was given up"

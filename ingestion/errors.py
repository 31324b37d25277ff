"""What the collector answers when it cannot take a request. A request that is refused leaves nothing behind."""

from collections.abc import Iterable
from typing import ClassVar

from core.errors import RadixError


class MalformedRequestError(RadixError):
    """The body as a whole cannot be read."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "malformed_request"
    title: ClassVar[str] = "The body cannot be read"


class MethodNotAllowedError(RadixError):
    """The path is there, but not for this method."""

    status: ClassVar[int] = 405
    code: ClassVar[str] = "method_not_allowed"
    title: ClassVar[str] = "The method is not allowed here"

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        methods = ", ".join(sorted(allowed))
        super().__init__(f"{method[:20]} is not one of {methods}.", headers={"Allow": methods})


class UnknownWriteKeyError(RadixError):
    """No write key was given, or none that is live."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "unknown_write_key"
    title: ClassVar[str] = "The write key is missing, unknown or revoked"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Basic realm="write key"'})


class RequestTooLargeError(RadixError):
    """The body is larger than a request may be, as sent or unpacked."""

    status: ClassVar[int] = 413
    code: ClassVar[str] = "request_too_large"
    title: ClassVar[str] = "The request is too large"


class UnsupportedEncodingError(RadixError):
    """The body is packed in a way that is not known here, or its packing is damaged."""

    status: ClassVar[int] = 415
    code: ClassVar[str] = "unsupported_encoding"
    title: ClassVar[str] = "The body cannot be unpacked"


class SlowRequestError(RadixError):
    """The client did not send its body in time."""

    status: ClassVar[int] = 408
    code: ClassVar[str] = "request_too_slow"
    title: ClassVar[str] = "The body did not come in time"


class CollectorBusyError(RadixError):
    """Too many bytes of other requests are in memory: the sender should slow down."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "collector_busy"
    title: ClassVar[str] = "Too many requests are being read"


class RateLimitedError(RadixError):
    """A write key or an address sends more than it may."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "rate_limited"
    title: ClassVar[str] = "Too much is being sent"


class OriginNotAllowedError(RadixError):
    """The write key is not for pages of this origin."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "origin_not_allowed"
    title: ClassVar[str] = "The write key is not for pages of this origin"


class SpoolBusyError(RadixError):
    """The spool is nearly full: the sender should slow down."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "spool_nearly_full"
    title: ClassVar[str] = "Too many events are waiting to be stored"


class SpoolUnavailableError(RadixError):
    """Nothing can be made durable right now; nothing of the request was kept."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "spool_unavailable"
    title: ClassVar[str] = "Events cannot be stored right now"


class UploadsBusyError(RadixError):
    """Too many files wait to be imported, or are being sent at once."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "uploads_busy"
    title: ClassVar[str] = "Too many files are waiting to be imported"


class UploadsUnavailableError(RadixError):
    """A file cannot be stored right now; nothing of it was kept."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "uploads_unavailable"
    title: ClassVar[str] = "Files cannot be stored right now"


class UnknownImportError(RadixError):
    """There is no such import, or it is another project's."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "unknown_import"
    title: ClassVar[str] = "There is no such import"


class WriteKeysUnavailableError(RadixError):
    """The write keys have not been read yet, so that nobody can be told apart from an unknown sender."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "write_keys_unavailable"
    title: ClassVar[str] = "Write keys cannot be checked right now"

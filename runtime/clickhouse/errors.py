"""Errors as ClickHouse tells them: code, name, text, and the HTTP status that goes with the code."""

import re

_NAMES = {
    3: "UNEXPECTED_END_OF_FILE",
    36: "BAD_ARGUMENTS",
    39: "TOO_LARGE_SIZE_COMPRESSED",
    40: "CHECKSUM_DOESNT_MATCH",
    62: "SYNTAX_ERROR",
    89: "UNKNOWN_COMPRESSION_METHOD",
    115: "UNKNOWN_SETTING",
    164: "READONLY",
    194: "REQUIRED_PASSWORD",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    236: "ABORTED",
    246: "CORRUPTED_DATA",
    271: "CANNOT_DECOMPRESS",
    307: "TOO_MANY_BYTES",
    372: "SESSION_NOT_FOUND",
    373: "SESSION_IS_LOCKED",
    374: "INVALID_SESSION_TIMEOUT",
    381: "HTTP_LENGTH_REQUIRED",
    394: "QUERY_WAS_CANCELLED",
    452: "SETTING_CONSTRAINT_VIOLATION",
    497: "ACCESS_DENIED",
    512: "SET_NON_GRANTED_ROLE",
    516: "AUTHENTICATION_FAILED",
    744: "SESSION_ID_EMPTY",
    1001: "STD_EXCEPTION",
}

# exceptionCodeToHTTPStatus.cpp of ClickHouse, by code. Everything else is 500.
_STATUS = (
    {194: 401, 229: 413, 307: 413, 48: 501, 381: 411, 159: 408, 779: 415}
    | dict.fromkeys((192, 193, 516, 512, 497), 403)
    | dict.fromkeys(
        (36, 427, 6, 25, 26, 38, 41, 72, 441, 675, 676, 27, 376, 15, 44, 37, 123, 8, 167, 168, 223, 62, 117, 53, 321),
        400,
    )
    | dict.fromkeys((60, 46, 47, 50, 56, 81, 115, 152, 63, 73, 336, 78, 511), 404)
    | dict.fromkeys((209, 76, 439, 202), 503)
)

_PREFIX = re.compile(r"\A(?:Code: (?P<code>\d+)\. DB::Exception: )+")
_SUFFIX = re.compile(r"\.?\s*\((?P<name>[A-Z][A-Z0-9_]+)\)(?:\s*\(version [^)]*\))?\.?\s*\Z")


class ClickHouseError(Exception):
    """An error with ClickHouse's code, which a client sees as the real server would tell it."""

    def __init__(self, code: int, message: str, *, name: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.name = name or _NAMES.get(code, "UNKNOWN_EXCEPTION")
        self.message = message
        self.status = status or _STATUS.get(code, 500)

    def text(self, version: str) -> str:
        """Render as the body of an answer, ending in a line break."""
        dot = "" if self.message.endswith((".", "\n")) else "."
        build = f"(version {version} (official build))"
        return f"Code: {self.code}. DB::Exception: {self.message}{dot} ({self.name}) {build}\n"


# What a call into the engine raises: its exception, or the failure to read the exception's text, which may quote any
# bytes of the query or of the rows.
ENGINE_ERRORS = (RuntimeError, UnicodeDecodeError)


def from_engine(error: BaseException | str) -> ClickHouseError:
    """Read code, name and message back from the text of an engine's exception.

    The engine nests them (`Code: 27. DB::Exception: Code: 27. DB::Exception: … (NAME) (version x). (NAME)`); the
    innermost code is kept.
    """
    is_unreadable = isinstance(error, UnicodeDecodeError)
    text = error.object.decode(errors="backslashreplace") if is_unreadable else str(error)
    prefix = _PREFIX.match(text)
    if prefix is None:
        return ClickHouseError(1001, text)
    message = text[prefix.end() :]
    name = None
    while suffix := _SUFFIX.search(message):
        name = suffix["name"]
        message = message[: suffix.start()]
    return ClickHouseError(int(prefix["code"]), message, name=name)

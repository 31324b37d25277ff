"""Settings in a request's URL: which of them the server itself reads, which go to the engine, which are refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.clickhouse.access import Guard
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.users import Role, User

_RESERVED = {
    "query", "user", "password", "quota_key", "query_id", "stacktrace", "role", "session_id", "session_timeout",
    "session_check", "close_session", "client_protocol_version", "database", "default_format",
}  # fmt: skip
# Read here and never handed to the engine, which has no HTTP of its own.
_HTTP = {
    "compress", "decompress", "buffer_size", "wait_end_of_query", "http_wait_end_of_query",
    "http_response_buffer_size", "enable_http_compression", "http_zlib_compression_level",
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "http_write_exception_in_output_format",
    "http_native_compression_disable_checksumming_on_decompress", "add_http_cors_header", "max_query_size",
    "cancel_http_readonly_queries_on_client_close", "network_compression_method", "network_zstd_compression_level",
    "http_receive_timeout", "http_send_timeout", "http_connection_timeout",
}  # fmt: skip
_EXTERNAL_SUFFIXES = ("_format", "_types", "_structure")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
# What would loosen a reader's bounds. Everything else shapes only his own answer.
_LOCKED = re.compile(
    r"readonly|profile|allow_ddl|allow_introspection.*|max_memory_usage_for.*|max_untracked_memory|memory_.*"
    r"|log_queries.*|log_formatted_queries|log_profile_events|os_thread_priority|priority|workload|max_concurrent.*"
)


@dataclass(slots=True)
class UrlSettings:
    """The parts of a request's URL parameters."""

    reserved: dict[str, str] = field(default_factory=dict[str, str])
    http: dict[str, str] = field(default_factory=dict[str, str])
    engine: dict[str, str] = field(default_factory=dict[str, str])
    query: dict[str, str] = field(default_factory=dict[str, str])
    """Values for `{name:Type}` in the query."""
    external: dict[str, str] = field(default_factory=dict[str, str])
    """`<table>_structure`, `<table>_types`, `<table>_format` of external tables."""

    def flag(self, *names: str, default: bool = False) -> bool:
        """Return a boolean that the server itself reads; the first name that is set counts."""
        for name in names:
            if name in self.http:
                return self.http[name].lower() in {"1", "true", "yes", "on"}
        return default

    def number(self, name: str, default: int) -> int:
        """Return a number that the server itself reads. Raises ClickHouseError when it is none."""
        text = self.http.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise ClickHouseError(
                27, f"Cannot parse number '{text}' of {name}", name="CANNOT_PARSE_INPUT_ASSERTION_FAILED"
            )
        return int(text)


def split(parameters: list[tuple[str, str]], *, is_multipart: bool) -> UrlSettings:
    """Sort a request's URL parameters."""
    made = UrlSettings()
    for name, value in parameters:
        if not name:
            continue
        if name in _RESERVED:
            made.reserved.setdefault(name, value)
        elif name.startswith("param_"):
            made.query.setdefault(name.removeprefix("param_"), value)
        elif name in _HTTP:
            made.http[name] = value
        elif is_multipart and name.endswith(_EXTERNAL_SUFFIXES):
            made.external[name] = value
        elif not _NAME.fullmatch(name):
            raise ClickHouseError(115, f"Unknown setting '{name}'")
        else:
            made.engine[name] = value
    return made


def bounded(settings: Mapping[str, str], user: User, guard: Guard) -> dict[str, str]:
    """Return the engine settings of a request by `user`: his own ones within his limits, and the limits themselves.

    Raises ClickHouseError 164 or 497 for one he may not set, 452 for one over its limit.
    """
    for name, value in settings.items():
        guard.check_setting(name, value, user.role)
    if user.role is not Role.READER:
        return dict(settings)
    made = {name: str(limit) for name, limit in user.limits.items()}
    for name, value in settings.items():
        if _LOCKED.fullmatch(name):
            raise ClickHouseError(164, f"Cannot modify '{name}' setting in readonly mode")
        limit = user.limits.get(name)
        if limit is not None and not _is_tighter(value, limit):
            raise ClickHouseError(452, f"Setting {name} shouldn't be greater than {limit}")
        made[name] = value
    return made


def _is_tighter(value: str, limit: int) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return 0 < number <= limit

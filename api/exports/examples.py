"""The answers about exports that the API's documentation shows."""

from typing import Any

_EXPORT: dict[str, Any] = {
    "id": 12,
    "kind": "events",
    "format": "csv",
    "range_start": "2026-03-01T00:00:00Z",
    "range_end": "2026-04-01T00:00:00Z",
    "event": None,
    "state": "running",
    "rows_total": 412000,
    "rows_written": 160000,
    "size_bytes": None,
    "error": None,
    "created_at": "2026-04-02T08:00:00Z",
    "finished_at": None,
    "expires_at": None,
    "actor_name": "ada@example.com",
    "link": None,
}
_DONE = _EXPORT | {
    "state": "done",
    "rows_written": 412000,
    "size_bytes": 18350112,
    "finished_at": "2026-04-02T08:00:21Z",
    "expires_at": "2026-04-03T08:00:21Z",
    "link": f"https://analytics.example/v1/exports/12.1775120421.{'0' * 64}",
}

BY_OPERATION: dict[str, dict[str, Any]] = {
    "create_export": _EXPORT | {"state": "waiting", "rows_total": None, "rows_written": 0},
    "list_exports": {"exports": [_DONE]},
    "get_export": _DONE,
}

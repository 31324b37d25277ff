"""What the examples of answers have in common."""

from typing import Any


def meta_of(sql: str, parameters: dict[str, str | int], read_rows: int) -> dict[str, Any]:
    """Return the origin of an answer."""
    return {
        "sources": ["marts.fct_events"],
        "sql": sql,
        "parameters": {"project_id": 1, "start": "2026-03-01 00:00:00.000", "end": "2026-03-15 00:00:00.000"}
        | parameters,
        "computed_at": "2026-03-20T08:00:00.000Z",
        "fresh_until": "2026-03-20T07:57:31.412Z",
        "unmodelled": {"events": 412, "until": "2026-03-20T07:57:32.006Z", "is_counted": True},
        "data_version": "6f1d0c7b9a3e5d42",
        "elapsed_ms": 18.4,
        "cached": False,
        "read_rows": read_rows,
        "read_bytes": read_rows * 48,
        "plan": None,
    }

"""ClickHouse's values as JSON."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from enum import Enum
from typing import Any

_MOST_EXACT = 2**53


def json_value(value: Any) -> Any:  # noqa: PLR0911 - one per kind
    """Return a value as JSON shows it, without loss: what a number in JSON would cut is text.

    >>> json_value([1, 2**60, float("nan"), date(2025, 1, 1), {"a": Decimal("1.10")}])
    [1, '1152921504606846976', None, '2025-01-01', {'a': '1.10'}]
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < _MOST_EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)).isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Mapping):
        return {str(json_value(key)): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    return value.name if isinstance(value, Enum) else str(value)

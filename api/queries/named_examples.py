"""What the questions by name answer, as the API's documentation shows it."""

from typing import Any

ACTIVITY: dict[str, Any] = {
    "interval": "day",
    "timezone": "Europe/Berlin",
    "lines": [
        {
            "period": "current",
            "breakdown": [],
            "points": [
                {
                    "start": "2026-03-02T00:00:00+01:00",
                    "is_complete": True,
                    "figures": {"daily": 61.0, "weekly": 244.0, "monthly": 610.0, "daily_of_monthly": 0.1},
                }
            ],
        }
    ],
}
BREAKDOWN: dict[str, Any] = {
    "interval": "total",
    "timezone": "Europe/Berlin",
    "lines": [
        {
            "period": "current",
            "breakdown": [{"text": text, "kind": kind}],
            "points": [
                {
                    "start": "2026-03-01T00:00:00+01:00",
                    "is_complete": True,
                    "figures": {"total_events": events, "unique_persons": persons},
                }
            ],
        }
        for text, kind, events, persons in (("pro", "value", 410.0, 65.0), ("(none)", "none", 96.0, 40.0))
    ],
}

"""The documents that the API's documentation shows, one for each kind, and an answer to each."""

from typing import Any

from api.insights.examples import meta_of
from api.queries.list_examples import LIST_DOCUMENTS, LISTS

TIMES = ("p25_ms", "median_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms")
_RANGE = {"from": "2026-03-01", "to": "2026-04-01"}

DOCUMENTS: dict[str, dict[str, Any]] = {
    "trend": {
        "kind": "trend",
        **_RANGE,
        "interval": "week",
        "series": [
            {"name": "buyers", "event": "purchase", "measure": "persons"},
            {"name": "revenue", "event": "purchase", "measure": "sum", "of": {"property": "total"}},
        ],
        "formulas": [{"name": "revenue_per_buyer", "formula": "B / A"}],
        "breakdown": [{"column": "country"}],
        "top": 5,
    },
    "funnel": {
        "kind": "funnel",
        **_RANGE,
        "steps": [
            "catalog",
            {"event": "purchase", "where": [{"property": "total", "operator": "gte", "value": 20}], "name": "bought"},
        ],
        "window": "7d",
    },
    "funnel_trend": {
        "kind": "funnel_trend",
        "last": 8,
        "interval": "week",
        "steps": ["catalog", "purchase"],
        "window": "7d",
    },
    "funnel_times": {
        "kind": "funnel_times",
        **_RANGE,
        "steps": ["catalog", "purchase"],
        "window": "1d",
        "bin_ms": 3600000,
    },
    "retention": {
        "kind": "retention",
        "last": 8,
        "period": "week",
        "periods": 4,
        "start": "signup",
        "returning": "purchase",
    },
    "lifecycle": {"kind": "lifecycle", "last": 12, "interval": "week"},
    "stickiness": {"kind": "stickiness", "last": 14, "events": "search"},
    "paths": {
        "kind": "paths",
        **_RANGE,
        "nodes": "page_path",
        "groups": ["/product/*"],
        "end_point": "/checkout",
        "max_steps": 4,
    },
    "web": {"kind": "web", "last": 30, "breakdown": ["channel"], "total": True, "compare": "previous"},
    "revenue": {"kind": "revenue", "last": 12, "interval": "month", "orders": "purchase"},
} | LIST_DOCUMENTS

_START = "2026-03-02T00:00:00+01:00"
_FIGURES: dict[str, dict[str, Any]] = {
    "trend": {
        "interval": "week",
        "timezone": "Europe/Berlin",
        "lines": [
            {
                "period": "current",
                "breakdown": [{"text": "DE", "kind": "value"}],
                "points": [
                    {
                        "start": _START,
                        "is_complete": True,
                        "figures": {"buyers": 20.0, "revenue": 900.0, "revenue_per_buyer": 45.0},
                    }
                ],
            }
        ],
    },
    "funnel": {
        "order": "ordered",
        "attempts": "best",
        "window_ms": 604800000,
        "lines": [
            {
                "breakdown": [],
                "conversion": 0.25,
                "steps": [
                    {
                        "step": 1,
                        "name": "catalog",
                        "persons": 200,
                        "lost_persons": 150,
                        "incomplete_persons": 0,
                        "conversion_from_first": 1.0,
                        "conversion_from_previous": None,
                        **dict.fromkeys((*TIMES, "average_ms", "total_average_ms", "total_median_ms")),
                    },
                    {
                        "step": 2,
                        "name": "bought",
                        "persons": 50,
                        "lost_persons": 0,
                        "incomplete_persons": 0,
                        "conversion_from_first": 0.25,
                        "conversion_from_previous": 0.25,
                        **dict(zip(TIMES, (60000.0, 184000.0, 300000.0, 600000.0, 750000.0, 900000.0), strict=True)),
                        "average_ms": 260512.5,
                        "total_average_ms": 260512.5,
                        "total_median_ms": 184000.0,
                    },
                ],
            }
        ],
    },
    "funnel_trend": {
        "interval": "week",
        "timezone": "Europe/Berlin",
        "lines": [
            {
                "breakdown": [],
                "buckets": [
                    {
                        "start": _START,
                        "is_complete": True,
                        "steps": [
                            {
                                "step": 1,
                                "name": "catalog",
                                "persons": 200,
                                "incomplete_persons": 0,
                                "conversion_from_first": 1.0,
                            },
                            {
                                "step": 2,
                                "name": "purchase",
                                "persons": 50,
                                "incomplete_persons": 0,
                                "conversion_from_first": 0.25,
                            },
                        ],
                    }
                ],
            }
        ],
    },
    "funnel_times": {
        "from_step": 1,
        "from_name": "catalog",
        "to_step": 2,
        "to_name": "purchase",
        "lines": [
            {
                "breakdown": [],
                "bins": [
                    {"from_ms": 0, "to_ms": 3600000, "persons": 41},
                    {"from_ms": 3600000, "to_ms": 7200000, "persons": 9},
                ],
            }
        ],
    },
    "retention": {
        "period": "week",
        "timezone": "Europe/Berlin",
        "cohort": "first_time",
        "clock": "calendar",
        "return_rule": "on",
        "brackets": [],
        "lines": [
            {
                "breakdown": [],
                "cohorts": [
                    {
                        "start": _START,
                        "size": 40,
                        "cells": [
                            {"period_index": 0, "persons": 40, "rate": 1.0, "is_complete": True},
                            {"period_index": 1, "persons": 10, "rate": 0.25, "is_complete": True},
                        ],
                    }
                ],
                "averages": [
                    {"period_index": 0, "size": 40, "persons": 40, "rate": 1.0},
                    {"period_index": 1, "size": 40, "persons": 10, "rate": 0.25},
                ],
            }
        ],
    },
    "lifecycle": {
        "interval": "week",
        "timezone": "Europe/Berlin",
        "buckets": [
            {
                "start": _START,
                "is_complete": True,
                "new_persons": 12,
                "returning_persons": 30,
                "resurrecting_persons": 5,
                "dormant_persons": -8,
                "active_persons": 47,
            }
        ],
    },
    "stickiness": {
        "interval": "day",
        "timezone": "Europe/Berlin",
        "counts": [
            {"buckets": 1, "persons": 40, "persons_at_least": 65},
            {"buckets": 2, "persons": 25, "persons_at_least": 25},
        ],
    },
    "paths": {
        "nodes": [{"position": 4, "name": "/checkout", "sequences": 120, "drop_offs": 0}],
        "edges": [
            {
                "position": 3,
                "name": "/product/*",
                "next_name": "/checkout",
                "sequences": 80,
                "average_ms": 42000.0,
            }
        ],
    },
    "web": {
        "counted": "sessions",
        "interval": "total",
        "timezone": "Europe/Berlin",
        "lines": [
            {
                "period": "current",
                "breakdown": [{"text": "organic_search", "kind": "value"}],
                "points": [
                    {
                        "start": _START,
                        "is_complete": False,
                        "visitors": 300,
                        "sessions": 420,
                        "views": 1300,
                        "bounces": 105,
                        "bounce_rate": 0.25,
                        "average_duration_ms": 183000.0,
                        "views_per_session": 3.095,
                    }
                ],
            }
        ],
    },
    "revenue": {
        "interval": "month",
        "timezone": "Europe/Berlin",
        "lines": [
            {
                "period": "current",
                "breakdown": [],
                "currency": "EUR",
                "points": [
                    {
                        "start": "2026-03-01T00:00:00+01:00",
                        "is_complete": True,
                        "revenue": "900.000000",
                        "orders": 25,
                        "buyers": 20,
                        "active_persons": 480,
                        "average_order_value": 36.0,
                        "revenue_per_buyer": 45.0,
                        "revenue_per_active_person": 1.875,
                    }
                ],
            }
        ],
    },
}
_META = meta_of("with … select … from marts.fct_events where …", {"value_0": "purchase"}, 31106)

ANSWERS: dict[str, dict[str, Any]] = {
    kind: {"kind": kind, "data": data, "meta": _META} for kind, data in (_FIGURES | LISTS).items()
}

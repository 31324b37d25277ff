"""The answers that the API's documentation shows, one per operation; a test holds them to the schemas."""

from typing import Any

from api.accounts import examples as accounts
from api.exports import examples as exports
from api.insights.examples import meta_of
from api.queries.examples import ANSWERS
from api.queries.named_examples import ACTIVITY, BREAKDOWN
from api.saved import examples as saved

EVENT_NAMES: dict[str, Any] = {
    "data": [
        {"event": "catalog", "events": 9146, "persons": 518},
        {"event": "product_view", "events": 4402, "persons": 471},
    ],
    "meta": meta_of("select event, count() as events, … from marts.fct_events where …", {}, 31106),
}

TIMESERIES: dict[str, Any] = {
    "data": {
        "event": "catalog",
        "interval": "day",
        "measure": "persons",
        "timezone": "Europe/Berlin",
        "buckets": [
            {"start": "2026-03-28T00:00:00+01:00", "value": 41, "is_complete": True},
            {"start": "2026-03-29T00:00:00+01:00", "value": 38, "is_complete": True},
            {"start": "2026-03-30T00:00:00+02:00", "value": 44, "is_complete": False},
        ],
    },
    "meta": meta_of(
        "select … as bucket, … as value from marts.fct_events where …",
        {"event": "catalog", "timezone": "Europe/Berlin"},
        9146,
    ),
}

FUNNEL: dict[str, Any] = {
    "data": {
        "order": "ordered",
        "attempts": "best",
        "window_ms": 1209600000,
        "conversion": 0.25,
        "is_complete": True,
        "steps": [
            {
                "step": 1,
                "event": "catalog",
                "persons": 200,
                "dropped_off": 0,
                "conversion_from_first": 1.0,
                "conversion_from_previous": None,
                "median_ms": None,
                "average_ms": None,
            },
            {
                "step": 2,
                "event": "purchase",
                "persons": 50,
                "dropped_off": 150,
                "conversion_from_first": 0.25,
                "conversion_from_previous": 0.25,
                "median_ms": 184000.0,
                "average_ms": 260512.5,
            },
        ],
    },
    "meta": meta_of(
        "with … select step, persons, … from …",
        {"step_1": "catalog", "step_2": "purchase", "window_ms": 1209600000},
        31106,
    ),
}

RETENTION: dict[str, Any] = {
    "data": {
        "start_event": None,
        "return_event": None,
        "period": "week",
        "timezone": "Europe/Berlin",
        "cohort": "first_time",
        "clock": "calendar",
        "return_rule": "on",
        "cohorts": [
            {
                "start": "2026-03-02T00:00:00+01:00",
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
    },
    "meta": meta_of("with … select cohort, period_index, … from …", {"timezone": "Europe/Berlin", "periods": 1}, 31106),
}

DEFINED: dict[str, Any] = {
    "data": [{"name": "funnel_checkout", "kind": "funnel", "description": "From the catalogue to the purchase."}],
}

MART: dict[str, Any] = {
    "data": {
        **DEFINED["data"][0],
        "definition": {
            "description": "From the catalogue to the purchase.",
            "kind": "funnel",
            "steps": [{"event": "catalog"}, {"event": "purchase"}],
            "window": "14d",
            "order": "ordered",
            "attempts": "best",
        },
        "columns": [
            {"name": "step", "type": "UInt32", "description": "Number of the step, from 1."},
            {"name": "persons", "type": "UInt64", "description": "How many persons reached the step."},
        ],
        "rows": [{"step": 1, "persons": 200}, {"step": 2, "persons": 50}],
        "is_truncated": False,
    },
    "meta": meta_of("select step, persons, … from marts.funnel_checkout …", {"limit": 10000}, 2),
}

SQL: dict[str, Any] = {
    "data": {
        "columns": [{"name": "country", "type": "LowCardinality(String)"}, {"name": "persons", "type": "UInt64"}],
        "rows": [["DE", 211], ["AT", 42]],
    },
    "meta": {
        "sources": ["marts.fct_events"],
        "sql": "select `country`, uniqExact(`person_number`) as `persons`\nfrom (select * from …",
        "parameters": {"event": "purchase", "project_id": 1},
        "computed_at": "2026-03-20T08:00:00.000Z",
        "fresh_until": "2026-03-20T07:57:31.412Z",
        "data_version": "6f1d0c7b9a3e5d42",
        "elapsed_ms": 21.7,
        "cached": False,
        "read_rows": 31106,
        "read_bytes": 1493088,
        "truncated": False,
    },
}

SQL_TABLES: dict[str, Any] = {
    "data": [
        {
            "name": "dim_events",
            "description": "One row per project and event name.",
            "columns": [
                {"name": "event", "type": "LowCardinality(String)", "description": "Name of the event."},
            ],
        }
    ]
}

PROJECTS: dict[str, Any] = {"projects": [{"id": 1, "name": "Demo shop", "timezone": "Europe/Berlin", "week_start": 1}]}

COUNTERS: dict[str, Any] = {
    "until": "2026-03-20T08:00:00.000Z",
    "active_5_minutes": 41,
    "active_30_minutes": 167,
    "events_last_minute": 96,
    "events_per_minute": [*(88 + 7 * (minute % 4) for minute in range(29)), 96],
    "counted": "distinct_ids",
    "is_exact": True,
}

TICKET: dict[str, Any] = {
    "ticket": "lt_4bIN1cA2f0vJw0n1Qm3m5Gm2m1C7Zg8Jc9k0e1d2f3g",
    "expires_at": "2026-03-20T08:00:30.000Z",
}
SEVERAL_BY_OPERATION: dict[str, dict[str, dict[str, Any]]] = {"query": ANSWERS, **saved.SEVERAL_BY_OPERATION}

BY_OPERATION: dict[str, dict[str, Any]] = {
    "list_projects": PROJECTS,
    "list_event_names": EVENT_NAMES,
    "query_timeseries": TIMESERIES,
    "query_funnel": FUNNEL,
    "query_retention": RETENTION,
    "query_activity": ANSWERS["trend"] | {"data": ACTIVITY},
    "query_breakdown": ANSWERS["trend"] | {"data": BREAKDOWN},
    "list_defined_insights": DEFINED,
    "get_defined_insight": MART,
    "query_sql": SQL,
    "list_sql_tables": SQL_TABLES,
    "get_live_counters": COUNTERS,
    "create_live_ticket": TICKET,
    "get_health": {"status": "ok"},
    "get_readiness": {"status": "ready", "checks": {"clickhouse": "ok", "postgresql": "ok", "valkey": "ok"}},
    **accounts.BY_OPERATION,
    **exports.BY_OPERATION,
    **saved.BY_OPERATION,
}

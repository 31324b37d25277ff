"""The documents that ask for lists, as the API's documentation shows them, and what comes of each."""

from typing import Any

LIST_DOCUMENTS: dict[str, dict[str, Any]] = {
    "events": {"kind": "events", "last": 1, "events": "purchase", "limit": 50},
    "persons": {"kind": "persons", "search": "example.org", "limit": 50},
    "person": {"kind": "person", "user_id": "ada", "events": 10},
    "property_values": {"kind": "property_values", "last": 30, "property": "plan", "events": "purchase"},
    "cohort": {
        "kind": "cohort",
        "who": [
            {"did": {"event": "purchase", "at_least": 3, "within": "90d"}},
            {"did_not": {"event": "purchase", "within": "30d"}},
        ],
    },
    "trend_persons": {"kind": "trend_persons", "from": "2026-03-02", "to": "2026-03-09", "events": "purchase"},
    "funnel_persons": {
        "kind": "funnel_persons",
        "last": 30,
        "steps": ["catalog", "cart", "purchase"],
        "window": "7d",
        "step": 2,
        "is_lost": True,
    },
    "retention_persons": {
        "kind": "retention_persons",
        "from": "2026-02-02",
        "to": "2026-04-06",
        "period": "week",
        "start": "signup",
        "returning": "purchase",
        "at": "2026-03-02T00:00:00+01:00",
        "period_index": 1,
    },
    "lifecycle_persons": {
        "kind": "lifecycle_persons",
        "from": "2026-02-02",
        "to": "2026-04-06",
        "interval": "week",
        "at": "2026-03-02T00:00:00+01:00",
        "status": "resurrecting",
    },
    "stickiness_persons": {"kind": "stickiness_persons", "last": 14, "events": "search", "buckets": 7, "or_more": True},
}

_PERSON: dict[str, Any] = {
    "person_number": 7,
    "person_id": "user:ada",
    "user_id": "ada",
    "is_identified": True,
    "first_seen_at": "2026-01-10T08:00:00.000Z",
    "last_seen_at": "2026-03-20T07:57:31.412Z",
    "events": 120,
    "sessions": 14,
    "traits": {"plan": "pro"},
}
_EVENT: dict[str, Any] = {
    "message_id": "6d1c",
    "type": "track",
    "event": "purchase",
    "timestamp": "2026-03-20T07:57:31.000Z",
    "properties": {"plan": "pro", "total": 36},
}
_PERSONS = {"size": 65, "persons": [_PERSON], "next": "WzE3NzQwMDAwMDAwMDAsIDdd"}
LISTS: dict[str, dict[str, Any]] = {
    "events": {
        "events": [
            _EVENT
            | dict.fromkeys(("group_type", "group_id", "page_host", "page_path", "channel"), "")
            | {
                "received_at": "2026-03-20T07:57:31.412Z",
                "user_id": "ada",
                "anonymous_id": "b7f2",
                "person_id": "user:ada",
                "person_number": 7,
                "session_id": "1180",
                "country": "DE",
                "browser": "Firefox",
                "os": "Linux",
                "device_type": "desktop",
            }
        ],
        "next": None,
    },
    "persons": _PERSONS,
    "cohort": _PERSONS,
    "person": {
        "person": _PERSON
        | {"merged_user_ids": ["ada-old"], "anonymous_ids": ["8f14", "c9f0"], "latest_events": [_EVENT]}
    },
    "property_values": {"values": [{"text": "pro", "events": 410, "persons": 65}], "is_truncated": False},
} | dict.fromkeys(
    ("trend_persons", "funnel_persons", "retention_persons", "lifecycle_persons", "stickiness_persons"), _PERSONS
)

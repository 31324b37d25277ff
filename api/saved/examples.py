"""The answers about saved things and links that the API's documentation shows."""

from typing import Any

from api.insights.examples import meta_of
from api.queries.examples import ANSWERS, DOCUMENTS

_AT = "2026-03-20T08:00:00Z"
_LATER = "2026-06-20T08:00:00Z"
_STAMP = {
    "id": 1,
    "version": 1,
    "created_at": _AT,
    "created_by": "ada@example.com",
    "updated_at": _AT,
    "updated_by": "ada@example.com",
}
_ASKED: dict[str, Any] = _STAMP | {
    "name": "Catalog to purchase",
    "description": "",
    "tags": ["growth"],
    "folder_id": None,
    "query": DOCUMENTS["funnel"],
    "materialised": False,
}
_INSIGHT: dict[str, Any] = _ASKED | {"shared_links": 1}
_COHORT: dict[str, Any] = _STAMP | {
    "id": 7,
    "name": "cohort_regulars",
    "description": "",
    "tags": [],
    "folder_id": None,
    "query": DOCUMENTS["cohort"],
}
_TEXT_TILE = {"kind": "text", "id": "about", "x": 8, "y": 0, "width": 4, "height": 4, "text": "Of the **shop** alone."}
_PLACE = {"id": "funnel", "x": 0, "y": 0, "width": 8, "height": 4}
_DASHBOARD: dict[str, Any] = _STAMP | {
    "id": 2,
    "name": "Shop",
    "description": "What we look at on Mondays.",
    "tags": [],
    "folder_id": None,
    "shared_links": 1,
    "tiles": [_PLACE | {"kind": "insight", "insight_id": 1, "title": ""}, _TEXT_TILE],
}
_ANNOTATION: dict[str, Any] = _STAMP | {
    "id": 3,
    "text": "New checkout",
    "at": _AT,
    "until": None,
    "about_id": None,
}
_FOLDER: dict[str, Any] = _STAMP | {"id": 4, "name": "Monday", "folder_id": None}
_SUMMARY: dict[str, Any] = {name: value for name, value in _ASKED.items() if name not in {"query", "materialised"}} | {
    "kind": "insight",
    "is_favourite": True,
    "deleted_at": None,
    "deleted_by": None,
}
_VERSION = {
    "version": 2,
    "at": _AT,
    "actor_kind": "user",
    "actor_id": 1,
    "actor_name": "ada@example.com",
    "changed": ["name"],
    "restored_from": None,
}
_CONTENT = {name: value for name, value in _FOLDER.items() if name not in _STAMP}
_SHOWN = {"query_kind": "funnel", "is_in_trash": False}
_LINK = {
    "id": 1,
    "object_id": 2,
    "kind": "dashboard",
    "name": "Shop",
    "url": "https://insight.example/#shared=sl_1_" + "0" * 64,
    "has_password": True,
    "created_at": _AT,
    "created_by": "ada@example.com",
    "expires_at": _LATER,
}

_SAID: dict[str, Any] = {
    "description": "An order was paid.",
    "tags": ["shop"],
    "owner_id": 1,
    "is_hidden": False,
    "is_verified": True,
}
_OF_TOTAL = {"property": "total", "source": "event", "group_type": ""}
_CATALOGUED: dict[str, Any] = _SAID | {"description_id": 5, "version": 1}
_META = meta_of("select … from marts.dim_events where …", {"limit": 20001}, 31)

SEVERAL_BY_OPERATION: dict[str, dict[str, dict[str, Any]]] = {
    "get_saved_insight_result": {"funnel": ANSWERS["funnel"]},
    "get_tile_result": {"funnel": ANSWERS["funnel"]},
}

BY_OPERATION: dict[str, dict[str, Any]] = {
    "list_saved": {"saved": [_SUMMARY], "next": None},
    "recover_saved": {"id": 1, "version": 1, "restored_from": None},
    "list_versions": {"versions": [_VERSION], "next": 2},
    "get_version": _VERSION | {"content": _CONTENT},
    "restore_version": {"id": 1, "version": 3, "restored_from": 1},
    "undo_change": {"id": 1, "version": 3, "restored_from": 1},
    "create_saved_insight": _INSIGHT,
    "get_saved_insight": _INSIGHT,
    "change_saved_insight": _INSIGHT | {"version": 2},
    "get_materialisation": {"made_at": _AT, "answered_at": _AT, "version": 1, "error": None, "is_given": True},
    "make_materialisation": {"version": 1, "question": "0" * 32, "answer": ANSWERS["funnel"]},
    "create_cohort": _COHORT,
    "get_cohort": _COHORT,
    "change_cohort": _COHORT | {"version": 2},
    "list_granted_dashboards": {
        "dashboards": [{"project_id": 1, "id": 2, "name": "Shop", "description": "What we look at on Mondays."}]
    },
    "create_dashboard": _DASHBOARD,
    "get_dashboard": _DASHBOARD | {"insights": [_ASKED], "insights_in_trash": []},
    "change_dashboard": _DASHBOARD | {"version": 2},
    "list_annotations": {"annotations": [_ANNOTATION], "next": None},
    "create_annotation": _ANNOTATION,
    "change_annotation": _ANNOTATION | {"version": 2},
    "create_folder": _FOLDER,
    "change_folder": _FOLDER | {"version": 2},
    "list_catalogue_events": {
        "events": [
            _CATALOGUED
            | {
                "event": "purchase",
                "first_seen_date": "2025-03-01",
                "last_seen_date": "2026-03-20",
                "events": 1204,
                "events_in_30_days": 88,
                "persons": 391,
            }
        ],
        "next": None,
        "is_truncated": False,
        "meta": _META,
    },
    "describe_event": _STAMP | {"id": 5, "event": "purchase"} | _SAID,
    "list_catalogue_properties": {
        "properties": [
            _CATALOGUED
            | _OF_TOTAL
            | dict.fromkeys(("strings", "datetimes", "booleans", "arrays", "objects", "nulls"), 0)
            | {
                "events": 1204,
                "numbers": 1204,
                "distinct_values": 412,
                "first_seen_at": "2025-03-01T08:00:00Z",
                "last_seen_at": _AT,
            }
        ],
        "next": None,
        "is_truncated": False,
        "meta": _META,
    },
    "describe_property": _STAMP | {"id": 6} | _OF_TOTAL | _SAID,
    "create_link": _LINK,
    "list_links": {"links": [_LINK], "next": None},
    "open_link": {
        "token_type": "Bearer",
        "access_token": "sv_1_1774000000_" + "0" * 64,
        "expires_at": "2026-03-20T09:00:00Z",
    },
    "get_shared": {
        "kind": "dashboard",
        "name": "Shop",
        "description": "What we look at on Mondays.",
        "timezone": "Europe/Berlin",
        "query_kind": None,
        "tiles": [_PLACE | {"kind": "insight", "name": "Catalog to purchase"} | _SHOWN, _TEXT_TILE],
    },
    "get_shared_result": {
        "kind": "funnel",
        "data": ANSWERS["funnel"]["data"],
        "computed_at": _AT,
        "fresh_until": _AT,
    },
}

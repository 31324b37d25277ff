"""The collector's OpenAPI document: the requests' schemas come from the event contract."""

import json
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI

from core.events import Event, EventType
from ingestion.protocols.segment import Batch

DESCRIPTION = """Takes events in Segment's shapes.

Authenticate with the project's write key: as the user name of Basic authentication with an empty password, or as
`writeKey` in the body. Bodies may be packed with gzip, deflate or zstd."""

SNAPSHOT = Path(__file__).parent / "openapi.json"
"""The document as it is checked in; `python -m ingestion.write_openapi` writes it anew."""

_REF = "#/components/schemas/{name}"
_PERSON = {"anonymousId": "0f9a7b1c", "userId": "ada"}
_WHEN = {"timestamp": "2024-05-06T07:08:09.123Z", "sentAt": "2024-05-06T07:08:10.000Z"}
_EXAMPLES: dict[EventType, dict[str, Any]] = {
    EventType.TRACK: {
        "messageId": "5f1c",
        "event": "add_to_cart",
        **_PERSON,
        **_WHEN,
        "properties": {"sku": "A-17", "price": 12.5},
    },
    EventType.IDENTIFY: {**_PERSON, "traits": {"plan": "pro"}},
    EventType.PAGE: {**_PERSON, "name": "Pricing", "properties": {"url": "https://example.org/pricing"}},
    EventType.SCREEN: {**_PERSON, "name": "Settings"},
    EventType.GROUP: {**_PERSON, "groupType": "company", "groupId": "acme", "traits": {"seats": 12}},
    EventType.ALIAS: {"previousId": "ada@old.example", "userId": "ada"},
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Every event is on disk; rejected ones, up to 100 of which are listed, as rejects.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["success"],
                    "properties": {
                        "success": {"type": "boolean", "const": True},
                        "rejected": {"type": "integer", "description": "How many events were rejected, if any."},
                        "rejects": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["index", "reason", "detail"],
                                "properties": {
                                    "index": {"type": "integer"},
                                    "reason": {"type": "string"},
                                    "detail": {"type": "string"},
                                },
                            },
                        },
                    },
                },
                "example": {"success": True},
            }
        },
    },
    **{
        status: {
            "description": text,
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}},
        }
        for status, text in (
            (400, "The body cannot be read."),
            (401, "The write key is missing, unknown or revoked."),
            (403, "The write key is not for pages of this origin."),
            (413, "The request is too large."),
            (415, "The body cannot be unpacked."),
            (429, "A rate is used up, the spool is nearly full, or too much is being read at once; see Retry-After."),
            (503, "Nothing can be stored right now (see Retry-After), or the body did not come in time."),
        )
    },
}
_PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; programs may rely on it."},
        "detail": {"type": "string", "description": "What was wrong, and what to do."},
        "message": {"type": "string", "description": "The same, where Segment's libraries look for it."},
        "instance": {"type": "string"},
        "request_id": {"type": "string", "description": "As in the header X-Request-Id, and in the collector's log."},
    },
}


def install(app: FastAPI) -> None:
    """Add the contract's schemas and the ways to authenticate to the application's document."""
    generate = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            document["paths"] = _paths() | document["paths"]
            _, schemas = msgspec.json.schema_components([Event, Batch], ref_template=_REF)
            parts = document.setdefault("components", {})
            parts["schemas"] = {"Problem": _PROBLEM, **schemas, **parts.get("schemas", {})}
            parts["securitySchemes"] = {
                "writeKey": {"type": "http", "scheme": "basic", "description": "User name: the write key. No password."}
            }
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = complete


def render(app: FastAPI) -> str:
    """Return the application's document as it is checked in."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def _paths() -> dict[str, Any]:
    """Describe what the short way serves, of which FastAPI knows nothing."""
    events = [{"type": str(kind), **example} for kind, example in _EXAMPLES.items()]
    batch = _operation(
        "send_batch",
        "Send many events at once.",
        "The answer 200 means that every event is on disk: on its way to the warehouse or, when rejected, to the "
        "table of rejects. One bad event never spoils the others; the answer lists those that were rejected.",
        ("Batch", {"sentAt": _WHEN["sentAt"], "batch": events}),
    )
    singles = {
        f"/v1/{kind}": _operation(
            f"send_{kind}",
            f"Send one {kind} event.",
            "The answer 200 means that it is on disk.",
            ("Event", _EXAMPLES[kind]),
        )
        for kind in EventType
    }
    return {"/v1/batch": batch, **singles}


def _operation(name: str, summary: str, description: str, body: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    schema, example = body
    content = {"application/json": {"schema": {"$ref": _REF.format(name=schema)}, "example": example}}
    return {
        "post": {
            "tags": ["events"],
            "summary": summary,
            "description": description,
            "operationId": name,
            "requestBody": {"required": True, "content": content},
            "responses": {str(status): answer for status, answer in _RESPONSES.items()},
            "security": [{"writeKey": []}, {}],
        }
    }

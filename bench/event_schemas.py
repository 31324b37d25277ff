"""What it costs the collector to judge events by a schema, against the same events without one.

All of the collector's own work on a request of 100 Segment-like tracks, from its bytes to the lines for the spool; no
socket, no disk. The variants take turns, and the best of their rounds counts: other work on the machine only adds time.
The validators alone are compared too.

    python bench/event_schemas.py
"""

import sys
import time
from collections.abc import Callable
from typing import Any, cast

import jsonschema
import msgspec
from report import Report, parse_options

from core.metadata.schema_documents import compile_schema
from ingestion.endpoints import endpoints
from ingestion.event_schemas import EventSchema, ProjectSchemas
from ingestion.intake import take
from ingestion.spool.records import Kind
from ingestion.spool.writer import SpoolWriter
from ingestion.validation import Received
from ingestion.wire import Wire

BATCH = 100
PROPERTIES: dict[str, Any] = {
    "product_id": "p-1234", "amount": 12.5, "currency": "EUR", "coupon": None, "is_first": True,
    "email": "anna@example.org", "address": {"city": "Bonn", "zip": "53111"}, "path": "/shop/checkout",
    "items": [{"sku": "A-17", "quantity": 1}, {"sku": "B-2", "quantity": 2}, {"sku": "C-9", "quantity": 3}],
    "referrer": "https://search.example/",
}  # fmt: skip
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["product_id", "amount", "currency", "items"],
    "properties": {
        "product_id": {"type": "string", "maxLength": 64},
        "amount": {"type": "number", "minimum": 0},
        "currency": {"enum": ["EUR", "USD", "GBP"]},
        "coupon": {"type": ["string", "null"]},
        "is_first": {"type": "boolean"},
        "email": {"type": "string", "format": "email"},
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string", "pattern": "^[0-9]{4,5}$"}},
        },
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sku"],
                "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}},
            },
        },
    },
}
CONTEXT = {
    "library": {"name": "analytics-python", "version": "2.3.4"},
    "page": {"url": "https://shop.example/checkout", "title": "Checkout"},
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0",
}


class Nowhere:
    """Takes records as a spool does, and drops them."""

    batch_id = "1767225600000-0000000000000000"

    def append(self, kind: Kind, rows: int, payload: bytes) -> None:
        """Drop a record."""


def body(properties: dict[str, Any]) -> bytes:
    """Return a request of a hundred tracks."""
    events = [
        {"type": "track", "event": "buy", "messageId": f"m-{n:032}", "userId": f"user-{n}", "properties": properties,
         "timestamp": "2026-03-01T12:00:00.000Z", "context": CONTEXT}
        for n in range(BATCH)
    ]  # fmt: skip
    return msgspec.json.encode({"batch": events, "sentAt": "2026-03-01T12:00:01.000Z"})


def request(properties: dict[str, Any], schemas: ProjectSchemas | None) -> Callable[[], object]:
    """Return the collector's work on one request."""
    sent = body(properties)
    endpoint = endpoints()["/v1/batch"]
    writer = cast("SpoolWriter", Nowhere())
    received = Received(1, 1, "segment", 1_772_366_401_000, "", "", "/v1/batch", schemas=schemas)

    def work() -> object:
        return take(endpoint.parse(Wire("POST", "/v1/batch", b"", {}, "", sent)), received, writer)

    return work


def measure(variants: dict[str, Callable[[], object]], rounds: int, repeats: int) -> dict[str, float]:
    """Return the best processor time of each, in seconds a call; they take turns."""
    best = dict.fromkeys(variants, float("inf"))
    for _ in range(rounds):
        for name, work in variants.items():
            began = time.process_time()
            for _ in range(repeats):
                work()
            best[name] = min(best[name], (time.process_time() - began) / repeats)
    return best


def main() -> int:
    """Measure and report."""
    options = parse_options("Measure what event schemas cost the collector.")
    rounds = 5 if options.quick else 25
    schema = EventSchema(1, msgspec.json.encode(SCHEMA))
    judged, enforced = (ProjectSchemas({"buy": schema}, is_enforced=each) for each in (False, True))
    deviating = PROPERTIES | {"amount": "12.5"}
    requests = measure(
        {
            "no schema": request(PROPERTIES, None),
            "another event's schema": request(PROPERTIES, ProjectSchemas({"sell": schema}, is_enforced=True)),
            "fits": request(PROPERTIES, judged),
            "deviates, lands": request(deviating, judged),
            "deviates, rejected": request(deviating, enforced),
        },
        rounds,
        20,
    )
    raw = msgspec.json.encode(PROPERTIES)
    rust = compile_schema(SCHEMA)
    python = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    validators = measure(
        {
            "jsonschema-rs": lambda: rust.is_valid(msgspec.json.decode(raw)),
            "jsonschema": lambda: python.is_valid(msgspec.json.decode(raw)),
            "compile": lambda: compile_schema(SCHEMA),
        },
        rounds,
        100,
    )
    table = Report(
        f"Events of {len(body(PROPERTIES)) // BATCH} bytes, properties of {len(raw)}, in requests of {BATCH}",
        ("what", "µs an event", "of the rate without a schema"),
    )
    base = requests["no schema"]
    for name, seconds in requests.items():
        table.row(name, f"{seconds / BATCH * 1e6:.2f}", f"{base / seconds:.2f}")
    for name, seconds in validators.items():
        table.row(f"{name} alone", f"{seconds * 1e6:.2f}", "")
    table.ratio("judged_of_unjudged", base / requests["fits"], goal=0.5)
    table.ratio("jsonschema_rs_of_jsonschema", validators["jsonschema"] / validators["jsonschema-rs"])
    return table.finish(options)


if __name__ == "__main__":
    sys.exit(main())

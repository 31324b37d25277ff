import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from core.events import EventType
from ingestion import openapi
from ingestion.app import create_app
from ingestion.protocols import segment
from ingestion.settings import CollectorSettings
from ingestion.validation import Received, Validator

RECEIVED = Received(project_id=1, write_key_id=1, protocol="segment", received_ms=0, ip="", user_agent="")


@pytest.fixture(scope="module")
def rendered() -> str:
    """Return the document that the application publishes."""
    nowhere = {"clickhouse_url": "", "redis_url": "", "database_url": ""}
    return openapi.render(create_app(CollectorSettings.model_validate(nowhere)))


@pytest.fixture(scope="module")
def document(rendered: str) -> dict[str, Any]:
    """Return it decoded."""
    return json.loads(rendered)


def content(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return what an operation says of its JSON body."""
    return document["paths"][path]["post"]["requestBody"]["content"]["application/json"]


def test_the_committed_document_is_what_the_application_publishes(rendered: str) -> None:
    """After a change of the contract run `python -m ingestion.write_openapi`."""
    assert openapi.SNAPSHOT.read_text(encoding="utf-8") == rendered


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_type_of_event_has_an_operation(document: dict[str, Any]) -> None:
    assert {f"/v1/{kind}" for kind in EventType} | {"/v1/batch"} <= set(document["paths"])


@pytest.mark.parametrize("kind", [*EventType, "batch"])
def test_every_example_fits_its_schema_and_is_accepted(document: dict[str, Any], kind: str) -> None:
    described = content(document, f"/v1/{kind}")
    body = msgspec.json.encode(described["example"])
    schema = described["schema"] | {"components": document["components"]}
    Draft202012Validator(schema).validate(described["example"])
    parsed = segment.parse_batch(body) if kind == "batch" else segment.parse_single(body, EventType(kind))
    assert parsed.events
    for index, raw in enumerate(parsed.events):
        event = parsed.decode(raw)
        assert Validator(RECEIVED).land(event, index, "batch").type == event.type

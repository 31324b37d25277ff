"""The registry of event schemas."""

from collections.abc import Generator
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import metadata
from core.metadata import projects
from core.metadata.event_schemas import (
    STAMP,
    UnknownSchemaError,
    add_schema,
    current_schemas,
    find_schema,
    list_schemas,
    retire_schema,
)
from core.metadata.schema_changes import compare
from core.metadata.schema_documents import MAX_BYTES, InvalidSchemaError, named_properties, read_schema
from runtime.instance import Instance

BUY: dict[str, Any] = {
    "type": "object",
    "required": ["amount"],
    "properties": {"amount": {"type": "number"}, "currency": {"enum": ["EUR", "USD"]}},
}


@pytest.fixture
def session(runtime: Instance) -> Generator[Session]:
    """Return a session whose changes are undone."""
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        yield session
        session.rollback()
    engine.dispose()


@pytest.fixture
def project_id(session: Session) -> int:
    """Create a project."""
    return projects.create_project(session, "Shop").id


def document(**changed: Any) -> bytes:
    return msgspec.json.encode(BUY | changed)


def with_property(**properties: Any) -> dict[str, Any]:
    return BUY | {"properties": BUY["properties"] | properties}


def test_the_latest_version_that_is_not_retired_holds(session: Session, project_id: int) -> None:
    first = add_schema(session, project_id, "buy", document())
    second = add_schema(session, project_id, "buy", document(required=[]))
    assert (first.version, first.former, second.version, second.former) == (1, None, 2, 1)
    assert find_schema(session, project_id, "buy").version == 2
    assert retire_schema(session, project_id, "buy", 2) == [2]
    assert find_schema(session, project_id, "buy").version == 1
    assert [(event, version) for _, event, version, _ in current_schemas(session, project_id)] == [("buy", 1)]
    assert retire_schema(session, project_id, "buy") == [1]
    assert current_schemas(session, project_id) == []
    assert len(list_schemas(session, project_id)) == 2


def test_a_retired_version_is_never_given_again(session: Session, project_id: int) -> None:
    add_schema(session, project_id, "buy", document())
    retire_schema(session, project_id, "buy")
    assert add_schema(session, project_id, "buy", document()).version == 2


def test_the_schema_that_holds_already_makes_no_version(session: Session, project_id: int) -> None:
    add_schema(session, project_id, "buy", document())
    again = add_schema(session, project_id, "buy", document())
    assert (again.version, again.is_new) == (1, False)


def test_what_does_not_exist_is_said_to_be_unknown(session: Session, project_id: int) -> None:
    with pytest.raises(UnknownSchemaError):
        add_schema(session, 2**31 - 1, "buy", document())
    with pytest.raises(UnknownSchemaError):
        find_schema(session, project_id, "buy")
    with pytest.raises(UnknownSchemaError):
        retire_schema(session, project_id, "buy", 3)


def test_every_change_of_the_registry_changes_its_stamp(session: Session, project_id: int) -> None:
    stamps = [tuple(session.execute(STAMP).one())]
    for change in (
        lambda: add_schema(session, project_id, "buy", document()),
        lambda: add_schema(session, project_id, "buy", document(required=[])),
        lambda: retire_schema(session, project_id, "buy", 1),
        lambda: session.execute(text("delete from projects where id = :id"), {"id": project_id}),
    ):
        change()
        session.flush()
        stamps.append(tuple(session.execute(STAMP).one()))
    assert all(one != next_one for one, next_one in pairwise(stamps))


@pytest.mark.parametrize("event", ["", " ", "$alias", "x" * 201, "a\0b"])
def test_a_name_that_no_judged_event_can_have_gets_no_schema(session: Session, project_id: int, event: str) -> None:
    with pytest.raises(InvalidSchemaError):
        add_schema(session, project_id, event, document())


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (b"[]", "no JSON object"),
        (b'{"type": "string"}', "always an object"),
        (b'{"$schema": "http://json-schema.org/draft-07/schema#"}', "2020-12"),
        (b'{"properties": {"a": {"type": "text"}}}', "/properties/a/type"),
        (b'{"properties": {"a": {"$ref": "https://schemas.example/a.json"}}}', "only places in the schema itself"),
        (b'{"properties": {"enum": {"$ref": "file:///etc/passwd"}}}', "only places in the schema itself"),
        (b'{"properties": {"a": {"$ref": "#/$defs/a"}}}', "names nothing"),
        (b'{"properties": {"a": {"$ref": "#"}}}', "leads back to itself"),
        (b'{"properties": {"a": {"$dynamicRef": "#a"}}}', "use $ref"),
        (b'{"properties": {"a": {"pattern": "(?=a)b"}}}', "/properties/a/pattern"),
        (b'{"const": "\\u0000"}', "NUL"),
        (b'{"title": "%b"}' % (b"x" * MAX_BYTES), "bytes"),
        (b'{"properties":{"a":' * 20 + b"{}" + b"}}" * 20, "nested deeper"),
    ],
)
def test_a_document_that_cannot_judge_events_is_refused_with_the_place(broken: bytes, said: str) -> None:
    with pytest.raises(InvalidSchemaError) as refused:
        read_schema(broken)
    assert said in refused.value.detail


def test_references_that_multiply_are_refused_before_they_are_followed() -> None:
    parts: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(7)}
    with pytest.raises(InvalidSchemaError, match="10,000 parts"):
        read_schema(msgspec.json.encode({"$defs": parts | {"d7": {}}, "$ref": "#/$defs/d0"}))


def test_the_properties_that_a_schema_names_are_found_wherever_they_stand() -> None:
    schema = {
        "allOf": [{"properties": {"a": {}}}],
        "properties": {"list": {"items": {"$ref": "#/$defs/item"}}},
        "$defs": {"item": {"properties": {"sku": {}}}},
    }
    assert named_properties(schema) == {("a",), ("list",), ("list", "[]"), ("list", "[]", "sku")}


@pytest.mark.parametrize(
    "latter",
    [
        BUY | {"required": []},
        BUY | {"title": "Purchase", "description": "What was bought."},
        with_property(coupon={"type": "string"}),
        with_property(amount={"type": ["number", "null"]}),
        with_property(currency={"enum": ["EUR", "USD", "GBP"]}),
        with_property(amount={"$ref": "#/$defs/money"}) | {"$defs": {"money": {"type": "number"}}},
    ],
)
def test_what_admits_everything_that_fitted_before_is_compatible(latter: dict[str, Any]) -> None:
    assert not compare(BUY, latter).is_breaking


@pytest.mark.parametrize(
    ("latter", "said"),
    [
        (BUY | {"required": ["amount", "currency"]}, '/required: +"currency"'),
        (with_property(coupon={"type": "string"}) | {"required": ["amount", "coupon"]}, '/required: +"coupon"'),
        (with_property(amount={"type": "integer"}), '/properties/amount/type: "number" → "integer"'),
        (with_property(currency={"enum": ["EUR"]}), '/properties/currency/enum: -"USD"'),
        (with_property(amount={"type": "number", "minimum": 0}), "/properties/amount/minimum: added, 0"),
        (BUY | {"additionalProperties": False}, "/additionalProperties: added, false"),
    ],
)
def test_what_refuses_something_that_fitted_before_is_breaking(latter: dict[str, Any], said: str) -> None:
    changes = compare(BUY, latter)
    assert changes.is_breaking
    assert said in changes.texts

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.events import RejectReason
from ingestion.importing.errors import InvalidMappingError
from ingestion.importing.mapping import Mapping
from ingestion.importing.own_mapping import Document, find_mapping, own_mapping, read_mapping
from ingestion.importing.readers import Row
from ingestion.rejection import RejectedEventError
from tests.ingestion.importing.files import event_of, landed_of, said

COLUMNS = {"who": "userId", "what": "event", "at": "timestamp"}
ROW: dict[str, Any] = {"who": "ada", "what": "buy", "at": "2024-05-06T07:08:09Z"}


def mapping(columns: dict[str, Any] | None = None, **members: Any) -> Mapping:
    """Return a mapping with the usual columns and more."""
    content = {"name": "shop", "columns": COLUMNS | (columns or {})} | members
    return own_mapping(msgspec.convert(content, Document))


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_mapping_is_a_file_named_after_itself(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"orders{suffix}"
    path.write_text(
        '[columns]\nwho = "userId"\nwhat = "event"\nat = "timestamp"\n'
        if suffix == ".toml"
        else json.dumps({"columns": COLUMNS})
    )
    found = read_mapping(str(path))
    assert found.name == "orders"
    assert landed_of(found, ROW).event == "buy"


@pytest.mark.parametrize("kind", ["cells", "line"])
def test_columns_go_to_their_places_and_others_are_properties(kind: str) -> None:
    columns = {
        "ip": "context.ip",
        "url": "context.page.url",
        "plan": ["traits.plan", "properties.plan"],
        "n": "traits.n",
    }
    cells = ROW | {"ip": "203.0.113.7", "url": "https://x.example/", "plan": "pro", "n": "7", "more": "x", "empty": ""}
    row: Row = cells if kind == "cells" else msgspec.json.encode(cells)
    landed = landed_of(mapping(columns, constants={"properties.source": "old"}), row)
    assert (landed.user_id, landed.event, landed.type, landed.ip) == ("ada", "buy", "track", "203.0.113.7")
    assert said(landed.context) == {"ip": "203.0.113.7", "page": {"url": "https://x.example/"}}
    properties = {"source": "old", "plan": "pro", "more": "x"} | ({} if kind == "cells" else {"empty": ""})
    assert said(landed.properties) == properties
    assert said(landed.traits) == {"plan": "pro", "n": 7 if kind == "cells" else "7"}
    assert landed.timestamp == 1714979289


def test_text_of_a_csv_file_becomes_numbers_and_booleans_where_it_is_nothing_else() -> None:
    cells = {"a": "12", "b": "-1.50", "c": "007", "d": "true", "e": "1e5", "f": "12345678901234567890", "g": "True"}
    landed = landed_of(mapping(), ROW | cells)
    assert bytes(landed.properties) == (
        b'{"a":12,"b":-1.50,"c":"007","d":true,"e":"1e5","f":"12345678901234567890","g":"True"}'
    )


def test_a_column_has_the_type_that_the_mapping_says() -> None:
    types = {"a": "text", "b": "number", "c": "boolean", "d": "json"}
    landed = landed_of(mapping(types=types), ROW | {"a": "12", "b": "1e5", "c": "Yes", "d": '{"x":[1]}'})
    assert said(landed.properties) == {"a": "12", "b": 1e5, "c": True, "d": {"x": [1]}}


@pytest.mark.parametrize("types", [{"a": "number"}, {"a": "boolean"}, {"a": "json"}])
def test_a_cell_that_is_not_of_its_type_rejects_its_row(types: dict[str, str]) -> None:
    with pytest.raises(RejectedEventError) as refused:
        event_of(mapping(types=types), ROW | {"a": "many"})
    assert refused.value.reason == RejectReason.INVALID_SHAPE


@pytest.mark.parametrize(
    ("form", "zone", "text", "instant"),
    [
        ("iso", "UTC", "2024-05-06 07:08:09.5", 1714979289.5),
        ("iso", "Europe/Berlin", "2024-05-06 09:08:09", 1714979289),
        ("iso", "Europe/Berlin", "2024-05-06T07:08:09Z", 1714979289),
        ("iso", "Asia/Kathmandu", "1714979289", 1714979289),
        ("epoch_s", "UTC", "1714979289.123", 1714979289.123),
        ("epoch_ms", "UTC", "1714979289123", 1714979289.123),
        ("epoch_ms", "UTC", "999", 0.999),
        ("epoch_us", "UTC", "1714979289123456", 1714979289.123),
        ("%d.%m.%Y %H:%M", "Asia/Kathmandu", "06.05.2024 12:53", 1714979280),
        ("%d/%b/%Y:%H:%M:%S %z", "Europe/Berlin", "06/May/2024:07:08:09 +0000", 1714979289),
    ],
)
def test_instants_are_read_in_the_format_and_zone_of_the_mapping(
    form: str, zone: str, text: str, instant: float
) -> None:
    landed = landed_of(mapping(timestamp={"format": form, "zone": zone}), ROW | {"at": text})
    assert landed.original_timestamp == instant


@pytest.mark.parametrize("form", ["iso", "epoch_s", "epoch_ms", "%d.%m.%Y"])
@pytest.mark.parametrize("text", ["yesterday", "nan", "1e400", ""])
def test_what_is_no_instant_rejects_its_row(form: str, text: str) -> None:
    with pytest.raises(RejectedEventError) as refused:
        landed_of(mapping(timestamp={"format": form}), ROW | {"at": text})
    assert refused.value.reason == RejectReason.INVALID_TIMESTAMP


def test_members_within_a_line_of_json_are_named_with_dots() -> None:
    row = b'{"u":{"id":12345678901234567890,"x":1},"what":"buy","at":1714979289123,"n":1.50,"mid":7}'
    content = {"name": "x", "columns": {"u.id": "userId", "what": "event", "at": "timestamp", "mid": "messageId"}}
    landed = landed_of(own_mapping(msgspec.convert(content, Document)), row)
    assert (landed.user_id, landed.timestamp, landed.message_id) == ("12345678901234567890", 1714979289.123, "7")
    assert bytes(landed.properties) == b'{"n":1.50}'


def test_a_column_of_json_objects_can_be_all_properties() -> None:
    landed = landed_of(mapping({"props": "properties", "price": "properties.price"}, others="drop"),
                       ROW | {"props": '{"price":1,"a":"x"}', "price": "2", "more": "x"})  # fmt: skip
    assert said(landed.properties) == {"price": 2, "a": "x"}


def test_a_constant_object_is_the_same_in_every_row() -> None:
    found = mapping(
        {"url": "context.page.url", "ref": "context.page.referrer"}, constants={"context.page": {"title": "x"}}
    )
    assert said(landed_of(found, ROW | {"url": "/a"}).context) == {"page": {"title": "x", "url": "/a"}}
    assert said(landed_of(found, ROW | {"ref": "/b"}).context) == {"page": {"title": "x", "referrer": "/b"}}


def test_values_of_parquet_keep_their_types() -> None:
    landed = landed_of(mapping(), ROW | {"a": 1, "b": Decimal("1.10"), "c": None, "d": [True], "e": {"x": b"\x00"}})
    assert bytes(landed.properties) == b'{"a":1,"b":1.10,"d":[true],"e":{"x":"AA=="}}'


def test_the_type_can_be_a_column() -> None:
    landed = landed_of(mapping({"kind": "type"}), ROW | {"kind": "identify"})
    assert (landed.type, landed.event) == ("identify", "$identify")


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": {"who": "userId"}},
        {"columns": COLUMNS | {"x": "colour"}},
        {"columns": COLUMNS | {"x": "userId.x"}},
        {"columns": COLUMNS, "constants": {"type": "click"}},
        {"columns": COLUMNS, "constants": {"properties": 3}},
        {"columns": COLUMNS, "timestamp": {"format": "seconds"}},
        {"columns": COLUMNS, "timestamp": {"zone": "Mars/Base"}},
        {"columns": COLUMNS, "timestamp": {"format": "%d %Q"}},
        {"columns": COLUMNS, "timestamp": {"format": "%d %d"}},
        {"columns": COLUMNS, "csv": {"delimiter": "::"}},
        {"columns": COLUMNS, "csv": {"encoding": "klingon"}},
        {"columns": COLUMNS, "colour": "red"},
        {"columns": COLUMNS, "name": "segment"},
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidMappingError):
        find_mapping(json.dumps({"name": "x"} | wrong))


@pytest.mark.parametrize(
    "odd",
    [
        {"csv": {"encoding": "undefined"}},
        {"csv": {"encoding": "utf-8\0"}},
        {"csv": {"encoding": "\udcff".encode("utf-8", "replace").decode()}},
        {"csv": {"encoding": "idna"}},
        {"csv": {"encoding": "rot13"}},
        {"csv": {"encoding": "x" * 5000}},
        {"csv": {"delimiter": "\n"}},
        {"csv": {"delimiter": '"'}},
        {"csv": {"delimiter": "\0"}},
        {"constants": {"type": ["track"]}},
        {"constants": {"type": {"track": 1}}},
        {"constants": {"type": 1}},
        {"constants": {"type": None}},
        {"constants": {"properties": []}},
        {"timestamp": {"format": "%\0"}},
        {"timestamp": {"zone": "\0"}},
        {"timestamp": {"zone": ".."}},
        {"columns": {"a": "timestamp", "b": "x\0"}},
    ],
)
def test_an_odd_mapping_is_refused_as_one(odd: dict[str, Any]) -> None:
    with pytest.raises(InvalidMappingError):
        find_mapping(json.dumps({"name": "x", "columns": {"a": "timestamp"}} | odd))


@pytest.mark.parametrize("encoding", ["UTF-8", "utf8", "latin-1", "Windows-1252", "utf-16", "ISO-8859-15", "cp1251"])
def test_common_encodings_are_known_by_all_their_names(encoding: str) -> None:
    find_mapping(json.dumps({"name": "x", "columns": {"a": "timestamp"}, "csv": {"encoding": encoding}}))

import json
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from core import warehouse
from core.events import Acknowledged, Event, EventType, LandedEvent, Reject, RejectReason, columns
from runtime.instance import Instance

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("table", "row"), [("events", LandedEvent), ("rejects", Reject), ("acknowledged", Acknowledged)]
)
def test_a_landing_table_has_the_columns_of_its_struct(runtime: Instance, table: str, row: type[Struct]) -> None:
    """Name, type, comment and order; `inserted_at` is ClickHouse's own."""
    sql = """
        select name, type, comment
        from system.columns
        where database = 'raw' and table = {table:String} and name != 'inserted_at'
        order by position
    """
    with warehouse.connect(runtime.clickhouse_url) as client:
        found = client.query(sql, parameters={"table": table}).result_rows
    assert [tuple(column) for column in found] == columns(row)


def test_a_row_is_never_inserted_twice_within_ten_thousand_batches(runtime: Instance) -> None:
    with warehouse.connect(runtime.clickhouse_url) as client:
        for table in ("events", "rejects"):
            statement = client.command(f"show create table raw.{table}")
            assert "non_replicated_deduplication_window = 10000" in str(statement)


def test_the_documented_reject_reasons_are_those_that_exist() -> None:
    documented = (ROOT / "docs" / "events.md").read_text()
    assert [reason for reason in RejectReason if f"`{reason}`" not in documented] == []


def test_the_documented_members_are_those_that_an_event_has() -> None:
    documented = (ROOT / "docs" / "events.md").read_text()
    members = [field.encode_name for field in msgspec.structs.fields(Event)]
    assert [member for member in members if f"`{member}`" not in documented] == []


def test_every_member_of_an_event_is_described_in_its_schema() -> None:
    schema = json.loads(json.dumps(msgspec.json.schema(Event)))["$defs"]["Event"]
    assert all(member.get("description") for member in schema["properties"].values())
    assert set(EventType) <= set(schema["properties"]["type"]["description"].replace(",", "").replace(".", "").split())

"""Columns of models are worked out once for each state of the project."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.defs.models.columns import attach_columns

SCHEMA = {"dagster/column_schema": dg.TableSchema([dg.TableColumn("day", "Date32")])}
LINEAGE = {
    "dagster/column_lineage": dg.TableColumnLineage({"day": [dg.TableColumnDep(dg.AssetKey("events"), "timestamp")]})
}
OUTPUT = "marts__days"


class Events:
    """What dbt tells of one model, with the columns that dagster-dbt finds when it is asked for them."""

    def __init__(self) -> None:
        self.is_asked = False

    def __iter__(self) -> Iterator[Any]:
        yield dg.Output(None, OUTPUT, metadata=SCHEMA if self.is_asked else {})

    def fetch_column_metadata(self, *, with_column_lineage: bool) -> Iterator[Any]:
        """Yield the one output, as dagster-dbt does without its own lineage."""
        assert not with_column_lineage
        self.is_asked = True
        return iter(self)


def attached(parsed: Path, lineage: dict[str, Any] | None) -> tuple[set[str], bool]:
    """Return what metadata the output has, and whether it was worked out."""
    events = Events()
    (output,) = attach_columns(events, parsed, outputs=frozenset({OUTPUT}), lineage=lambda _: lineage)
    return set(output.metadata), events.is_asked


def test_what_was_worked_out_is_kept_with_the_state_of_the_project(tmp_path: Path) -> None:
    assert attached(tmp_path, LINEAGE) == ({*SCHEMA, *LINEAGE}, True)
    assert attached(tmp_path, None) == ({*SCHEMA, *LINEAGE}, False)


def test_lineage_that_could_not_be_asked_for_is_asked_for_in_the_next_run(tmp_path: Path) -> None:
    assert attached(tmp_path, None) == (set(SCHEMA), True)
    assert attached(tmp_path, LINEAGE) == ({*SCHEMA, *LINEAGE}, True)

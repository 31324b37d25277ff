"""Columns of models are kept over changes of the project."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.defs.models.columns import attach_columns

LINEAGE = {
    "dagster/column_lineage": dg.TableColumnLineage({"day": [dg.TableColumnDep(dg.AssetKey("events"), "timestamp")]})
}
OUTPUT = "marts__days"


class Events:
    """What dbt tells of one model, with the columns that dagster-dbt worked out."""

    def __init__(self, metadata: dict[str, Any]) -> None:
        self.metadata = metadata

    def fetch_column_metadata(self) -> Iterator[Any]:
        """Yield the one output."""
        yield dg.Output(None, OUTPUT, metadata=self.metadata)


def parsed(state: Path, name: str, *, sql: str = "select 1", macro: str = "1", own: str = "macro.radix.day") -> Path:
    """Write what is kept of a project of one model that calls a macro, which calls another one."""
    directory = state / f"parsed-{name}"
    directory.mkdir()
    manifest = {
        "nodes": {
            "model.radix.days": {
                "name": "days",
                "resource_type": "model",
                "raw_code": sql,
                "depends_on": {"macros": [own]},
            }
        },
        "macros": {
            own: {"macro_sql": "{{ inner() }}", "depends_on": {"macros": ["macro.radix.inner", "macro.gone"]}},
            "macro.radix.inner": {"macro_sql": macro, "depends_on": {"macros": [own]}},
        },
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory


def attached(directory: Path, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of the output after a run in a state of the project."""
    (output,) = attach_columns(Events(metadata), directory, outputs=frozenset({OUTPUT}))
    return output.metadata


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [({}, True), ({"sql": "select 2"}, False), ({"macro": "2"}, False)],
    ids=["another file", "the model", "a macro that its macro calls"],
)
def test_lineage_that_a_later_run_does_not_find_is_that_of_the_same_model_before(
    tmp_path: Path, change: dict[str, str], *, is_kept: bool
) -> None:
    assert "dagster/column_lineage" in attached(parsed(tmp_path, "first"), LINEAGE)
    edited = parsed(tmp_path, "edited", **change)
    assert ("dagster/column_lineage" in attached(edited, {})) == is_kept
    # The next run takes what is kept.
    assert ("dagster/column_lineage" in (edited / "columns.json").read_text()) == is_kept

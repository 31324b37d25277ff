"""Columns and column lineage of the models, worked out once per state of the project.

They follow from the project alone, take 6 s of processor time to work out (a query per table and parent, and an
optimiser over every statement), and Dagster shows those of the latest materialization only: so they are kept beside
the parsed project and attached to every run.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

_FILE = "columns.json"
_KEYS = ("dagster/column_schema", "dagster/column_lineage")

ColumnMetadata = Mapping[str, Any]


def attach_columns(events: Any, parsed: Path, *, outputs: frozenset[str]) -> Iterator[Any]:
    """Yield dbt's `events` (dagster-dbt's iterator), with the columns of each model added to its output.

    What was worked out is kept in `parsed` once all of `outputs` went by. A model whose SQL the optimiser does not
    understand has no lineage; dagster-dbt says so in the log of the run that worked it out.
    """
    file = parsed / _FILE
    known = _load(file) if file.exists() else {}
    if outputs <= known.keys():
        yield from _with_metadata(events, lambda event: known[event.output_name])
        return
    found: dict[str, ColumnMetadata] = {}
    for event in events.fetch_column_metadata():
        if isinstance(event, dg.Output):
            found[event.output_name] = {key: event.metadata[key] for key in _KEYS if key in event.metadata}
        yield event
    if outputs <= found.keys():
        _save(file, {**known, **found})


def _with_metadata(events: Iterator[Any], metadata: Callable[[dg.Output[Any]], ColumnMetadata]) -> Iterator[Any]:
    for event in events:
        if isinstance(event, dg.Output):
            yield event.with_metadata({**event.metadata, **metadata(event)})
        else:
            yield event


def _load(file: Path) -> dict[str, ColumnMetadata]:
    return dg.deserialize_value(file.read_text(), dict)


def _save(file: Path, known: dict[str, ColumnMetadata]) -> None:
    scratch = file.with_suffix(".new")
    scratch.write_text(dg.serialize_value(known))
    scratch.replace(file)

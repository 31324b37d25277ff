"""Columns and column lineage of the models, worked out once per state of the project.

They follow from the project alone, take 6 s of processor time to work out (a query per table and parent, and an
optimiser over every statement), and Dagster shows those of the latest materialization only: so they are kept beside
the parsed project and attached to every run.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

_FILE = "columns.json"
_KEYS = ("dagster/column_schema", "dagster/column_lineage")

ColumnMetadata = Mapping[str, Any]


def attach_columns(events: Any, parsed: Path, *, outputs: frozenset[str]) -> Iterator[Any]:
    """Yield dbt's `events` (dagster-dbt's iterator), with the columns of each model added to its output.

    What was worked out is kept in `parsed` once all of `outputs` went by. Of a model whose SQL the optimiser does not
    understand the lineage is that of an earlier state of the project in which the model read the same, if any: what
    fills a table is plainer than what repairs it later.
    """
    file = parsed / _FILE
    known = _load(file) if file.exists() else {}
    if outputs <= known.keys():
        yield from _with_metadata(events, lambda event: known[event.output_name])
        return
    found: dict[str, ColumnMetadata] = {}
    earlier = _of_unchanged(parsed)
    for event in events.fetch_column_metadata():
        if isinstance(event, dg.Output):
            worked_out = {key: event.metadata[key] for key in _KEYS if key in event.metadata}
            columns = {**earlier.get(event.output_name, {}), **worked_out}
            found[event.output_name] = columns
            yield event.with_metadata({**event.metadata, **columns})
        else:
            yield event
    if outputs <= found.keys():
        _save(file, {**known, **found})


def _with_metadata(events: Iterator[Any], metadata: Callable[[dg.Output[Any]], ColumnMetadata]) -> Iterator[Any]:
    for event in events:
        if isinstance(event, dg.Output):
            yield event.with_metadata({**event.metadata, **metadata(event)})
        else:
            yield event


def _of_unchanged(parsed: Path) -> dict[str, ColumnMetadata]:
    """Return what earlier states of the project knew of the models that are the same now, by output."""
    texts = _texts(parsed)
    found: dict[str, ColumnMetadata] = {}
    for before in sorted(parsed.parent.glob(f"parsed-*/{_FILE}"), key=lambda file: file.stat().st_mtime):
        texts_before = _texts(before.parent)
        for output, columns in _load(before).items():
            # An output is named by its layer and its model.
            model = output.partition("__")[2]
            if model in texts and texts[model] == texts_before.get(model):
                found[output] = {**found.get(output, {}), **columns}
    return found


def _texts(parsed: Path) -> dict[str, frozenset[str]]:
    """Return of each model by its name what its SQL is made of: its own text, and those of the macros that it calls."""
    manifest = json.loads((parsed / "manifest.json").read_bytes())
    macros = manifest["macros"]

    def reached(names: Iterable[str]) -> set[str]:
        seen: set[str] = set()
        ahead = [name for name in names if name in macros]
        while ahead:
            name = ahead.pop()
            if name not in seen:
                seen.add(name)
                ahead += [called for called in macros[name]["depends_on"]["macros"] if called in macros]
        return seen

    return {
        node["name"]: frozenset(
            (node["raw_code"], *(macros[name]["macro_sql"] for name in reached(node["depends_on"]["macros"])))
        )
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


def _load(file: Path) -> dict[str, ColumnMetadata]:
    return dg.deserialize_value(file.read_text(), dict)


def _save(file: Path, known: dict[str, ColumnMetadata]) -> None:
    scratch = file.with_suffix(".new")
    scratch.write_text(dg.serialize_value(known))
    scratch.replace(file)

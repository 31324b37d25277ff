"""Columns and column lineage of the models, worked out once per state of the project.

They follow from the project alone, take seconds to work out (two queries per model), and Dagster shows those of the
latest materialization only: so they are kept beside the parsed project and attached to every run.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation

from orchestration.defs.models.lineage import QUERY_TREE, column_lineage
from orchestration.resources import WarehouseResource

_FILE = "columns.json"
_SCHEMA = "dagster/column_schema"
_LINEAGE = "dagster/column_lineage"

ColumnMetadata = Mapping[str, Any]


def attach_columns(
    events: Any, parsed: Path, *, outputs: frozenset[str], lineage: Callable[[dg.Output[Any]], ColumnMetadata | None]
) -> Iterator[Any]:
    """Yield dbt's `events` (dagster-dbt's iterator), with the columns of each model added to its output.

    `lineage` gives the metadata of an output's lineage, or None where it could not be asked for. What was worked out is
    kept in `parsed` once it is known of all `outputs`.
    """
    file = parsed / _FILE
    known = _load(file) if file.exists() else {}
    if outputs <= known.keys():
        yield from _with_metadata(events, lambda event: known[event.output_name])
        return
    found: dict[str, ColumnMetadata] = {}
    for event in events.fetch_column_metadata(with_column_lineage=False):
        if isinstance(event, dg.Output):
            followed = lineage(event)
            schema = {_SCHEMA: event.metadata[_SCHEMA]} if _SCHEMA in event.metadata else {}
            columns = {**schema, **(followed or {})}
            if followed is not None:
                found[event.output_name] = columns
            yield event.with_metadata({**event.metadata, **columns})
        else:
            yield event
    if outputs <= found.keys():
        _save(file, {**known, **found})


class ModelLineage:
    """Asks ClickHouse where the columns of a model come from, by the SQL that a dbt command compiled for it."""

    def __init__(
        self, warehouse: WarehouseResource, invocation: DbtCliInvocation, translator: DagsterDbtTranslator
    ) -> None:
        self._warehouse = warehouse
        self._target = invocation.target_path / "compiled"
        self._nodes: Mapping[str, Any] = invocation.manifest["nodes"]
        tables = [*self._nodes.values(), *invocation.manifest["sources"].values()]
        self._keys = {
            f"{node['schema']}.{node.get('identifier') or node['alias']}": translator.get_asset_key(node)
            for node in tables
            if node["resource_type"] in {"model", "seed", "source"}
        }

    def __call__(self, output: dg.Output[Any]) -> ColumnMetadata | None:
        """Return the metadata of an output's lineage, empty of what is no model; None when ClickHouse is away."""
        logger = dg.get_dagster_logger()
        node = self._nodes[str(output.metadata["unique_id"].value)]
        file = self._target / node["package_name"] / node["original_file_path"]
        if node["resource_type"] != "model" or not file.exists():
            return {}
        try:
            with self._warehouse.connect() as client:
                tree = client.query(f"{QUERY_TREE} {file.read_text()}").result_rows
            lineage = column_lineage(line for (line,) in tree)
        except OperationalError as error:
            logger.warning("ClickHouse cannot be asked for the columns of %s: %s", node["name"], error)
            return None
        # Expressions may be nested deeper than Python follows. The next run would find the same.
        except (DatabaseError, RecursionError) as error:
            logger.warning("The columns of %s cannot be followed: %s", node["name"], error)
            return {}
        own = f"{node['schema']}.{node['alias']}"
        deps = {
            column: [
                dg.TableColumnDep(self._keys[table], name)
                for table, name in sorted(origins)
                # What a repaired model keeps of itself comes from there too; side tables are no assets.
                if table != own and table in self._keys
            ]
            for column, origins in lineage.items()
        }
        return {_LINEAGE: dg.TableColumnLineage(deps)}


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

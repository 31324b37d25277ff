"""Tables that come with a request, as parts of a multipart/form-data body, and live as long as its query."""

from collections.abc import Callable, Iterator, Mapping

from runtime.clickhouse.answer import Summary
from runtime.clickhouse.engine import Handle, quote_name
from runtime.clickhouse.errors import ClickHouseError
from runtime.clickhouse.insert_head import InsertHead
from runtime.clickhouse.insert_query import stream_insert
from runtime.clickhouse.multipart import Part
from runtime.clickhouse.structure import columns


def create_external_table(handle: Handle, part: Part, declared: Mapping[str, str], check: Callable[[str], None]) -> str:
    """Make a temporary table of a part's rows and return its name.

    `declared` holds `<table>_structure` or `<table>_types`, and `<table>_format` (TabSeparated by default).
    `check` raises ClickHouseError when the user may not run the structure's text.
    """
    table = part.name
    if not table:
        raise ClickHouseError(36, "An external table has no name")
    structure = declared.get(f"{table}_structure")
    if structure is None and f"{table}_types" in declared:
        types = _split_types(declared[f"{table}_types"])
        structure = ", ".join(f"_{number} {name}" for number, name in enumerate(types, start=1))
    if not structure:
        raise ClickHouseError(
            36, f"Neither structure nor types have been provided for external table {table}. Use {table}_structure"
        )
    check(structure)
    create_table(handle, table, structure, "Memory")
    fill_table(handle, table, declared.get(f"{table}_format", "TabSeparated"), part.pieces)
    return table


def create_table(handle: Handle, table: str, structure: str, engine: str) -> None:
    """Create a temporary table from `name Type, …`, which is read as columns and nothing else."""
    handle.run(f"create temporary table {quote_name(table)} ({columns(structure)}) engine = {engine}")


def fill_table(handle: Handle, table: str, name: str, rows: Iterator[bytes]) -> None:
    """Insert rows of format `name` into a temporary table."""
    head = InsertHead(f"insert into {quote_name(table)}", name, 0, is_values=False)
    stream_insert(handle, head, rows, Summary())


def drop_table(handle: Handle, table: str) -> None:
    """Drop a temporary table of a session, which outlives the query."""
    handle.run(f"drop temporary table if exists {quote_name(table)}")


def _split_types(types: str) -> list[str]:
    depth = 0
    start = 0
    found: list[str] = []
    for position, letter in enumerate(types):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append(types[start:position])
            start = position + 1
    return [*found, types[start:]]

"""The event schemas that are in force, read from PostgreSQL and compiled once."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from core.metadata import EventSchema as SchemaRow
from core.metadata.collection_rules import Schemas
from core.metadata.event_schemas import HOLDING, STAMP
from ingestion.event_schemas import EventSchema, ProjectSchemas

_logger = structlog.get_logger()


class LoadedSchemas:
    """The schemas of the projects that want them looked at.

    A schema that cannot be read counts as none: its events land without having been judged, and `schema_version` says
    so. It can only get into the table past `radixinsight schemas add`, and refusing the events of its project until
    somebody notices would lose more than a check that can be made up for in the warehouse.
    """

    def __init__(self) -> None:
        self.broken = 0
        """How many versions cannot be read."""
        self._read: tuple[Any, ...] = ()
        self._compiled: dict[int, EventSchema | None] = {}
        self._projects: dict[int, ProjectSchemas] = {}

    async def refresh(self, connection: AsyncConnection, modes: Mapping[int, Schemas]) -> None:
        """Read what is in force for these projects, if anything changed."""
        wanted = {project_id: mode for project_id, mode in modes.items() if mode is not Schemas.OFF}
        stamp = (await connection.execute(STAMP)).one() if wanted else ()
        if (*stamp, wanted) == self._read:
            return
        rows: Iterable[Any] = ()
        if wanted:
            rows = (await connection.execute(HOLDING.where(SchemaRow.project_id.in_(wanted)))).all()
        # 50 µs each: a thousand of them must not keep requests waiting.
        self._projects = await asyncio.to_thread(self._ready, rows, wanted)
        self._read = (*stamp, wanted)

    def of(self, project_id: int) -> ProjectSchemas | None:
        """Return a project's schemas; None when it has none, or does not want them looked at."""
        return self._projects.get(project_id)

    def _ready(self, rows: Iterable[Any], modes: Mapping[int, Schemas]) -> dict[int, ProjectSchemas]:
        known, self._compiled = self._compiled, {}
        by_project: dict[int, dict[str, EventSchema]] = {}
        for row in rows:
            compiled = known[row.id] if row.id in known else _compile(row)
            self._compiled[row.id] = compiled
            if compiled is not None:
                by_project.setdefault(row.project_id, {})[row.event] = compiled
        self.broken = sum(1 for compiled in self._compiled.values() if compiled is None)
        return {
            project_id: ProjectSchemas(schemas, is_enforced=modes[project_id] is Schemas.ENFORCE)
            for project_id, schemas in by_project.items()
        }


def load_schemas(connection: Connection, project_id: int, mode: Schemas) -> ProjectSchemas | None:
    """Return a project's schemas at this moment; None when it has none, or does not want them looked at."""
    if mode is Schemas.OFF:
        return None
    rows = connection.execute(HOLDING.where(SchemaRow.project_id == project_id)).all()
    compiled = {row.event: schema for row in rows if (schema := _compile(row)) is not None}
    return ProjectSchemas(compiled, is_enforced=mode is Schemas.ENFORCE) if compiled else None


def _compile(row: Any) -> EventSchema | None:
    try:
        return EventSchema(row.version, row.schema.encode())
    except (ValueError, RecursionError) as error:
        _logger.error(  # noqa: TRY400 - the place in our code says nothing about the document
            "event_schema_not_read", project_id=row.project_id, schema_event=row.event, version=row.version,
            error=str(error).splitlines()[0],
        )  # fmt: skip
        return None

"""Writes who read which data, many entries at a time, so that no answer waits for its own."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, cast

import structlog
from sqlalchemy import Table, bindparam, column, func, insert, inspect, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection

from core.clock import utc_now
from core.errors import UnavailableError
from core.metadata import Project
from core.metadata.accounts import AuditEntry
from core.metadata.audit import Actor, row
from core.metadata.permissions import Permission
from core.metadata.tenancy import Database

_logger = structlog.get_logger()
_SECONDS = 0.5
_MOST_WAITING = 20_000
_AT_ONCE = 1_000
_LONGEST_PATH = 1_000
_LONGEST_QUERY = 2_000


# One value for all of them costs a tenth of a statement for each.
_TABLE = cast("Table", inspect(AuditEntry).local_table)
_WRITTEN = [each for each in _TABLE.columns if each.name != "id"]
_ENTRIES = (
    func.jsonb_to_recordset(bindparam("entries", type_=JSONB))
    .table_valued(*(column(each.name, each.type) for each in _WRITTEN), name="entry")
    .render_derived(with_types=True)
)
_INSERT = insert(_TABLE).from_select([each.name for each in _WRITTEN], select(*_ENTRIES.c))


class Trail:
    """Entries that wait to be written. A process that is killed loses those of its last half second.

    While PostgreSQL is away they are kept; when too many wait, data is no longer given out: `UnavailableError`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[dict[str, Any]] = deque()
        self._taking_turns = asyncio.Lock()
        self._closing = asyncio.Event()
        self._writing = asyncio.create_task(self._write_on())

    def note_access(
        self,
        actor: Actor,
        permission: Permission,
        request: HTTPConnection,
        project: Project,
        asked: dict[str, str] | None = None,
    ) -> None:
        """Note that somebody reads data of a project by a permission; raises `UnavailableError` when too many wait."""
        details: dict[str, Any] = {
            "method": request.scope.get("method", "GET"),
            "path": _text(request.url.path, _LONGEST_PATH),
            "query": _text(request.url.query, _LONGEST_QUERY),
            "permission": permission,
        }
        if asked is not None:
            details["asked"] = {name: _text(text, _LONGEST_QUERY) for name, text in asked.items()}
        self.note(actor, "data.read", details, organisation_id=project.organisation_id, project_id=project.id)

    def note(
        self,
        actor: Actor,
        action: str,
        details: dict[str, Any],
        *,
        organisation_id: int,
        project_id: int | None = None,
    ) -> None:
        """Note something that is no change of its own; raises `UnavailableError` when too many entries wait."""
        if len(self._waiting) >= _MOST_WAITING:
            raise UnavailableError("postgresql")
        said = row(actor, action, None, organisation_id=organisation_id, project_id=project_id)
        self._waiting.append(said | {"at": utc_now().isoformat(), "details": details})

    async def flush(self) -> None:
        """Write what waits; raises `UnavailableError`, and keeps it, without PostgreSQL.

        Whoever asks may leave meanwhile: what was begun is finished, so that no entry is written twice.
        """
        await asyncio.shield(asyncio.ensure_future(self._flush()))

    async def close(self) -> None:
        """Write what waits, and stop."""
        self._closing.set()
        await self._writing
        try:
            await self.flush()
        except UnavailableError:
            _logger.error("audit_entries_lost", entries=len(self._waiting))  # noqa: TRY400 - it was logged where it was raised

    async def _write_on(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _SECONDS)
            try:
                await self._flush()
            except UnavailableError:
                continue
            except Exception:  # nothing may end what notes all that is read
                _logger.exception("audit_entries_not_written")

    async def _flush(self) -> None:
        async with self._taking_turns:
            while self._waiting:
                entries = [self._waiting[place] for place in range(min(_AT_ONCE, len(self._waiting)))]
                try:
                    await self._write(entries)
                except SQLAlchemyError:
                    await self._write_each(entries)
                for _ in entries:
                    self._waiting.popleft()

    async def _write_each(self, entries: list[dict[str, Any]]) -> None:
        """Write the entries of a batch that PostgreSQL refused; the one that it refuses is in the log at least."""
        for entry in entries:
            try:
                await self._write([entry])
            except SQLAlchemyError:
                _logger.exception("audit_entry_refused", action=entry["action"], actor=entry["actor_name"])

    async def _write(self, entries: list[dict[str, Any]]) -> None:
        async with self._database.of_all() as session:
            await session.execute(_INSERT, {"entries": entries})


def _text(text: str, most: int) -> str:
    """Return what PostgreSQL can keep of a text that a caller wrote."""
    return text[:most].replace("\0", "\\0").encode(errors="replace").decode()

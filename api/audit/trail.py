"""Writes who read which data, many entries at a time, so that no answer waits for its own."""

import asyncio
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import insert
from starlette.requests import HTTPConnection

from core.clock import utc_now
from core.errors import UnavailableError
from core.metadata import Project
from core.metadata.accounts import AuditEntry
from core.metadata.audit import Actor
from core.metadata.permissions import Permission
from core.metadata.tenancy import Database

_logger = structlog.get_logger()
_SECONDS = 0.5
_MOST_WAITING = 20_000
_AT_ONCE = 1_000
_LONGEST_QUERY = 2_000


class Trail:
    """Accesses that wait to be written. A process that is killed loses those of its last half second.

    While PostgreSQL is away they are kept; when too many wait, data is no longer given out: `UnavailableError`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[dict[str, Any]] = []
        self._closing = asyncio.Event()
        self._writing = asyncio.create_task(self._write_on())

    def note(self, actor: Actor, permission: Permission, request: HTTPConnection, project: Project) -> None:
        """Note that somebody reads data of a project by a permission; raises `UnavailableError` when too many wait."""
        if len(self._waiting) >= _MOST_WAITING:
            raise UnavailableError("postgresql")
        details = {
            "method": request.scope.get("method", "GET"),
            "path": request.url.path,
            "query": request.url.query[:_LONGEST_QUERY],
        }
        self._waiting.append(
            {
                "organisation_id": project.organisation_id,
                "project_id": project.id,
                "at": utc_now(),
                "actor_kind": actor.kind,
                "actor_id": actor.id,
                "actor_name": actor.name,
                "action": "data.read",
                "target_kind": "project",
                "target_id": str(project.id),
                "details": details | {"permission": permission},
                "address": actor.address,
                "user_agent": actor.user_agent,
            }
        )

    async def flush(self) -> None:
        """Write what waits; raises `UnavailableError`, and keeps it, without PostgreSQL."""
        while self._waiting:
            entries = self._waiting[:_AT_ONCE]
            async with self._database.of_all() as session:
                await session.execute(insert(AuditEntry), entries)
            del self._waiting[: len(entries)]

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
            with suppress(UnavailableError):
                await self.flush()

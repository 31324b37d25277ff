"""Checks API keys against PostgreSQL, and remembers the answer for a few seconds."""

import asyncio
import re
import time
from dataclasses import dataclass

import structlog
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from api.errors import ApiKeyInvalidError, UnavailableError
from api.settings import ApiSettings
from core.clock import utc_now
from core.metadata import ApiKey, Project
from core.metadata.projects import find_project_by_key_hash, hash_api_key

_logger = structlog.get_logger()

_SHAPE = re.compile(r"rk_[0-9A-Za-z]{40}")
_MOST_REMEMBERED = 10_000
# `last_used_at` tells keys in use from forgotten ones: a minute is fine enough, and spares a write per request.
_USE_NOTED_SECONDS = 60.0


@dataclass(slots=True)
class _Remembered:
    project: Project
    checked_at: float
    use_noted_at: float


class ApiKeys:
    """Finds the project that a key reads."""

    def __init__(self, settings: ApiSettings, database: AsyncEngine) -> None:
        self._settings = settings
        self._database = database
        self._remembered: dict[str, _Remembered] = {}

    async def project_of(self, key: str) -> Project:
        """Return the project of a live key; raises `ApiKeyInvalidError`, or `UnavailableError` without PostgreSQL."""
        if not _SHAPE.fullmatch(key):
            if key.startswith("wk_"):
                raise ApiKeyInvalidError("This is a write key, for sending events. Reading takes an API key (rk_…).")
            raise ApiKeyInvalidError
        # Keys are looked up by their digest, so the time of a comparison tells nothing about a key.
        return await self.project_of_hash(hash_api_key(key))

    async def project_of_hash(self, digest: str) -> Project:
        """Return the project of a live key of which only the hash is known; raises what `project_of` raises."""
        now = time.monotonic()
        known = self._remembered.get(digest)
        if known is not None and now - known.checked_at < self._settings.key_cache_seconds:
            return known.project
        use_noted_at = now if known is None or now - known.use_noted_at >= _USE_NOTED_SECONDS else known.use_noted_at
        project = await self._look_up(digest, note_use=use_noted_at == now)
        if project is None:
            self._remembered.pop(digest, None)
            raise ApiKeyInvalidError
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = _Remembered(project, now, use_noted_at)
        return project

    async def _look_up(self, digest: str, *, note_use: bool) -> Project | None:
        try:
            async with (
                asyncio.timeout(self._settings.connect_seconds),
                AsyncSession(self._database, expire_on_commit=False) as session,
            ):
                project = await session.run_sync(find_project_by_key_hash, digest)
                if project is not None and note_use:
                    statement = update(ApiKey).where(ApiKey.key_hash == digest)
                    await session.execute(statement.values(last_used_at=utc_now()))
                    await session.commit()
        except (SQLAlchemyError, TimeoutError, OSError) as error:
            _logger.warning("postgresql_unavailable", error=type(error).__name__)
            raise UnavailableError("postgresql") from error
        return project

"""Who may send: the live write keys, kept in memory."""

import asyncio
import time
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from core.metadata import WriteKey
from ingestion.errors import UnknownWriteKeyError, WriteKeysUnavailableError

_REFRESH_EVERY_S = 2.0
_FIRST_REFRESH_EVERY_S = 0.5
_REFRESH_AT_MOST_EVERY_S = 0.25
_logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """A live key's number, and the project that it writes to."""

    write_key_id: int
    project_id: int


class WriteKeys:
    """The live write keys of every project, read again every 2 s: a revoked key stops working within 3 s.

    While PostgreSQL is away the last known keys stay valid: refusing every event would lose them for good.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._owners: dict[str, KeyOwner] | None = None
        self._read_at = -_REFRESH_AT_MOST_EVERY_S
        self._lock = asyncio.Lock()

    @property
    def is_loaded(self) -> bool:
        """Whether the keys were read at least once."""
        return self._owners is not None

    def one_of_each_project(self) -> dict[int, str]:
        """Return a live key of each project that has one."""
        return {owner.project_id: key for key, owner in (self._owners or {}).items()}

    async def find(self, key: str | None) -> KeyOwner:
        """Return the owner of a live key.

        A key that is not known is looked for once more in PostgreSQL, since it may be new. Raises
        `UnknownWriteKeyError`, or `WriteKeysUnavailableError` while no keys could be read yet.
        """
        if not key:
            raise UnknownWriteKeyError(
                "Send the write key as the user name of Basic authentication, or as writeKey in the body."
            )
        owner = self._owners.get(key) if self._owners is not None else None
        if owner is None:
            await self.refresh()
            if self._owners is None:
                raise WriteKeysUnavailableError(
                    "The metadata database cannot be reached, or is not migrated yet.", headers={"Retry-After": "2"}
                )
            owner = self._owners.get(key)
        if owner is None and key.startswith("rk_"):
            raise UnknownWriteKeyError("This is an API key, for reading. Sending events takes a write key (wk_…).")
        if owner is None:
            raise UnknownWriteKeyError(f"The write key {key[:8]}… is unknown or revoked.")
        return owner

    async def refresh(self) -> None:
        """Read the keys as they are now, together with everybody else who asks at this moment.

        Readings are at least a quarter of a second apart: unknown keys must not become a load on PostgreSQL. Whoever
        asks too soon waits, so that a key that was made a moment ago is found.
        """
        asked_at = time.monotonic()
        async with self._lock:
            if self._read_at >= asked_at:
                return
            await asyncio.sleep(self._read_at + _REFRESH_AT_MOST_EVERY_S - time.monotonic())
            self._read_at = time.monotonic()
            live = select(WriteKey.key, WriteKey.id, WriteKey.project_id).where(WriteKey.revoked_at.is_(None))
            try:
                async with self._engine.connect() as connection:
                    rows = (await connection.execute(live)).all()
            except (SQLAlchemyError, OSError) as error:
                _logger.warning("write_keys_not_read", error=str(error).splitlines()[0])
                return
            self._owners = {row.key: KeyOwner(row.id, row.project_id) for row in rows}

    async def watch(self) -> None:
        """Keep reading until cancelled."""
        while True:
            try:
                await self.refresh()
            except Exception:
                _logger.exception("write_keys_not_read")
            await asyncio.sleep(_REFRESH_EVERY_S if self.is_loaded else _FIRST_REFRESH_EVERY_S)

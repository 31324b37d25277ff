"""Who may send: the live write keys, kept in memory."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog
from sqlalchemy import Text, cast, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from core import metadata
from core.metadata import Project, WriteKey
from core.metadata.collection_rules import CollectionRules
from core.metadata.origins import AllowedOrigins
from core.metadata.projects import WRITE_KEY_PREFIX, is_live
from ingestion.errors import OriginNotAllowedError, UnknownWriteKeyError, WriteKeysUnavailableError
from ingestion.event_schemas import ProjectSchemas
from ingestion.loaded_schemas import LoadedSchemas, load_schemas
from ingestion.privacy import Privacy

_REFRESH_EVERY_S = 2.0
_FIRST_REFRESH_EVERY_S = 0.5
_REFRESH_AT_MOST_EVERY_S = 0.25
_SHOWN_CHARACTERS = 100
_logger = structlog.get_logger()


_LIVE = (
    select(
        WriteKey.key,
        WriteKey.id,
        WriteKey.project_id,
        WriteKey.allowed_origins,
        WriteKey.events_per_second,
        cast(Project.collection_rules, Text).label("rules"),
        Project.hash_secret,
    )
    .join(Project, Project.id == WriteKey.project_id)
    .where(is_live(WriteKey))
)


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """What a project wants done to its events, made ready."""

    rules: CollectionRules
    privacy: Privacy


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """A live key's number, the project that it writes to, and what holds for both."""

    write_key_id: int
    project_id: int
    project: ProjectRules
    allowed_origins: AllowedOrigins | None = None
    """Whose pages may use the key; None: everybody's."""
    events_per_second: int | None = None
    """The key's own rate; None: the project's, or the collector's."""
    schemas: ProjectSchemas | None = None
    """What the project's events must look like; None where it has no schemas or does not want them looked at."""

    def demand_origin(self, origin: str | None) -> None:
        """Raise `OriginNotAllowedError` for a page that may not use the key. A server names no origin."""
        if self.allowed_origins is None or origin is None or self.allowed_origins.allow(origin):
            return
        raise OriginNotAllowedError(f"The write key is not for pages of {origin[:_SHOWN_CHARACTERS]!r}.")


def read_rules(document: bytes, secret: bytes) -> ProjectRules:
    """Return a project's rules, made ready; raise msgspec's errors where they cannot be read."""
    rules = msgspec.json.decode(document, type=CollectionRules)
    return ProjectRules(rules, Privacy(rules, secret))


def load_rules(database_url: str, project_id: int) -> tuple[ProjectRules, ProjectSchemas | None] | None:
    """Return what a project wants at this moment, its schemas too; None when there is no such project."""
    engine = metadata.connect(database_url)
    said = select(cast(Project.collection_rules, Text), Project.hash_secret).where(Project.id == project_id)
    try:
        with engine.connect() as connection:
            row = connection.execute(said).first()
            if row is None:
                return None
            rules = read_rules(row[0].encode(), row[1])
            return rules, load_schemas(connection, project_id, rules.rules.schemas)
    finally:
        engine.dispose()


class WriteKeys:
    """The live write keys of every project and its rules, read again every 2 s: a change is in force within 3 s.

    While PostgreSQL is away the last known keys stay valid: refusing every event would lose them for good.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._owners: dict[str, KeyOwner | None] | None = None
        self._rules: dict[tuple[str, bytes], ProjectRules] = {}
        self._schemas = LoadedSchemas()
        self._read_at = -_REFRESH_AT_MOST_EVERY_S
        self._lock = asyncio.Lock()

    @property
    def is_loaded(self) -> bool:
        """Whether the keys were read at least once."""
        return self._owners is not None

    @property
    def broken_schemas(self) -> int:
        """How many event schemas that ought to be in force cannot be read."""
        return self._schemas.broken

    def one_of_each_project(self) -> dict[int, str]:
        """Return a live key of each project that has one."""
        return {owner.project_id: key for key, owner in (self._owners or {}).items() if owner is not None}

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
            if key in self._owners and self._owners[key] is None:
                raise WriteKeysUnavailableError(
                    "The rules of the key's project cannot be read.", headers={"Retry-After": "10"}
                )
            owner = self._owners.get(key)
        if owner is None and key.startswith("rk_"):
            raise UnknownWriteKeyError("This is an API key, for reading. Sending events takes a write key (wk_…).")
        if owner is None and not key.startswith(WRITE_KEY_PREFIX):
            # Of a password that is meant for somebody else nothing may get into a log.
            raise UnknownWriteKeyError("The write key is unknown or revoked: it does not begin with wk_.")
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
            try:
                async with self._engine.connect() as connection:
                    rows = (await connection.execute(_LIVE)).all()
                    owners = self._owners_of(rows)
                    modes = {each.project_id: each.project.rules.schemas for each in owners.values() if each}
                    # Before the keys are taken: no event may get in between them and its schema.
                    await self._schemas.refresh(connection, modes)
            except (SQLAlchemyError, OSError) as error:
                _logger.warning("write_keys_not_read", error=str(error).splitlines()[0])
                return
            self._owners = {
                key: owner and replace(owner, schemas=self._schemas.of(owner.project_id))
                for key, owner in owners.items()
            }

    def _owners_of(self, rows: Sequence[Any]) -> dict[str, KeyOwner | None]:
        # Rules are made ready once: most of the time nobody changed them.
        known, self._rules = self._rules, {}
        owners: dict[str, KeyOwner | None] = {}
        for row in rows:
            said = (row.rules, row.hash_secret)
            rules = self._rules.get(said) or known.get(said)
            if rules is None:
                try:
                    rules = read_rules(row.rules.encode(), row.hash_secret)
                except msgspec.MsgspecError as error:
                    # Made by a newer version: what they would keep from the disk must not get there.
                    _logger.warning("project_rules_not_read", project_id=row.project_id, error=str(error))
                    owners[row.key] = None
                    continue
            self._rules[said] = rules
            owners[row.key] = KeyOwner(
                row.id,
                row.project_id,
                rules,
                AllowedOrigins(row.allowed_origins) if row.allowed_origins else None,
                row.events_per_second,
            )
        return owners

    async def watch(self) -> None:
        """Keep reading until cancelled."""
        while True:
            try:
                await self.refresh()
            except Exception:
                _logger.exception("write_keys_not_read")
            await asyncio.sleep(_REFRESH_EVERY_S if self.is_loaded else _FIRST_REFRESH_EVERY_S)

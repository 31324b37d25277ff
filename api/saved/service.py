"""Keeps what people save: its versions, its folder, its place among favourites and in the trash."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import NotFoundError
from api.roles.service import InUseError
from api.saved.contents import CohortContent, Content
from api.saved.errors import NothingToUndoError
from api.saved.objects import (
    CONTENTS,
    LISTED,
    check,
    check_cohort,
    demand_version,
    find,
    in_live_folder,
    live_links,
    new,
    note,
    take_turns,
    write,
)
from api.saved.schemas import SavedQuery, SavedSummary, VersionQuery, VersionSummary
from core.clock import utc_now
from core.metadata import Project
from core.metadata.audit import Actor
from core.metadata.saved import Favourite, SavedObject, SavedVersion
from core.metadata.tenancy import Database
from core.problem import InvalidRequestError


class Saved:
    """What one project's people saved. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database, kept_versions: int) -> None:
        self._database = database
        self._kept_versions = kept_versions

    async def page(
        self, project: Project, query: SavedQuery, user_id: int | None
    ) -> tuple[Sequence[Mapping[str, Any]], int | None]:
        """Return what is listed of saved things, the latest made first, and where to go on."""
        async with self._database.of_project(project) as session:
            own = select(Favourite.object_id).where(Favourite.user_id == (user_id or 0))
            statement = _selected(query).order_by(SavedObject.id.desc()).limit(query.limit + 1)
            if query.favourites:
                statement = statement.where(SavedObject.id.in_(own))
            found = (await session.execute(statement)).mappings().all()
            shown = found[: query.limit]
            own = own.where(Favourite.object_id.in_([each["id"] for each in shown]))
            favourites = set(await session.scalars(own))
        marked = [each | {"is_favourite": each["id"] in favourites} for each in map(dict, shown)]
        return marked, shown[-1]["id"] if len(found) > query.limit else None

    async def find(self, project: Project, object_id: int, kinds: Collection[str]) -> SavedObject:
        """Return one thing; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            return await find(session, object_id, kinds)

    async def find_all(
        self, project: Project, object_ids: Collection[int], kind: str, *, with_trash: bool = False
    ) -> Sequence[SavedObject]:
        """Return those of some things that are there, or in the trash, by their ids."""
        async with self._database.of_project(project) as session:
            statement = select(SavedObject).where(SavedObject.id.in_(object_ids), SavedObject.kind == kind)
            if not with_trash:
                statement = statement.where(*_LIVE)
            return (await session.scalars(statement.order_by(SavedObject.id))).all()

    async def create(self, by: Actor, project: Project, content: Content) -> SavedObject:
        """Save something new; raises `InvalidRequestError` where it names what is not there."""
        async with self._changing(project) as session:
            await check(session, content)
            made = new(content, by)
            await self._write(session, by, made, content, action="created", project=project)
            return made

    async def change(self, by: Actor, project: Project, object_id: int, content: Content, seen: int) -> SavedObject:
        """Make another version of what was seen; raises `NotFoundError`, `ChangedMeanwhileError` and as `create`."""
        async with self._changing(project) as session:
            found = await find(session, object_id, {content.kind}, to_change=True)
            demand_version(found, seen)
            await check(session, content, found)
            await self._write(session, by, found, content, action="changed", project=project)
            return found

    async def delete(self, by: Actor, project: Project, object_id: int, seen: int | None) -> None:
        """Put something into the trash, whichever version was seen if none is given.

        Raises `NotFoundError`, `ChangedMeanwhileError`, and `InUseError` for a folder that is not empty.
        """
        async with self._changing(project) as session:
            found = await find(session, object_id, to_change=True)
            if seen is not None:
                demand_version(found, seen)
            within = select(SavedObject.id).where(SavedObject.folder_id == object_id, *_LIVE).limit(1)
            if await session.scalar(within) is not None:
                raise InUseError("The folder is not empty: move what is in it, or delete that first.")
            details: dict[str, Any] = {"name": found.name}
            if links := await live_links(session, found):
                details["shared_links"] = links
            found.deleted_at, found.deleted_by = utc_now(), by.name
            # Its name is free for another.
            found.key = None
            note(session, by, found, action="deleted", details=details, project=project)

    async def recover(self, by: Actor, project: Project, object_id: int) -> SavedObject:
        """Take something out of the trash; raises `NotFoundError`, and `InUseError` for a cohort whose name is taken.

        Without its folder, if that is in the trash too.
        """
        async with self._changing(project) as session:
            found = await find(session, object_id, in_trash=True, to_change=True)
            content = await _as_it_was(session, found, found.content)
            found.deleted_at = found.deleted_by = None
            found.key = content.columns().get("key")
            note(session, by, found, action="recovered", details={"name": found.name}, project=project)
            await self._write(session, by, found, content, action="changed", project=project)
            return found

    async def versions(
        self, project: Project, object_id: int, query: VersionQuery
    ) -> tuple[Sequence[Mapping[str, Any]], int | None]:
        """Return what is listed of versions, the latest first, and where to go on; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            await find(session, object_id, CONTENTS)
            statement = select(*_OF_VERSION).where(SavedVersion.object_id == object_id)
            if query.before is not None:
                statement = statement.where(SavedVersion.version < query.before)
            ordered = statement.order_by(SavedVersion.version.desc()).limit(query.limit + 1)
            found = [dict(each) for each in (await session.execute(ordered)).mappings()]
        shown = found[: query.limit]
        return shown, shown[-1]["version"] if len(found) > query.limit else None

    async def version(self, project: Project, object_id: int, version: int) -> SavedVersion:
        """Return one version; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            await find(session, object_id, CONTENTS)
            return await _version(session, object_id, version)

    async def restore(
        self, by: Actor, project: Project, object_id: int, version: int, seen: int
    ) -> tuple[SavedObject, int]:
        """Make a version with the content of an earlier one; return it with the one that this was edited as.

        Raises `NotFoundError`, `ChangedMeanwhileError`, and `InUseError` for a cohort that cannot be so any more.
        """
        async with self._changing(project) as session:
            found = await find(session, object_id, CONTENTS, to_change=True)
            demand_version(found, seen)
            return await self._restore(session, by, project, found, await _version(session, object_id, version))

    async def undo(self, by: Actor, project: Project, object_id: int, seen: int) -> tuple[SavedObject, int]:
        """Take the latest edit back, and one more each time; return as `restore` does.

        Raises `NotFoundError`, `ChangedMeanwhileError`, `NothingToUndoError`, and `InUseError` as `restore` does.
        """
        async with self._changing(project) as session:
            found = await find(session, object_id, CONTENTS, to_change=True)
            demand_version(found, seen)
            present = await _version(session, object_id, found.version)
            edited_as = present.restored_from or present.version
            before = await session.get(SavedVersion, (object_id, edited_as - 1))
            if before is None:
                raise NothingToUndoError
            return await self._restore(session, by, project, found, before)

    async def set_favourite(self, project: Project, object_id: int, user_id: int, *, is_one: bool) -> None:
        """Put something among a user's favourites, or take it out; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            # Whoever asks twice at once waits: the second finds what the first did.
            await find(session, object_id, to_change=True)
            there = await session.get(Favourite, (user_id, object_id))
            if is_one and there is None:
                session.add(Favourite(user_id=user_id, object_id=object_id))
            elif not is_one and there is not None:
                await session.delete(there)

    async def shared_links(self, project: Project, found: SavedObject) -> int:
        """Return how many links show something now; see `live_links`."""
        async with self._database.of_project(project) as session:
            return await live_links(session, found)

    @asynccontextmanager
    async def _changing(self, project: Project) -> AsyncGenerator[AsyncSession]:
        async with self._database.of_project(project) as session:
            await take_turns(session)
            yield session

    async def _write(
        self,
        session: AsyncSession,
        by: Actor,
        found: SavedObject,
        content: Content,
        *,
        action: str,
        project: Project,
        restored_from: int | None = None,
    ) -> None:
        keep = self._kept_versions
        await write(session, by, found, content, action=action, project=project, keep=keep, restored_from=restored_from)

    async def _restore(
        self, session: AsyncSession, by: Actor, project: Project, found: SavedObject, version: SavedVersion
    ) -> tuple[SavedObject, int]:
        edited_as = version.restored_from or version.version
        content = await _as_it_was(session, found, version.content)
        await self._write(session, by, found, content, action="restored", project=project, restored_from=edited_as)
        return found, edited_as


_LIVE = (SavedObject.deleted_at.is_(None),)
# Whole contents are for who looks at one of them.
_OF_OBJECT: tuple[Any, ...] = (
    *(getattr(SavedObject, name) for name in SavedSummary.model_fields if hasattr(SavedObject, name)),
    SavedObject.content["description"].label("description"),
    SavedObject.content["tags"].label("tags"),
)
_OF_VERSION = tuple(getattr(SavedVersion, name) for name in VersionSummary.model_fields)


def _selected(query: SavedQuery) -> Select[*tuple[Any, ...]]:
    statement = select(*_OF_OBJECT).where(SavedObject.kind.in_([query.kind] if query.kind else LISTED))
    is_live = SavedObject.deleted_at.is_not(None) if query.trash else SavedObject.deleted_at.is_(None)
    statement = statement.where(is_live)
    if query.folder_id is not None:
        statement = statement.where(SavedObject.folder_id == query.folder_id)
    if query.tag is not None:
        statement = statement.where(SavedObject.content["tags"].contains([query.tag]))
    if query.search is not None:
        statement = statement.where(SavedObject.name.icontains(query.search, autoescape=True))
    if query.before is not None:
        statement = statement.where(SavedObject.id < query.before)
    return statement


async def _version(session: AsyncSession, object_id: int, version: int) -> SavedVersion:
    found = await session.get(SavedVersion, (object_id, version))
    if found is None:
        raise NotFoundError("version", version)
    return found


async def _as_it_was(session: AsyncSession, found: SavedObject, said: dict[str, Any]) -> Content:
    """Return content of before as something can have it again: not in a folder that is gone.

    Raises `InUseError` for a cohort whose name another has by now, or that is in itself by now.
    """
    content = await in_live_folder(session, CONTENTS[found.kind].model_validate(said), found)
    if isinstance(content, CohortContent):
        try:
            await check_cohort(session, content, found)
        except InvalidRequestError as error:
            raise InUseError(f"It cannot be as it was: {error}") from error
    return content

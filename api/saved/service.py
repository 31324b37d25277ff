"""Keeps what people save: its versions, its folder, its place among favourites and in the trash."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import NotFoundError
from api.roles.service import InUseError
from api.saved.contents import Content
from api.saved.errors import NothingToUndoError
from api.saved.objects import CONTENTS, LISTED, check, demand_version, find, in_live_folder, new, note, write
from api.saved.schemas import SavedQuery, VersionQuery
from core.clock import utc_now
from core.metadata import Project
from core.metadata.audit import Actor
from core.metadata.saved import Favourite, SavedObject, SavedVersion
from core.metadata.tenancy import Database


class Saved:
    """What one project's people saved. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, project: Project, query: SavedQuery, user_id: int | None
    ) -> tuple[list[tuple[SavedObject, bool]], int | None]:
        """Return saved things, the latest made first, each with whether it is a favourite, and where to go on."""
        async with self._database.of_project(project) as session:
            own = select(Favourite.object_id).where(Favourite.user_id == (user_id or 0))
            statement = _selected(query).order_by(SavedObject.id.desc()).limit(query.limit + 1)
            if query.favourites:
                statement = statement.where(SavedObject.id.in_(own))
            found = (await session.scalars(statement)).all()
            shown = found[: query.limit]
            own = own.where(Favourite.object_id.in_([each.id for each in shown]))
            favourites = set(await session.scalars(own))
        return [(each, each.id in favourites) for each in shown], shown[-1].id if len(found) > query.limit else None

    async def find(self, project: Project, object_id: int, kinds: Collection[str]) -> SavedObject:
        """Return one thing; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            return await find(session, object_id, kinds)

    async def find_all(self, project: Project, object_ids: Collection[int], kind: str) -> Sequence[SavedObject]:
        """Return those of some things that are there, by their ids."""
        async with self._database.of_project(project) as session:
            statement = select(SavedObject).where(SavedObject.id.in_(object_ids), SavedObject.kind == kind)
            return (await session.scalars(statement.where(*_LIVE).order_by(SavedObject.id))).all()

    async def create(self, by: Actor, project: Project, content: Content) -> SavedObject:
        """Save something new; raises `InvalidRequestError` where it names what is not there."""
        async with self._database.of_project(project) as session:
            await check(session, content)
            made = new(content, by)
            await write(session, by, made, content, action="created", project=project)
            return made

    async def change(self, by: Actor, project: Project, object_id: int, content: Content, seen: int) -> SavedObject:
        """Make another version of what was seen; raises `NotFoundError`, `ChangedMeanwhileError` and as `create`."""
        async with self._database.of_project(project) as session:
            found = await find(session, object_id, {content.kind}, to_change=True)
            demand_version(found, seen)
            await check(session, content, found)
            await write(session, by, found, content, action="changed", project=project)
            return found

    async def delete(self, by: Actor, project: Project, object_id: int) -> None:
        """Put something into the trash; raises `NotFoundError`, and `InUseError` for a folder that is not empty."""
        async with self._database.of_project(project) as session:
            found = await find(session, object_id, to_change=True)
            within = select(SavedObject.id).where(SavedObject.folder_id == object_id, *_LIVE).limit(1)
            if await session.scalar(within) is not None:
                raise InUseError("The folder is not empty: move what is in it, or delete that first.")
            found.deleted_at, found.deleted_by = utc_now(), by.name
            note(session, by, found, action="deleted", details={"name": found.name}, project=project)

    async def recover(self, by: Actor, project: Project, object_id: int) -> SavedObject:
        """Take something out of the trash; raises `NotFoundError`. Without its folder, if that is in the trash too."""
        async with self._database.of_project(project) as session:
            found = await find(session, object_id, in_trash=True, to_change=True)
            found.deleted_at = found.deleted_by = None
            note(session, by, found, action="recovered", details={"name": found.name}, project=project)
            content = await in_live_folder(session, CONTENTS[found.kind].model_validate(found.content), found)
            await write(session, by, found, content, action="changed", project=project)
            return found

    async def versions(
        self, project: Project, object_id: int, query: VersionQuery
    ) -> tuple[Sequence[SavedVersion], int | None]:
        """Return versions, the latest first, and what the next page begins before; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            await find(session, object_id, CONTENTS)
            statement = select(SavedVersion).where(SavedVersion.object_id == object_id)
            if query.before is not None:
                statement = statement.where(SavedVersion.version < query.before)
            ordered = statement.order_by(SavedVersion.version.desc()).limit(query.limit + 1)
            found = (await session.scalars(ordered)).all()
        shown = found[: query.limit]
        return shown, shown[-1].version if len(found) > query.limit else None

    async def version(self, project: Project, object_id: int, version: int) -> SavedVersion:
        """Return one version; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            await find(session, object_id, CONTENTS)
            return await _version(session, object_id, version)

    async def restore(
        self, by: Actor, project: Project, object_id: int, version: int, seen: int
    ) -> tuple[SavedObject, int]:
        """Make a version with the content of an earlier one; return it with the one that this was edited as.

        Raises `NotFoundError` or `ChangedMeanwhileError`.
        """
        async with self._database.of_project(project) as session:
            found = await find(session, object_id, CONTENTS, to_change=True)
            demand_version(found, seen)
            return await _restore(session, by, project, found, await _version(session, object_id, version))

    async def undo(self, by: Actor, project: Project, object_id: int, seen: int) -> tuple[SavedObject, int]:
        """Take the latest edit back, and one more each time; return as `restore` does.

        Raises `NotFoundError`, `ChangedMeanwhileError` or `NothingToUndoError`.
        """
        async with self._database.of_project(project) as session:
            found = await find(session, object_id, CONTENTS, to_change=True)
            demand_version(found, seen)
            present = await _version(session, object_id, found.version)
            edited_as = present.restored_from or present.version
            if edited_as == 1:
                raise NothingToUndoError
            return await _restore(session, by, project, found, await _version(session, object_id, edited_as - 1))

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


_LIVE = (SavedObject.deleted_at.is_(None),)


def _selected(query: SavedQuery) -> Select[SavedObject]:
    statement = select(SavedObject).where(SavedObject.kind.in_([query.kind] if query.kind else LISTED))
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


async def _restore(
    session: AsyncSession, by: Actor, project: Project, found: SavedObject, version: SavedVersion
) -> tuple[SavedObject, int]:
    edited_as = version.restored_from or version.version
    content = await in_live_folder(session, CONTENTS[found.kind].model_validate(version.content), found)
    await write(session, by, found, content, action="restored", project=project, restored_from=edited_as)
    return found, edited_as

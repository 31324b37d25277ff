"""What is done with saved things in a session of their project: each change makes a version and an entry."""

from collections.abc import Collection
from datetime import UTC
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import NotFoundError
from api.queries.reading import invalid_document
from api.saved.contents import (
    AnnotationContent,
    CohortContent,
    Content,
    DashboardContent,
    EventContent,
    Filed,
    FolderContent,
    InsightContent,
    PropertyContent,
)
from api.saved.errors import ChangedMeanwhileError, InTrashError
from core.clock import utc_now
from core.insights.cohorts import CohortQuestion
from core.insights.faults import Fault, places_of
from core.insights.filters import cohorts_in
from core.metadata import Project
from core.metadata.audit import Actor, Target, entry
from core.metadata.saved import SavedObject, SavedVersion, SharedLink
from core.problem import InvalidRequestError

_LISTED: tuple[type[Content], ...] = (
    InsightContent,
    CohortContent,
    DashboardContent,
    AnnotationContent,
    FolderContent,
)
LISTED = frozenset(each.kind for each in _LISTED)
"""What is listed with all that is saved, and can be put into the trash."""
CONTENTS: dict[str, type[Content]] = {each.kind: each for each in (*_LISTED, EventContent, PropertyContent)}
"""What has versions."""
_DEEPEST_FOLDER = 20
_Content = TypeVar("_Content", bound=Content)


async def take_turns(session: AsyncSession) -> None:
    """Let those who change what a project saved wait for each other: what one has checked stays so until he is done."""
    # Not as strong as the lock that deletes a project: rows that refer to it can be added meanwhile.
    await session.execute(select(Project.id).with_for_update(key_share=True))


async def find(
    session: AsyncSession,
    object_id: int,
    kinds: Collection[str] = LISTED,
    *,
    in_trash: bool = False,
    to_change: bool = False,
) -> SavedObject:
    """Return one thing of these kinds. Those who change the same one wait for each other.

    Raises `NotFoundError`, and `InTrashError` for one that is in the trash and is not looked for there.
    """
    found = await session.get(SavedObject, object_id, with_for_update=to_change or None)
    if found is None or found.kind not in kinds or (in_trash and found.deleted_at is None):
        raise NotFoundError(" or ".join(sorted(kinds)) + (" in the trash" if in_trash else ""), object_id)
    if found.deleted_at is not None and not in_trash:
        raise InTrashError(found.kind, object_id, found.name, found.deleted_at.astimezone(UTC), found.project_id)
    return found


def content_of(found: SavedObject, kind: type[_Content]) -> _Content:
    """Return what something says."""
    return kind.model_validate(found.content)


def demand_version(found: SavedObject, seen: int) -> None:
    """Raise `ChangedMeanwhileError` where something is no longer in the version that was seen."""
    if found.version != seen:
        raise ChangedMeanwhileError(seen, found.version)


async def write(
    session: AsyncSession,
    by: Actor,
    found: SavedObject,
    content: Content,
    *,
    action: str,
    project: Project,
    keep: int,
    restored_from: int | None = None,
) -> None:
    """Make the next version of something, unless an edit changes nothing; of what is new the first one.

    So many versions are kept, the latest ones.
    """
    said = content.model_dump(mode="json")
    changed = sorted(part for part in {*said, *found.content} if said.get(part) != found.content.get(part))
    if found.version and not changed and restored_from is None:
        return
    found.content = said
    found.version += 1
    found.updated_at, found.updated_by = utc_now(), by.name
    for column, value in content.columns().items():
        setattr(found, column, value)
    session.add(found)
    await session.flush()
    session.add(
        SavedVersion(
            object_id=found.id,
            version=found.version,
            content=said,
            changed=changed,
            restored_from=restored_from,
            actor_kind=by.kind,
            actor_id=by.id,
            actor_name=by.name,
        )
    )
    too_old = SavedVersion.version <= found.version - keep
    await session.execute(delete(SavedVersion).where(SavedVersion.object_id == found.id, too_old))
    details: dict[str, Any] = {"name": found.name, "version": found.version, "changed": changed}
    if links := await live_links(session, found):
        details["shared_links"] = links
    if restored_from is not None:
        details["restored_from"] = restored_from
    note(session, by, found, action=action, details=details, project=project)


def note(
    session: AsyncSession, by: Actor, found: SavedObject, *, action: str, details: dict[str, Any], project: Project
) -> None:
    """Add the entry of the audit log that says what is done to something."""
    said = Target(found.kind, found.id, details)
    made = entry(by, f"{found.kind}.{action}", said, organisation_id=project.organisation_id, project_id=project.id)
    session.add(made)


async def live_links(session: AsyncSession, found: SavedObject) -> int:
    """Return how many links show something now: to itself or, of an insight, to a dashboard with it."""
    if found.kind not in {InsightContent.kind, DashboardContent.kind}:
        return 0
    shows_it = SavedObject.content.contains({"tiles": [{"kind": "insight", "insight_id": found.id}]})
    boards = select(SavedObject.id).where(
        SavedObject.kind == DashboardContent.kind, SavedObject.deleted_at.is_(None), shows_it
    )
    links = select(func.count(SharedLink.id)).where(
        SharedLink.revoked_at.is_(None),
        SharedLink.expires_at > utc_now(),
        or_(SharedLink.object_id == found.id, SharedLink.object_id.in_(boards)),
    )
    return await session.scalar(links) or 0


def new(content: Content, by: Actor, key: str | None = None) -> SavedObject:
    """Return something that has no version yet."""
    return SavedObject(kind=content.kind, key=key, content={}, version=0, created_by=by.name, updated_by=by.name)


async def check(session: AsyncSession, content: Content, before: SavedObject | None = None) -> None:
    """Raise `InvalidRequestError` where content names something that is not there, and did not name it before."""
    known: set[int] = set()
    if before is not None and before.content:
        known = {each.id for each in type(content).model_validate(before.content).references()}
    named = [each for each in content.references() if each.id not in known]
    if named:
        statement = select(SavedObject.id, SavedObject.kind, SavedObject.deleted_at).where(
            SavedObject.id.in_({each.id for each in named})
        )
        there = {each.id: each for each in await session.execute(statement)}
        faults: list[Fault] = []
        for each in named:
            one = there.get(each.id)
            if one is None or one.kind not in each.kinds:
                message = f"there is no {' or '.join(sorted(each.kinds))} {each.id} here"
                faults.append(Fault(each.place, message, "not_found"))
            elif one.deleted_at is not None:
                faults.append(Fault(each.place, f"the {one.kind} {each.id} is in the trash: recover it", "in_trash"))
        if faults:
            raise invalid_document(*faults)
    if isinstance(content, FolderContent):
        await _check_way_up(session, content, before)
    if isinstance(content, CohortContent):
        await check_cohort(session, content, before)


async def check_cohort(session: AsyncSession, content: CohortContent, before: SavedObject | None) -> None:
    """Raise `InvalidRequestError` where another cohort has the name, or the cohort would be made of itself."""
    others = select(SavedObject.key, SavedObject.content).where(
        SavedObject.kind == CohortContent.kind, SavedObject.id != (0 if before is None else before.id)
    )
    if (await session.execute(others.where(SavedObject.key == content.name))).first() is not None:
        raise invalid_document(Fault(("name",), f"there is a cohort {content.name} already", "name_taken"))
    for name in sorted(_cohorts_of(content.query)):
        waiting, seen = {name}, set[str]()
        while waiting - {content.name}:
            seen |= waiting
            found = await session.execute(others.where(SavedObject.key.in_(waiting)))
            waiting = set[str]().union(*(_cohorts_of(said["query"]) for _, said in found)) - seen
            if content.name in waiting:
                break
        if content.name in waiting:
            places = places_of(content.query, "cohort", name)
            message = f"{content.name} would be made of itself"
            raise invalid_document(*(Fault(("query", *place), message, "value_error") for place in places))


def _cohorts_of(query: dict[str, Any]) -> set[str]:
    try:
        return cohorts_in(CohortQuestion.model_validate(query))
    except ValidationError:
        # One of long ago, which is not understood any more and so not answered.
        return set()


async def in_live_folder(session: AsyncSession, content: Content, found: SavedObject) -> Content:
    """Return content of before without its folder, if that is in the trash, or in the thing itself by now."""
    if not isinstance(content, Filed) or content.folder_id is None:
        return content
    try:
        await find(session, content.folder_id, {FolderContent.kind})
        if isinstance(content, FolderContent):
            await _check_way_up(session, content, found)
    except (NotFoundError, InTrashError, InvalidRequestError):
        return content.model_copy(update={"folder_id": None})
    return content


async def _check_way_up(session: AsyncSession, content: FolderContent, before: SavedObject | None) -> None:
    own, above, levels = None if before is None else before.id, content.folder_id, 0
    while above is not None:
        levels += 1
        if above == own:
            raise invalid_document(Fault(("folder_id",), "a folder cannot lie in itself", "value_error"))
        if levels >= _DEEPEST_FOLDER:
            raise invalid_document(Fault(("folder_id",), f"folders go {_DEEPEST_FOLDER} levels deep", "value_error"))
        above = await session.scalar(select(SavedObject.folder_id).where(SavedObject.id == above))

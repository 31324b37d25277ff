"""Joins what was sent with what people say it means."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from api.catalogue.queries import MOST_LISTED, CatalogueSql
from api.catalogue.schemas import (
    CatalogueQuery,
    EventCatalogue,
    EventEntry,
    PropertyCatalogue,
    PropertyEntry,
    PropertyQuery,
)
from api.insights.answers import Answers
from api.queries.reading import invalid_document
from api.saved.contents import EventContent, Explained, PropertyContent
from api.saved.errors import ChangedMeanwhileError
from api.saved.objects import demand_version, new, write
from core.insights.faults import Fault
from core.metadata import Project
from core.metadata.accounts import Membership
from core.metadata.audit import Actor
from core.metadata.saved import SavedObject
from core.metadata.tenancy import Database

_Said = dict[str, dict[str, Any]]
_UNSAID: dict[str, Any] = {
    "description_id": None,
    "version": 0,
    "description": "",
    "tags": [],
    "owner_id": None,
    "is_hidden": False,
    "is_verified": False,
}
_NO_EVENTS: dict[str, Any] = {
    "first_seen_date": None,
    "last_seen_date": None,
    **dict.fromkeys(("events", "events_in_30_days", "persons"), 0),
}
_NO_VALUES: dict[str, Any] = {
    "first_seen_at": None,
    "last_seen_at": None,
    **dict.fromkeys(("events", "strings", "datetimes", "numbers", "booleans", "arrays", "objects", "nulls"), 0),
    "distinct_values": 0,
}


class Catalogue:
    """The events and properties of one project."""

    def __init__(self, database: Database, answers: Answers, sql: CatalogueSql, kept_versions: int) -> None:
        self._database = database
        self._kept_versions = kept_versions
        self._answers = answers
        self._sql = sql

    async def events(self, project: Project, query: CatalogueQuery) -> EventCatalogue:
        """Return events by name, as the latest refresh knows them; raises `NotModelledYetError`."""
        computed, meta = await self._answers.read(project, self._sql.events())
        said = await self._said(project, EventContent.kind)
        sent = {row["event"]: row for row in computed.rows[:MOST_LISTED]}
        names, following = _page({*sent, *said}, said, query)
        page = [
            EventEntry.model_validate({"event": name} | _NO_EVENTS | sent.get(name, {}) | said.get(name, _UNSAID))
            for name in names
        ]
        return EventCatalogue(events=page, next=following, is_truncated=len(computed.rows) > MOST_LISTED, meta=meta)

    async def properties(self, project: Project, query: PropertyQuery) -> PropertyCatalogue:
        """Return properties by name, as the latest refresh knows them; raises `NotModelledYetError`."""
        computed, meta = await self._answers.read(project, self._sql.properties(query))
        whose = {"source": query.source, "group_type": query.group_type}
        sent = {row["property"]: row for row in computed.rows[:MOST_LISTED]}
        said = {
            each["property"]: each
            for each in (await self._said(project, PropertyContent.kind)).values()
            if whose.items() <= each.items()
        }
        # Of one event those are listed that it has; what a property means holds for all events.
        names, following = _page(set(sent) if query.event else {*sent, *said}, said, query)
        page = [
            PropertyEntry.model_validate(
                {"property": name} | whose | _NO_VALUES | sent.get(name, {}) | said.get(name, _UNSAID)
            )
            for name in names
        ]
        truncated = len(computed.rows) > MOST_LISTED
        return PropertyCatalogue(properties=page, next=following, is_truncated=truncated, meta=meta)

    async def describe(self, by: Actor, project: Project, content: Explained, seen: int) -> SavedObject:
        """Say what an event or a property means: the version seen is 0 where nothing was said of it.

        Raises `ChangedMeanwhileError`, and `InvalidRequestError` for an owner who is no member.
        """
        statement = select(SavedObject).where(SavedObject.kind == content.kind, SavedObject.key == content.key())
        try:
            async with self._database.of_project(project) as session:
                found = (await session.scalars(statement.with_for_update())).one_or_none()
                found = found or new(content, by, content.key())
                demand_version(found, seen)
                if content.owner_id is not None:
                    members = select(Membership.user_id).where(Membership.user_id == content.owner_id)
                    if await session.scalar(members) is None:
                        fault = Fault(("owner_id",), f"there is no member {content.owner_id} here", "not_found")
                        raise invalid_document(fault)
                keep = self._kept_versions
                await write(session, by, found, content, action="described", project=project, keep=keep)
                return found
        except IntegrityError as error:
            # Somebody described it first, at the same time.
            raise ChangedMeanwhileError(seen, 1) from error

    async def _said(self, project: Project, kind: str) -> _Said:
        """Return what is said of events, or of properties, by what it is said of."""
        async with self._database.of_project(project) as session:
            found = (await session.scalars(select(SavedObject).where(SavedObject.kind == kind))).all()
        return {str(each.key): each.content | {"description_id": each.id, "version": each.version} for each in found}


def _page(names: Iterable[str], said: _Said, query: CatalogueQuery) -> tuple[list[str], str | None]:
    """Return a page of the names that are asked for, in order, and what the next one comes after."""
    ahead = (name for name in names if query.after is None or name > query.after)
    wanted = sorted(name for name in ahead if _is_wanted(name, said.get(name, _UNSAID), query))
    shown = wanted[: query.limit]
    return shown, shown[-1] if len(wanted) > query.limit else None


def _is_wanted(name: str, said: dict[str, Any], query: CatalogueQuery) -> bool:
    return (
        (query.search is None or query.search.casefold() in name.casefold())
        and (query.tag is None or query.tag in said["tags"])
        and (query.owner_id is None or query.owner_id == said["owner_id"])
        and (query.is_hidden is None or query.is_hidden == said["is_hidden"])
        and (query.is_verified is None or query.is_verified == said["is_verified"])
    )

"""Finds annotations by time."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select

from api.annotations.schemas import AnnotationQuery
from core.metadata import Project
from core.metadata.saved import SavedObject
from core.metadata.tenancy import Database


class Annotations:
    """The annotations of one project. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, project: Project, query: AnnotationQuery) -> tuple[Sequence[SavedObject], int | None]:
        """Return annotations of a range, the latest made first, and what the next page begins before."""
        statement = select(SavedObject).where(SavedObject.kind == "annotation", SavedObject.deleted_at.is_(None))
        if query.since is not None:
            # The end of a range is not in it.
            lasts = or_(SavedObject.starts_at >= query.since, SavedObject.ends_at > query.since)
            statement = statement.where(lasts)
        if query.until is not None:
            statement = statement.where(SavedObject.starts_at < query.until)
        if query.about_id is not None:
            statement = statement.where(func.coalesce(SavedObject.about_id, query.about_id) == query.about_id)
        if query.before is not None:
            statement = statement.where(SavedObject.id < query.before)
        async with self._database.of_project(project) as session:
            found = (await session.scalars(statement.order_by(SavedObject.id.desc()).limit(query.limit + 1))).all()
        shown = found[: query.limit]
        return shown, shown[-1].id if len(found) > query.limit else None

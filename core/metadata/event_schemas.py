"""The registry of event schemas: what each event's properties must look like, by version.

A version never changes. Of an event's versions the latest that is not retired holds; the project's rules say what
becomes of events that do not fit it (`core.metadata.collection_rules.Schemas`). The functions take a blocking
`Session` and do not commit, like those of `core.metadata.projects`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Text, cast, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.errors import RadixError
from core.events.event import EVENT_NAMES, EventType
from core.metadata.models import EventSchema, Project
from core.metadata.schema_changes import SchemaChanges, compare
from core.metadata.schema_documents import InvalidSchemaError, read_schema

EVERY_EVENT = "*"
"""Event name of the schema that holds for each track, page and screen without one of its own."""
MAX_EVENTS = 1_000
"""Events with a schema that a project can have: each collector keeps all of them in memory."""
_MAX_NAME_BYTES = 200
_UNJUDGED = EVENT_NAMES[EventType.ALIAS]


class UnknownSchemaError(RadixError):
    """There is no such project, event or version."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "unknown_event_schema"
    title: ClassVar[str] = "There is no such event schema"


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a schema that was added."""

    version: int
    former: int | None
    """The version that held before; None when none did."""
    changes: SchemaChanges
    """Against the former one."""
    is_new: bool
    """False: the version that holds already says the same, and none was made."""


def add_schema(session: Session, project_id: int, event: str, document: bytes) -> Added:
    """Make a document the version of an event's schema that holds, at the collectors within 3 s.

    Raises `InvalidSchemaError`, and `UnknownSchemaError` when there is no such project.
    """
    if not event.strip() or len(event.encode()) > _MAX_NAME_BYTES or "\0" in event or event == _UNJUDGED:
        raise InvalidSchemaError(f"{event!r} is no event that can have a schema.")
    schema = read_schema(document)
    # One at a time: a version must not be given twice.
    if session.scalar(select(Project.id).where(Project.id == project_id).with_for_update()) is None:
        raise UnknownSchemaError(f"There is no project {project_id}.")
    versions = _versions(session, project_id, event)
    holding = next((version for version in reversed(versions) if version.retired_at is None), None)
    if holding is not None and holding.schema == schema:
        return Added(holding.version, holding.version, SchemaChanges(is_breaking=False, texts=[]), is_new=False)
    if holding is None and _count_events(session, project_id) >= MAX_EVENTS:
        raise InvalidSchemaError(f"The project has schemas for {MAX_EVENTS:,} events; retire one first.")
    number = versions[-1].version + 1 if versions else 1
    session.add(EventSchema(project_id=project_id, event=event, version=number, schema=schema))
    session.flush()
    if holding is None:
        return Added(number, None, SchemaChanges(is_breaking=False, texts=[]), is_new=True)
    return Added(number, holding.version, compare(holding.schema, schema), is_new=True)


def list_schemas(session: Session, project_id: int) -> list[EventSchema]:
    """Return every version of every schema of a project, by event and version."""
    ordered = select(EventSchema).order_by(EventSchema.event, EventSchema.version)
    return list(session.scalars(ordered.where(EventSchema.project_id == project_id)))


def find_schema(session: Session, project_id: int, event: str, version: int | None = None) -> EventSchema:
    """Return a version of an event's schema, the one that holds unless told; raise `UnknownSchemaError`."""
    versions = _versions(session, project_id, event)
    if version is None:
        found = next((each for each in reversed(versions) if each.retired_at is None), None)
    else:
        found = next((each for each in versions if each.version == version), None)
    if found is None:
        what = "no schema that holds" if version is None else f"no version {version} of a schema"
        raise UnknownSchemaError(f"Project {project_id} has {what} for {event!r}.")
    return found


def retire_schema(session: Session, project_id: int, event: str, version: int | None = None) -> list[int]:
    """Retire one version of an event's schema, or all of them; the latest that is left holds again.

    Returns the versions that were retired now; raises `UnknownSchemaError` when there are none.
    """
    statement = update(EventSchema).where(
        EventSchema.project_id == project_id, EventSchema.event == event, EventSchema.retired_at.is_(None)
    )
    if version is not None:
        statement = statement.where(EventSchema.version == version)
    retired = session.scalars(statement.values(retired_at=utc_now()).returning(EventSchema.version)).all()
    if not retired:
        what = "no schema" if version is None else f"no version {version} of a schema"
        raise UnknownSchemaError(f"Project {project_id} has {what} for {event!r} that is not retired.")
    return sorted(retired)


def current_schemas(session: Session, project_id: int | None = None) -> list[tuple[int, str, int, dict[str, Any]]]:
    """Return project, event, version and schema of each version that holds, of one project or of all."""
    statement = _holding(EventSchema.project_id, EventSchema.event, EventSchema.version, EventSchema.schema)
    if project_id is not None:
        statement = statement.where(EventSchema.project_id == project_id)
    return [tuple(row) for row in session.execute(statement).all()]


def _holding(*columns: Any) -> Any:
    return (
        select(*columns)
        .ext(distinct_on(EventSchema.project_id, EventSchema.event))
        .where(EventSchema.retired_at.is_(None))
        .order_by(EventSchema.project_id, EventSchema.event, EventSchema.version.desc())
    )


HOLDING = _holding(EventSchema.id, EventSchema.project_id, EventSchema.event, EventSchema.version).add_columns(
    cast(EventSchema.schema, Text).label("schema")
)
"""The versions that hold, with their schemas as text."""
STAMP = select(func.count(), func.max(EventSchema.id), func.count(EventSchema.retired_at))
"""A row that differs whenever a version was added or retired or a project deleted. Reads no schema."""


def _versions(session: Session, project_id: int, event: str) -> list[EventSchema]:
    ordered = select(EventSchema).order_by(EventSchema.version)
    return list(session.scalars(ordered.where(EventSchema.project_id == project_id, EventSchema.event == event)))


def _count_events(session: Session, project_id: int) -> int:
    statement = select(func.count(EventSchema.event.distinct()))
    return session.scalar(statement.where(EventSchema.project_id == project_id, EventSchema.retired_at.is_(None))) or 0

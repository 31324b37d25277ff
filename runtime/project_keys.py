"""A project with a key for writing and one for reading."""

import msgspec
from sqlalchemy.orm import Session

from core.metadata import ApiKey, Project, projects
from core.metadata.audit import Target, note_operation
from core.metadata.keys import find_key
from runtime.organisations import find_organisation
from runtime.transactions import in_transaction


class ProjectKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs to send events to a project and to read it back."""

    id: int
    name: str
    write_key: str
    api_key: str

    def __repr__(self) -> str:
        """Show no key."""
        return f"ProjectKeys(id={self.id}, name={self.name!r})"


def create_project(
    database_url: str,
    name: str,
    *,
    key_name: str,
    timezone: str = "UTC",
    organisation: int | None = None,
    allow_same_name: bool = True,
) -> ProjectKeys:
    """Store a new project with one write key and one API key, both named `key_name`.

    It belongs to the oldest organisation unless told.

    Raises `InvalidProjectError` for a name that another project has, unless that is allowed, and what
    `find_organisation` raises.
    """

    def make(session: Session) -> ProjectKeys:
        if not allow_same_name:
            projects.demand_new_name(session, name)
        where = find_organisation(session, organisation)
        made = projects.create_project(session, name, timezone=timezone, organisation_id=where.id)
        note_operation(session, made.id, "project.created", Target("project", made.id, {"name": made.name}))
        return ProjectKeys(
            id=made.id,
            name=made.name,
            write_key=note_key(session, projects.create_write_key(session, made.id, key_name), "created"),
            api_key=note_key(session, projects.create_api_key(session, made.id, key_name), "created"),
        )

    return in_transaction(database_url, make)


def note_key(session: Session, key: str, what: str) -> str:
    """Add the entry that a live key was created, changed, replaced or revoked to the audit log, and return the key."""
    found = find_key(session, key)
    kind = "api_key" if isinstance(found, ApiKey) else "write_key"
    note_operation(session, found.project_id, f"{kind}.{what}", Target(kind, found.id, {"name": found.name}))
    return key


def project_of_api_key(database_url: str, api_key: str) -> int | None:
    """Return the id of the project that a key reads, or None when the database doesn't know the key."""

    def look_up(session: Session) -> int | None:
        found = projects.find_project_by_api_key(session, api_key)
        return found.id if found is not None else None

    return in_transaction(database_url, look_up)


def project_exists(database_url: str, project_id: int) -> bool:
    """Say whether the database knows a project."""
    return in_transaction(database_url, lambda session: session.get(Project, project_id) is not None)


def owner_of_write_key(database_url: str, write_key: str) -> tuple[int, int] | None:
    """Return the ids of the project that a live key writes to and of the key itself, or None for any other key."""

    def look_up(session: Session) -> tuple[int, int] | None:
        found = projects.find_write_key(session, write_key)
        return (found.project_id, found.id) if found is not None else None

    return in_transaction(database_url, look_up)

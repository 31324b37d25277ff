"""Projects and their keys.

The functions take a blocking `Session`. From asyncio call the same ones with
`await async_session.run_sync(create_project, "Shop", timezone="Europe/Berlin")`.
None of them commits: the caller owns the transaction.
"""

import secrets
import string
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from zoneinfo import available_timezones

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.errors import RadixError
from core.metadata.models import ApiKey, Project, WriteKey
from core.metadata.organisations import first_organisation, random_token, token_hash
from core.metadata.permissions import READING, Permission

WRITE_KEY_PREFIX = "wk_"
API_KEY_PREFIX = "rk_"
_BASE62 = string.digits + string.ascii_letters
_API_KEY_SHOWN_CHARACTERS = 9
# The machine's own zone and the placeholder of an unset one: names of files, not of places.
_NOT_IN_CLICKHOUSE = frozenset({"localtime", "Factory"})


class InvalidProjectError(RadixError):
    """A project's settings make no sense."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_project"
    title: ClassVar[str] = "The project's settings are not valid"


def create_project(
    session: Session,
    name: str,
    *,
    timezone: str = "UTC",
    week_start: int = 1,
    session_gap_minutes: int = 30,
    organisation_id: int | None = None,
) -> Project:
    """Store a new project and return it with its id.

    `timezone` is an IANA name, `week_start` an ISO weekday (1 Monday … 7 Sunday). Without an organisation it belongs
    to the oldest one.
    Raises `InvalidProjectError` when one of the values makes no sense.
    """
    project = Project(organisation_id=first_organisation(session).id if organisation_id is None else organisation_id)
    change_project(
        project, name=name, timezone=timezone, week_start=week_start, session_gap_minutes=session_gap_minutes
    )
    session.add(project)
    session.flush()
    return project


def change_project(
    project: Project,
    *,
    name: str | None = None,
    timezone: str | None = None,
    week_start: int | None = None,
    session_gap_minutes: int | None = None,
) -> None:
    """Set what is given of a project; raises `InvalidProjectError`, and sets nothing, when a value makes no sense."""
    if name is not None and not name.strip():
        raise InvalidProjectError("A project needs a name.")
    if timezone is not None and timezone not in time_zones():
        raise InvalidProjectError(f"{timezone!r} is not an IANA time zone such as 'Europe/Berlin'.")
    if week_start is not None and week_start not in range(1, 8):
        raise InvalidProjectError(
            f"week_start is {week_start}; it must be an ISO weekday from 1 (Monday) to 7 (Sunday)."
        )
    if session_gap_minutes is not None and session_gap_minutes not in range(1, 24 * 60):
        raise InvalidProjectError(f"session_gap_minutes is {session_gap_minutes}; it must be between 1 and 1439.")
    project.name = project.name if name is None else name.strip()
    project.timezone = project.timezone if timezone is None else timezone
    project.week_start = project.week_start if week_start is None else week_start
    project.session_gap_minutes = project.session_gap_minutes if session_gap_minutes is None else session_gap_minutes


def demand_new_name(session: Session, name: str) -> None:
    """Raise `InvalidProjectError` when a project has this name already: people would take one for the other."""
    known = session.scalar(select(Project.id).where(Project.name == name.strip()))
    if known is not None:
        raise InvalidProjectError(f"Project {known} has the name {name.strip()!r} already.")


def time_zones() -> set[str]:
    """Return the IANA names that a project's time zone may have.

    Fewer than `ZoneInfo` opens (right/UTC, posix/UTC): a name that ClickHouse does not know would stop the model runs
    of all projects.
    """
    return available_timezones() - _NOT_IN_CLICKHOUSE


def list_projects(session: Session) -> list[Project]:
    """Return every project, oldest first."""
    return list(session.scalars(select(Project).order_by(Project.id)))


def create_write_key(session: Session, project_id: int, name: str) -> str:
    """Store a new write key of the project and return it: `wk_` and 32 base62 characters."""
    key = WRITE_KEY_PREFIX + "".join(secrets.choice(_BASE62) for _ in range(32))
    session.add(WriteKey(project_id=project_id, key=key, name=name))
    session.flush()
    return key


def revoke_write_key(session: Session, key: str) -> bool:
    """Stop a write key from being accepted, at the collectors within 3 s. False when no live key has that value."""
    statement = update(WriteKey).where(WriteKey.key == key, is_live(WriteKey)).values(revoked_at=utc_now())
    return session.execute(statement.returning(WriteKey.id)).first() is not None


def find_write_key(session: Session, key: str) -> WriteKey | None:
    """Return a live write key with its project's id, or None for an unknown or revoked one."""
    return session.scalars(select(WriteKey).where(WriteKey.key == key, is_live(WriteKey))).one_or_none()


def create_api_key(
    session: Session,
    project_id: int,
    name: str,
    *,
    scopes: Sequence[Permission] = READING,
    expires_at: datetime | None = None,
    created_by: int | None = None,
    lent_to: str | None = None,
) -> str:
    """Store the hash of a new API key and return the key itself, `rk_` and 40 base62 characters.

    This is the only moment at which the key can be read. `scopes` are what it may do, `created_by` is a user's id,
    `lent_to` the part of the installation that asks with it for a while.
    """
    key = random_token(API_KEY_PREFIX)
    record = ApiKey(
        project_id=project_id,
        name=name,
        key_hash=token_hash(key),
        prefix=key[:_API_KEY_SHOWN_CHARACTERS],
        scopes=list(scopes),
        expires_at=expires_at,
        created_by=created_by,
        lent_to=lent_to,
    )
    session.add(record)
    session.flush()
    return key


def revoke_api_key(session: Session, key: str) -> bool:
    """Stop an API key from being accepted. False when no live key has that value."""
    live = (ApiKey.key_hash == token_hash(key), is_live(ApiKey))
    statement = update(ApiKey).where(*live).values(revoked_at=utc_now())
    return session.execute(statement.returning(ApiKey.id)).first() is not None


def find_project_by_api_key(session: Session, key: str) -> Project | None:
    """Return the project that a live API key reads, or None for an unknown or revoked key."""
    statement = (
        select(Project)
        .join(ApiKey, ApiKey.project_id == Project.id)
        .where(ApiKey.key_hash == token_hash(key), is_live(ApiKey))
    )
    return session.scalars(statement).one_or_none()


def is_live(kind: type[WriteKey | ApiKey]) -> ColumnElement[bool]:
    """Return the condition under which a key is accepted; one that was replaced is for a while yet."""
    # Not now(), which is when the transaction began.
    now = func.clock_timestamp()
    lives = or_(kind.revoked_at.is_(None), kind.revoked_at > now)
    return and_(lives, or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now)) if kind is ApiKey else lives

"""Tables of the metadata database."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    DateTime,
    FetchedValue,
    ForeignKey,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Every model; constraints get names by one rule, so that a migration can address them."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {str: Text, datetime: DateTime(timezone=True)}


class OrganisationOwned:
    """What belongs to one organisation: `core.metadata.tenancy` shows it to nobody else."""

    organisation_id: Mapped[int] = mapped_column()


class ProjectOwned:
    """What belongs to one project, and so to its organisation."""

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))


class Project(OrganisationOwned, Base):
    """One row per project: the unit of isolation. Every event and every query belongs to exactly one."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("organisation_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str]
    timezone: Mapped[str] = mapped_column(server_default="UTC")
    """IANA zone in which days, weeks and months are cut."""
    week_start: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    """ISO weekday on which a week starts: 1 Monday … 7 Sunday."""
    session_gap_minutes: Mapped[int] = mapped_column(server_default="30")
    """A pause of this length or longer between two events of a person starts a new session."""
    collection_rules: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """What is done to its events at the collector: a `core.metadata.collection_rules.CollectionRules`."""
    hash_secret: Mapped[bytes] = mapped_column(LargeBinary, server_default=FetchedValue())
    """Key of the hashes that these rules ask for, 32 bytes. PostgreSQL makes it."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WriteKey(ProjectOwned, Base):
    """One row per key with which clients send events to a project. Not a secret: it stands in web pages."""

    __tablename__ = "write_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    """From this instant on it is refused; one that is replaced keeps working until then."""
    allowed_origins: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    """Origins of pages that may use it, as `https://shop.example`; empty for every page."""
    events_per_second: Mapped[int | None]
    """Most events a second; None: the project's rules say."""


class EventSchema(ProjectOwned, Base):
    """One row per version of what an event's properties must look like. The latest that is not retired holds."""

    __tablename__ = "event_schemas"
    __table_args__ = (UniqueConstraint("project_id", "event", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    event: Mapped[str]
    version: Mapped[int]
    schema: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """JSON Schema of the event's properties."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    retired_at: Mapped[datetime | None]


class ApiKey(ProjectOwned, Base):
    """One row per key that reads a project's data. A secret: only its SHA-256 is stored."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    """Hexadecimal SHA-256 of the whole key: 238 random bits need no salt and no slow hash."""
    prefix: Mapped[str]
    """The key's first characters, by which a person recognises it in a list."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=FetchedValue())
    """Which of the permissions it has; left out, all that read data."""
    expires_at: Mapped[datetime | None]
    created_by: Mapped[int | None]
    """User id of who made it, also after he deleted his account; None: it was made on the machine itself."""
    lent_to: Mapped[str | None]
    """Which part of the installation has it for a while, as `materialise`; None: it is for whoever it was made for."""

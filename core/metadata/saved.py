"""Tables of what people save: insights, cohorts, dashboards, annotations, folders, descriptions; and links to them.

All of it has one life: versions, a folder, a trash. So it is one table, told apart by `kind`; what a kind says of
itself is a document.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.metadata.models import Base, ProjectOwned


def _of_object(table: str, column: str) -> ForeignKeyConstraint:
    """Refer to an object of the same project: no row can mix two of them."""
    return ForeignKeyConstraint(
        ["project_id", column],
        ["saved_objects.project_id", "saved_objects.id"],
        name=f"fk_{table}_{column}_saved_objects",
        ondelete="CASCADE",
    )


class SavedObject(ProjectOwned, Base):
    """One row per thing that somebody saved, as it is now."""

    __tablename__ = "saved_objects"
    __table_args__ = (
        UniqueConstraint("project_id", "id", name="uq_saved_objects_project_id_id"),
        UniqueConstraint("project_id", "kind", "key", name="uq_saved_objects_project_id_kind_key"),
        Index("ix_saved_objects_project_id_kind", "project_id", "kind", "id"),
        CheckConstraint(
            "kind in ('insight', 'cohort', 'dashboard', 'annotation', 'folder', 'event', 'property')", name="kind"
        ),
        _of_object("saved_objects", "folder_id"),
        _of_object("saved_objects", "about_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    key: Mapped[str | None]
    """What there is one of: the event or the property that is described, the name of a cohort that is not deleted."""
    name: Mapped[str]
    """Of its content, like all below down to `version`: to look for it."""
    folder_id: Mapped[int | None]
    about_id: Mapped[int | None]
    """Of an annotation: the dashboard or insight that it is about; None: the project."""
    starts_at: Mapped[datetime | None]
    """Of an annotation: its instant, or the beginning of its range."""
    ends_at: Mapped[datetime | None]
    """Of an annotation: the end of its range, not included."""
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """What it says, in its kind's words."""
    version: Mapped[int]
    """Number of its version, from 1: who changes it says which one he saw."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    """As the audit log names him."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str]
    deleted_at: Mapped[datetime | None]
    """Since then it is in the trash."""
    deleted_by: Mapped[str | None]


class SavedVersion(ProjectOwned, Base):
    """One row per version of something saved, the present one too. Never changed."""

    __tablename__ = "saved_versions"
    __table_args__ = (_of_object("saved_versions", "object_id"),)

    object_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Which parts of the content differ from the version before."""
    restored_from: Mapped[int | None]
    """The version that was made by an edit and whose content this one has again."""
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_kind: Mapped[str]
    actor_id: Mapped[int | None]
    actor_name: Mapped[str]


class Favourite(ProjectOwned, Base):
    """One row per thing that a user wants at hand."""

    __tablename__ = "favourites"
    __table_args__ = (_of_object("favourites", "object_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    object_id: Mapped[int] = mapped_column(primary_key=True)


class SharedLink(ProjectOwned, Base):
    """One row per link by which whoever has it sees a dashboard or an insight. The link itself is kept nowhere."""

    __tablename__ = "shared_links"
    __table_args__ = (
        Index("ix_shared_links_project_id", "project_id", "id"),
        _of_object("shared_links", "object_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    object_id: Mapped[int]
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    """Is signed with the id: a number that is given out again after a restore makes no old link good."""
    password_hash: Mapped[str | None]
    """Argon2id in PHC's format; None: the link is enough."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

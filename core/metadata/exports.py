"""Exports that somebody asked for, and how far each of them is."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from core.metadata.models import Base, ProjectOwned

ACTIVE = ("waiting", "running")
"""States of an export that is still to be made."""


class Export(ProjectOwned, Base):
    """One row per export. Its file lies in the data directory until it expires or is deleted."""

    __tablename__ = "exports"
    __table_args__ = (
        CheckConstraint("kind in ('events', 'persons')", name="kind"),
        CheckConstraint("format in ('csv', 'ndjson', 'parquet')", name="format"),
        CheckConstraint(
            "state in ('waiting', 'running', 'done', 'failed', 'cancelled', 'expired', 'deleted')", name="state"
        ),
        CheckConstraint("(kind = 'events') = (range_start is not null and range_end is not null)", name="range"),
        Index("ix_exports_project_id", "project_id", "id"),
        Index("ix_exports_state", "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    format: Mapped[str]
    range_start: Mapped[datetime | None]
    """Of events: the first instant, included."""
    range_end: Mapped[datetime | None]
    """The last one, not included."""
    event: Mapped[str | None]
    """Of this name alone."""
    state: Mapped[str] = mapped_column(server_default="waiting")
    rows_total: Mapped[int | None] = mapped_column(BigInteger)
    """How many there were when it began."""
    rows_written: Mapped[int] = mapped_column(BigInteger, server_default="0")
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]
    """Why it failed, for whoever asked for it."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    """How often it was begun: anew after a process that worked on it ended."""
    heartbeat_at: Mapped[datetime | None]
    """When whoever works on it gave a sign of life last."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    actor_kind: Mapped[str]
    actor_id: Mapped[int | None]
    actor_name: Mapped[str]
    """Who asked for it, as the audit log names him."""

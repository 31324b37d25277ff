"""Exports of events and persons."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_STATES = "'waiting', 'running', 'done', 'failed', 'cancelled', 'expired'"
# As in 0003: where a session says which tenant it is of, it sees and takes no other rows.
_ORGANISATION = "nullif(current_setting('radixinsight.organisation_id', true), '')::integer"
_OF_PROJECT = f"{_ORGANISATION} is null or project_id in (select id from projects)"


def upgrade() -> None:
    """Create the table, closed to other tenants."""
    op.create_table(
        "exports",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("range_start", sa.DateTime(timezone=True)),
        sa.Column("range_end", sa.DateTime(timezone=True)),
        sa.Column("event", sa.Text),
        sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("rows_total", sa.BigInteger),
        sa.Column("rows_written", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Integer),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_exports_project_id_projects", ondelete="CASCADE"
        ),
        sa.CheckConstraint("kind in ('events', 'persons')", name="ck_exports_kind"),
        sa.CheckConstraint("format in ('csv', 'ndjson', 'parquet')", name="ck_exports_format"),
        sa.CheckConstraint(f"state in ({_STATES})", name="ck_exports_state"),
        sa.CheckConstraint(
            "(kind = 'events') = (range_start is not null and range_end is not null)", name="ck_exports_range"
        ),
    )
    op.create_index("ix_exports_project_id", "exports", ["project_id", "id"])
    op.create_index("ix_exports_state", "exports", ["state", "id"])
    op.execute("alter table exports enable row level security")
    op.execute("alter table exports force row level security")
    op.execute(f"create policy one_tenant on exports using ({_OF_PROJECT}) with check ({_OF_PROJECT})")


def downgrade() -> None:
    """Drop it; files that were made stay in the data directory until somebody removes them."""
    op.drop_table("exports")

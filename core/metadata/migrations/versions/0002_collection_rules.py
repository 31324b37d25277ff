"""What each project wants of its collector: rules for its events, origins and rates of its keys, event schemas."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the schemas' table; every project gets a secret of its own."""
    op.add_column("projects", sa.Column("collection_rules", JSONB, nullable=False, server_default="{}"))
    # Two random UUIDs: 244 random bits without an extension.
    random = sa.text("decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')")
    op.add_column("projects", sa.Column("hash_secret", sa.LargeBinary, nullable=False, server_default=random))
    op.add_column("write_keys", sa.Column("allowed_origins", ARRAY(sa.Text), nullable=False, server_default="{}"))
    op.add_column("write_keys", sa.Column("events_per_second", sa.Integer))
    op.create_table(
        "event_schemas",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("schema", JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_event_schemas"),
        sa.UniqueConstraint("project_id", "event", "version", name="uq_event_schemas_project_id"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_event_schemas_project_id_projects", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    """Drop them; the rules, secrets and schemas are gone."""
    op.drop_table("event_schemas")
    op.drop_column("write_keys", "events_per_second")
    op.drop_column("write_keys", "allowed_origins")
    op.drop_column("projects", "hash_secret")
    op.drop_column("projects", "collection_rules")

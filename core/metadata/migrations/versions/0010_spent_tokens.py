"""Tokens of sessions that were replaced, so that one of them ends its session however late it comes again."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_NOBODYS = "nullif(current_setting('radixinsight.organisation_id', true), '')::integer is null"


def upgrade() -> None:
    """Create the table. Of sessions that are open, tokens before the latest two are not known."""
    op.create_table(
        "spent_tokens",
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("session_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_spent_tokens"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_spent_tokens_session_id_sessions", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_spent_tokens_session_id", "spent_tokens", ["session_id"])
    op.execute("alter table spent_tokens enable row level security")
    op.execute("alter table spent_tokens force row level security")
    op.execute(f"create policy one_tenant on spent_tokens using ({_NOBODYS}) with check ({_NOBODYS})")


def downgrade() -> None:
    """Forget them: the latest two of each session are still known."""
    op.drop_table("spent_tokens")

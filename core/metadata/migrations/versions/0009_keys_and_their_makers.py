"""API keys whose maker has deleted his account, and keys that a part of the installation lends itself."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_MAKER = "fk_api_keys_created_by_users"


def upgrade() -> None:
    """Keep who made a key when his account is deleted, and tell keys that somebody made from those that are lent."""
    op.drop_constraint(_MAKER, "api_keys")
    op.add_column("api_keys", sa.Column("lent_to", sa.Text))


def downgrade() -> None:
    """Forget makers whose account is gone, and keys that are lent: nobody would end them."""
    op.execute("delete from api_keys where lent_to is not null")
    op.drop_column("api_keys", "lent_to")
    op.execute("update api_keys set created_by = null where created_by not in (select id from users)")
    op.create_foreign_key(_MAKER, "api_keys", "users", ["created_by"], ["id"], ondelete="SET NULL")

"""Exports whose file somebody deleted, told from those that have expired."""

from alembic import op

revision = "0008"
down_revision = "0007"

_CHECK = "ck_exports_state"
# Of the name that 0006 gives, as the naming convention made it.
_CHECK_BEFORE = "ck_exports_ck_exports_state"
_STATES = "state in ('waiting', 'running', 'done', 'failed', 'cancelled', 'expired'{})"
_DELETED = ", 'deleted'"


def upgrade() -> None:
    """Let exports be deleted; which of the expired ones were is not known any more."""
    op.drop_constraint(_CHECK_BEFORE, "exports")
    op.execute(f"alter table exports add constraint {_CHECK} check ({_STATES.format(_DELETED)})")


def downgrade() -> None:
    """Call those that were deleted expired, as they were called before."""
    op.drop_constraint(_CHECK, "exports")
    op.execute("update exports set state = 'expired' where state = 'deleted'")
    op.execute(f"alter table exports add constraint {_CHECK_BEFORE} check ({_STATES.format('')})")

"""Cohorts that people save."""

from alembic import op

revision = "0007"
down_revision = "0006"

# Its name is as the naming convention made it of the one that 0004 gives.
_CHECK = "ck_saved_objects_kind"
_KINDS = "kind in ('insight',{} 'dashboard', 'annotation', 'folder', 'event', 'property')"
_COHORT = " 'cohort',"


def upgrade() -> None:
    """Let cohorts be saved."""
    op.drop_constraint(_CHECK, "saved_objects")
    op.execute(f"alter table saved_objects add constraint {_CHECK} check ({_KINDS.format(_COHORT)})")


def downgrade() -> None:
    """Forget those that were; insights that name one are no longer answered."""
    op.drop_constraint(_CHECK, "saved_objects")
    op.execute("delete from saved_objects where kind = 'cohort'")
    op.execute(f"alter table saved_objects add constraint {_CHECK} check ({_KINDS.format('')})")

"""What people save, with its versions; favourites; links; grants for single dashboards."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0004"
down_revision = "0003"

_ORGANISATION = "nullif(current_setting('radixinsight.organisation_id', true), '')::integer"
# Which projects a session sees is said by the policy of `projects` itself.
_OF_PROJECT = f"{_ORGANISATION} is null or project_id in (select id from projects)"
_TABLES = ("saved_objects", "saved_versions", "favourites", "shared_links")
_KINDS = "kind in ('insight', 'dashboard', 'annotation', 'folder', 'event', 'property')"
# Its name is as the naming convention made it of the one that 0003 gives.
_ACTOR_CHECK = "ck_audit_log_ck_audit_log_actor_kind"
_LINK = ", 'link'"
_ACTORS = "actor_kind in ('user', 'api_key', 'operator'{})"


def upgrade() -> None:
    """Create the tables; whoever uses a link can stand in the audit log; a grant can be for one dashboard."""
    _create_objects()
    _create_versions()
    _create_favourites()
    _create_links()
    for table in _TABLES:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy one_tenant on {table} using ({_OF_PROJECT}) with check ({_OF_PROJECT})")
    op.drop_constraint(_ACTOR_CHECK, "audit_log")
    op.execute(f"alter table audit_log add constraint {_ACTOR_CHECK} check ({_ACTORS.format(_LINK)})")
    op.add_column("grants", sa.Column("dashboard_id", sa.Integer))
    op.create_foreign_key(
        "fk_grants_dashboard_id_saved_objects",
        "grants",
        "saved_objects",
        ["project_id", "dashboard_id"],
        ["project_id", "id"],
        ondelete="CASCADE",
    )
    for subject in ("user_id", "team_id"):
        op.drop_constraint(f"uq_grants_project_id_{subject}", "grants")
    op.create_unique_constraint(
        "uq_grants_subject",
        "grants",
        ["project_id", "dashboard_id", "user_id", "team_id"],
        postgresql_nulls_not_distinct=True,
    )


def downgrade() -> None:
    """Drop them: what was saved is gone, and so are grants for single dashboards; the audit log stays as it is."""
    op.drop_constraint("uq_grants_subject", "grants")
    op.execute("delete from grants where dashboard_id is not null")
    op.drop_constraint("fk_grants_dashboard_id_saved_objects", "grants")
    op.drop_column("grants", "dashboard_id")
    for subject in ("user_id", "team_id"):
        op.create_unique_constraint(f"uq_grants_project_id_{subject}", "grants", ["project_id", subject])
    op.drop_constraint(_ACTOR_CHECK, "audit_log")
    # Entries of links are kept, and no new ones are taken.
    op.execute(f"alter table audit_log add constraint {_ACTOR_CHECK} check ({_ACTORS.format('')}) not valid")
    for table in reversed(_TABLES):
        op.drop_table(table)


def _create_objects() -> None:
    op.create_table(
        "saved_objects",
        sa.Column("id", sa.Integer, nullable=False),
        _project(),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("folder_id", sa.Integer),
        sa.Column("about_id", sa.Integer),
        sa.Column("starts_at", sa.DateTime(timezone=True)),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.Column("content", JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _now("created_at"),
        sa.Column("created_by", sa.Text, nullable=False),
        _now("updated_at"),
        sa.Column("updated_by", sa.Text, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_by", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_saved_objects"),
        _of_project("saved_objects"),
        sa.UniqueConstraint("project_id", "id", name="uq_saved_objects_project_id_id"),
        sa.UniqueConstraint("project_id", "kind", "key", name="uq_saved_objects_project_id_kind_key"),
        sa.CheckConstraint(_KINDS, name="kind"),
        _of_object("saved_objects", "folder_id"),
        _of_object("saved_objects", "about_id"),
    )
    op.create_index("ix_saved_objects_project_id_kind", "saved_objects", ["project_id", "kind", "id"])


def _create_versions() -> None:
    op.create_table(
        "saved_versions",
        _project(),
        sa.Column("object_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("content", JSONB, nullable=False),
        sa.Column("changed", ARRAY(sa.Text), nullable=False),
        sa.Column("restored_from", sa.Integer),
        _now("at"),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Integer),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("object_id", "version", name="pk_saved_versions"),
        _of_project("saved_versions"),
        _of_object("saved_versions", "object_id"),
    )


def _create_favourites() -> None:
    op.create_table(
        "favourites",
        _project(),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("object_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "object_id", name="pk_favourites"),
        _of_project("favourites"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_favourites_user_id_users", ondelete="CASCADE"),
        _of_object("favourites", "object_id"),
    )


def _create_links() -> None:
    op.create_table(
        "shared_links",
        sa.Column("id", sa.Integer, nullable=False),
        _project(),
        sa.Column("object_id", sa.Integer, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("password_hash", sa.Text),
        _now("created_at"),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_shared_links"),
        _of_project("shared_links"),
        _of_object("shared_links", "object_id"),
    )
    op.create_index("ix_shared_links_project_id", "shared_links", ["project_id", "id"])


def _project() -> sa.Column[int]:
    return sa.Column("project_id", sa.Integer, nullable=False)


def _now(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _of_project(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["project_id"], ["projects.id"], name=f"fk_{table}_project_id_projects", ondelete="CASCADE"
    )


def _of_object(table: str, column: str) -> sa.ForeignKeyConstraint:
    """Refer to an object of the same project: no row can mix two of them."""
    return sa.ForeignKeyConstraint(
        ["project_id", column],
        ["saved_objects.project_id", "saved_objects.id"],
        name=f"fk_{table}_{column}_saved_objects",
        ondelete="CASCADE",
    )

"""Organisations, users and what they may do; what keys may do; the audit log."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"

_ROLES = ("owner", "admin", "analyst", "viewer")
# What every key could do before keys had scopes.
_READS = "{project:read,data:query,persons:read,data:export,sql:query}"


# Sessions of one tenant say which it is, see `core.metadata.tenancy`. Where nothing is said, every row is there.
_ORGANISATION = "nullif(current_setting('radixinsight.organisation_id', true), '')::integer"
_PROJECT = "nullif(current_setting('radixinsight.project_id', true), '')::integer"
_OWN = f"{_ORGANISATION} is null or organisation_id = {_ORGANISATION}"
_OWN_PROJECT = f"{_PROJECT} is null or project_id is null or project_id = {_PROJECT}"
_OF_PROJECT = f"{_ORGANISATION} is null or project_id in (select id from projects)"
_NOBODYS = f"{_ORGANISATION} is null"
_POLICIES = {
    "organisations": f"{_ORGANISATION} is null or id = {_ORGANISATION}",
    "users": f"{_ORGANISATION} is null or id in (select user_id from memberships)",
    "projects": f"({_OWN}) and ({_PROJECT} is null or id = {_PROJECT})",
    **dict.fromkeys(("roles", "memberships", "teams", "team_members", "invitations"), _OWN),
    **dict.fromkeys(("grants", "audit_log"), f"({_OWN}) and ({_OWN_PROJECT})"),
    **dict.fromkeys(("write_keys", "api_keys", "event_schemas"), _OF_PROJECT),
    **dict.fromkeys(("sessions", "email_tokens", "recovery_codes"), _NOBODYS),
}


def upgrade() -> None:
    """Create the tables. The projects that are there become those of a first organisation."""
    _create_organisations()
    _create_users()
    _create_access()
    _create_audit_log()
    for table, condition in _POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        # The role that owns the tables is the one that asks.
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy one_tenant on {table} using ({condition}) with check ({condition})")
    op.add_column("api_keys", sa.Column("scopes", ARRAY(sa.Text), nullable=False, server_default=_READS))
    op.add_column("api_keys", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.add_column("api_keys", sa.Column("created_by", sa.Integer))
    op.create_foreign_key(
        "fk_api_keys_created_by_users", "api_keys", "users", ["created_by"], ["id"], ondelete="SET NULL"
    )


def downgrade() -> None:
    """Drop them; accounts and the audit log are gone, projects and keys stay."""
    for table in _POLICIES:
        op.execute(f"drop policy one_tenant on {table}")
        op.execute(f"alter table {table} no force row level security")
        op.execute(f"alter table {table} disable row level security")
    op.drop_column("api_keys", "created_by")
    op.drop_column("api_keys", "expires_at")
    op.drop_column("api_keys", "scopes")
    op.drop_table("audit_log")
    op.execute("drop function refuse_change_of_audit_log")
    for table in ("grants", "team_members", "teams", "invitations", "memberships", "roles"):
        op.drop_table(table)
    for table in ("email_tokens", "sessions", "recovery_codes", "users"):
        op.drop_table(table)
    op.drop_constraint("uq_projects_organisation_id", "projects")
    op.drop_column("projects", "organisation_id")
    op.drop_table("organisations")


def _create_organisations() -> None:
    op.create_table(
        "organisations",
        _id(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("allowed_networks", ARRAY(sa.Text), nullable=False, server_default="{}"),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
    )
    op.execute("insert into organisations (name) values ('First organisation')")
    op.add_column("projects", sa.Column("organisation_id", sa.Integer))
    op.execute("update projects set organisation_id = (select id from organisations)")
    op.alter_column("projects", "organisation_id", nullable=False)
    op.create_foreign_key(
        "fk_projects_organisation_id_organisations", "projects", "organisations", ["organisation_id"], ["id"]
    )
    op.create_unique_constraint("uq_projects_organisation_id", "projects", ["organisation_id", "id"])


def _create_users() -> None:
    op.create_table(
        "users",
        _id(),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        _at("email_verified_at"),
        sa.Column("totp_secret", sa.LargeBinary),
        _at("totp_enabled_at"),
        sa.Column("totp_last_step", sa.BigInteger),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "recovery_codes",
        _id(),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("code_hash", sa.Text, nullable=False),
        _at("used_at"),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_codes"),
        sa.UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_user_id"),
        _of("recovery_codes", "user_id", "users"),
    )
    op.create_table(
        "sessions",
        _id(),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("previous_token_hash", sa.Text),
        _now("rotated_at"),
        _now("created_at"),
        _now("last_seen_at"),
        _at("expires_at", nullable=False),
        _at("revoked_at"),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("user_agent", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
        _of("sessions", "user_id", "users"),
        sa.CheckConstraint("kind in ('browser', 'program')", name="ck_sessions_kind"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_previous_token_hash", "sessions", ["previous_token_hash"])
    op.create_table(
        "email_tokens",
        _id(),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        _now("created_at"),
        _at("expires_at", nullable=False),
        _at("used_at"),
        sa.PrimaryKeyConstraint("id", name="pk_email_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_email_tokens_token_hash"),
        _of("email_tokens", "user_id", "users"),
        sa.CheckConstraint("purpose in ('verify', 'reset')", name="ck_email_tokens_purpose"),
    )
    op.create_index("ix_email_tokens_user_id", "email_tokens", ["user_id"])


def _create_access() -> None:
    op.create_table(
        "roles",
        _id(),
        _organisation(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("permissions", ARRAY(sa.Text)),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_roles_organisation_id"),
        sa.UniqueConstraint("organisation_id", "id", name="uq_roles_organisation_id_id"),
        _of("roles", "organisation_id", "organisations"),
    )
    for role in _ROLES:
        op.execute(f"insert into roles (organisation_id, name) select id, '{role}' from organisations")
    op.create_table(
        "memberships",
        _organisation(),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("role_id", sa.Integer),
        _now("created_at"),
        sa.PrimaryKeyConstraint("organisation_id", "user_id", name="pk_memberships"),
        _of("memberships", "organisation_id", "organisations"),
        _of("memberships", "user_id", "users"),
        _within("memberships", "role_id", "roles", ondelete=None),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    op.create_table(
        "teams",
        _id(),
        _organisation(),
        sa.Column("name", sa.Text, nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_teams_organisation_id"),
        sa.UniqueConstraint("organisation_id", "id", name="uq_teams_organisation_id_id"),
        _of("teams", "organisation_id", "organisations"),
    )
    op.create_table(
        "team_members",
        _organisation(),
        sa.Column("team_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("team_id", "user_id", name="pk_team_members"),
        _within("team_members", "team_id", "teams"),
        _within("team_members", "user_id", "memberships"),
    )
    op.create_index("ix_team_members_user_id", "team_members", ["user_id"])
    op.create_table(
        "grants",
        _id(),
        _organisation(),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("team_id", sa.Integer),
        sa.Column("role_id", sa.Integer, nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sa.UniqueConstraint("project_id", "user_id", name="uq_grants_project_id_user_id"),
        sa.UniqueConstraint("project_id", "team_id", name="uq_grants_project_id_team_id"),
        _within("grants", "project_id", "projects"),
        _within("grants", "user_id", "memberships"),
        _within("grants", "team_id", "teams"),
        _within("grants", "role_id", "roles", ondelete=None),
        sa.CheckConstraint("num_nonnulls(user_id, team_id) = 1", name="ck_grants_subject"),
    )
    op.create_table(
        "invitations",
        _id(),
        _organisation(),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("role_id", sa.Integer),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("is_mailed", sa.Boolean, nullable=False),
        sa.Column("invited_by", sa.Integer),
        _now("created_at"),
        _at("expires_at", nullable=False),
        _at("accepted_at"),
        _at("revoked_at"),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
        _of("invitations", "organisation_id", "organisations"),
        _within("invitations", "role_id", "roles", ondelete=None),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name="fk_invitations_invited_by_users", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_invitations_organisation_id", "invitations", ["organisation_id"])


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger, nullable=False),
        _organisation(),
        sa.Column("project_id", sa.Integer),
        _now("at"),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Integer),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target_kind", sa.Text),
        sa.Column("target_id", sa.Text),
        sa.Column("details", JSONB, nullable=False, server_default="{}"),
        sa.Column("address", sa.Text),
        sa.Column("user_agent", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        sa.CheckConstraint("actor_kind in ('user', 'api_key', 'operator')", name="ck_audit_log_actor_kind"),
    )
    op.create_index("ix_audit_log_organisation_id", "audit_log", ["organisation_id", "id"])
    op.execute(
        """
        create function refuse_change_of_audit_log() returns trigger language plpgsql as $$
        begin raise exception 'entries of the audit log are never changed'; end $$
        """
    )
    op.execute(
        "create trigger audit_log_is_kept before update or delete or truncate on audit_log "
        "for each statement execute function refuse_change_of_audit_log()"
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, nullable=False)


def _organisation() -> sa.Column[int]:
    return sa.Column("organisation_id", sa.Integer, nullable=False)


def _at(name: str, *, nullable: bool = True) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _of(table: str, column: str, referred: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{referred}.id"], name=f"fk_{table}_{column}_{referred}", ondelete="CASCADE"
    )


def _within(table: str, column: str, referred: str, ondelete: str | None = "CASCADE") -> sa.ForeignKeyConstraint:
    """Refer to a row of the same organisation: no row can mix two of them."""
    key = "user_id" if referred == "memberships" else "id"
    return sa.ForeignKeyConstraint(
        ["organisation_id", column],
        [f"{referred}.organisation_id", f"{referred}.{key}"],
        name=f"fk_{table}_{column}_{referred}",
        ondelete=ondelete,
    )

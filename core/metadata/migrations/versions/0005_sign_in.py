"""Identity providers of organisations, and which tokens of sessions have come back."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_TABLES = ("identity_providers", "email_domains", "identities", "pending_sign_ins")
_ORGANISATION = "nullif(current_setting('radixinsight.organisation_id', true), '')::integer"
_OWN = f"{_ORGANISATION} is null or organisation_id = {_ORGANISATION}"


def upgrade() -> None:
    """Create the tables. All sessions that are open were opened by a password."""
    op.add_column("organisations", sa.Column("demands_provider", sa.Boolean, nullable=False, server_default=sa.false()))
    _create_providers()
    _create_sign_ins()
    op.add_column("sessions", sa.Column("confirmed_at", sa.DateTime(timezone=True)))
    # Tokens of before count as seen: what they replaced ends the session, as it did.
    op.execute("update sessions set confirmed_at = rotated_at")
    op.add_column("sessions", sa.Column("provider_id", sa.Integer))
    op.create_foreign_key(
        "fk_sessions_provider_id_identity_providers",
        "sessions",
        "identity_providers",
        ["provider_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index("ix_sessions_provider_id", "sessions", ["provider_id"])
    for table in _TABLES:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(f"create policy one_tenant on {table} using ({_OWN}) with check ({_OWN})")


def downgrade() -> None:
    """Drop them, and end the sessions that a provider opened: they would be good for everything."""
    op.execute("delete from sessions where provider_id is not null")
    op.drop_column("sessions", "provider_id")
    op.drop_column("sessions", "confirmed_at")
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_column("organisations", "demands_provider")


def _create_providers() -> None:
    op.create_table(
        "identity_providers",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("client_secret", sa.LargeBinary),
        sa.Column("saml_metadata", sa.Text),
        sa.Column("admits_uninvited", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("role_id", sa.Integer),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_identity_providers"),
        sa.UniqueConstraint("organisation_id", "id", name="uq_identity_providers_organisation_id"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_identity_providers_organisation_id_name"),
        _organisation("identity_providers"),
        _within("identity_providers", "role_id", "roles", ondelete=None),
        sa.CheckConstraint("kind in ('oidc', 'saml')", name="ck_identity_providers_kind"),
        sa.CheckConstraint("(kind = 'oidc') = (client_id is not null)", name="ck_identity_providers_client"),
        sa.CheckConstraint("(kind = 'saml') = (saml_metadata is not null)", name="ck_identity_providers_saml_metadata"),
    )
    op.create_table(
        "email_domains",
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("organisation_id", sa.Integer, nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("domain", name="pk_email_domains"),
        _organisation("email_domains"),
    )
    op.create_index("ix_email_domains_organisation_id", "email_domains", ["organisation_id"])


def _create_sign_ins() -> None:
    op.create_table(
        "identities",
        sa.Column("provider_id", sa.Integer, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("provider_id", "subject", name="pk_identities"),
        sa.UniqueConstraint("provider_id", "user_id", name="uq_identities_provider_id"),
        _within("identities", "provider_id", "identity_providers"),
        _within("identities", "user_id", "memberships"),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
    op.create_table(
        "pending_sign_ins",
        sa.Column("state_hash", sa.Text, nullable=False),
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("browser_hash", sa.Text, nullable=False),
        sa.Column("provider_id", sa.Integer, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("code_verifier", sa.Text),
        sa.Column("return_to", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("email", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_pending_sign_ins"),
        _within("pending_sign_ins", "provider_id", "identity_providers"),
    )
    op.create_index("ix_pending_sign_ins_expires_at", "pending_sign_ins", ["expires_at"])


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _organisation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id"],
        ["organisations.id"],
        name=f"fk_{table}_organisation_id_organisations",
        ondelete="CASCADE",
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

"""Tables of accounts: organisations, users, what they may do, and who did what.

What belongs to one organisation says so in `organisation_id`, and refers to others of it by both: PostgreSQL itself
refuses a row that mixes two organisations.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.metadata.models import Base, OrganisationOwned
from core.metadata.permissions import BUILT_IN, Permission, known_permissions


def within(table: str, column: str, referred: str, ondelete: str | None = "CASCADE") -> ForeignKeyConstraint:
    """Refer to a row of the same organisation."""
    key = "user_id" if referred == "memberships" else "id"
    return ForeignKeyConstraint(
        ["organisation_id", column],
        [f"{referred}.organisation_id", f"{referred}.{key}"],
        name=f"fk_{table}_{column}_{referred}",
        ondelete=ondelete,
    )


class Organisation(Base):
    """One row per organisation: whose projects, members and rules are apart from those of all others."""

    __tablename__ = "organisations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    allowed_networks: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    """Networks from which it may be reached, as `192.0.2.0/24`; empty for any."""
    demands_provider: Mapped[bool] = mapped_column(server_default=false())
    """Members who are no owners see it only when one of its identity providers let them in."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class User(Base):
    """One row per person who signs in, whatever number of organisations he is a member of."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    """In lower case: nobody has two accounts that differ in nothing else."""
    name: Mapped[str]
    password_hash: Mapped[str | None]
    """Argon2id in PHC's format, with its salt and costs."""
    email_verified_at: Mapped[datetime | None]
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Encrypted with a key of the API's settings."""
    totp_enabled_at: Mapped[datetime | None]
    totp_last_step: Mapped[int | None] = mapped_column(BigInteger)
    """Time step of the last code that was accepted: none is accepted twice."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RecoveryCode(Base):
    """One row per code that stands in for a lost second factor, once. Only its SHA-256 is stored."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[str]
    used_at: Mapped[datetime | None]


class UserSession(Base):
    """One row per sign-in: of a browser, which holds a cookie, or of a program, which holds a refresh token."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("kind in ('browser', 'program')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of the token that holds now."""
    previous_token_hash: Mapped[str | None] = mapped_column(index=True)
    """That of the one before it, which requests under way may still carry."""
    rotated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]
    """When the token that holds now came back first: from then on nobody needs the one before it."""
    provider_id: Mapped[int | None] = mapped_column(ForeignKey("identity_providers.id", ondelete="CASCADE"), index=True)
    """Which identity provider let him in: the session is good for its organisation alone. None: the password did."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    address: Mapped[str]
    user_agent: Mapped[str]


class SpentToken(Base):
    """One row per token of a session that was in use and replaced; the latest of these the session has itself."""

    __tablename__ = "spent_tokens"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)


class EmailToken(Base):
    """One row per link that was mailed to prove an address or to set a new password. Works once."""

    __tablename__ = "email_tokens"
    __table_args__ = (CheckConstraint("purpose in ('verify', 'reset')", name="purpose"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str]
    email: Mapped[str]
    """The address that it proves: of no use after the user has another one."""
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Role(OrganisationOwned, Base):
    """One row per role of an organisation: the four that every one has, and those that it made itself."""

    __tablename__ = "roles"
    __table_args__ = (
        UniqueConstraint("organisation_id", "name"),
        UniqueConstraint("organisation_id", "id", name="uq_roles_organisation_id_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisations.id"], ondelete="CASCADE"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    permissions: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """None for owner, admin, analyst and viewer: what these may do stands in `core.metadata.permissions`."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def allowed(self) -> frozenset[Permission]:
        """Return what whoever has it may do."""
        return BUILT_IN.get(self.name, frozenset()) if self.permissions is None else known_permissions(self.permissions)


class Membership(OrganisationOwned, Base):
    """One row per member of an organisation, with the role that he has in all of its projects."""

    __tablename__ = "memberships"
    __table_args__ = (
        ForeignKeyConstraint(["organisation_id"], ["organisations.id"], ondelete="CASCADE"),
        within("memberships", "role_id", "roles", ondelete=None),
    )

    organisation_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role_id: Mapped[int | None]
    """None: only what he, or a team of his, was granted."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Team(OrganisationOwned, Base):
    """One row per team of an organisation: members who are granted the same."""

    __tablename__ = "teams"
    __table_args__ = (
        UniqueConstraint("organisation_id", "name"),
        UniqueConstraint("organisation_id", "id", name="uq_teams_organisation_id_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisations.id"], ondelete="CASCADE"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TeamMember(OrganisationOwned, Base):
    """One row per member of a team."""

    __tablename__ = "team_members"
    __table_args__ = (
        within("team_members", "team_id", "teams"),
        within("team_members", "user_id", "memberships"),
    )

    team_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True, index=True)


class Grant(OrganisationOwned, Base):
    """One row per role that a member or a team has in one project or dashboard, beside what he may do anyway."""

    __tablename__ = "grants"
    __table_args__ = (
        UniqueConstraint(
            "project_id",
            "dashboard_id",
            "user_id",
            "team_id",
            name="uq_grants_subject",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("num_nonnulls(user_id, team_id) = 1", name="subject"),
        within("grants", "project_id", "projects"),
        within("grants", "user_id", "memberships"),
        within("grants", "team_id", "teams"),
        within("grants", "role_id", "roles", ondelete=None),
        ForeignKeyConstraint(
            ["project_id", "dashboard_id"],
            ["saved_objects.project_id", "saved_objects.id"],
            name="fk_grants_dashboard_id_saved_objects",
            ondelete="CASCADE",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int]
    dashboard_id: Mapped[int | None]
    """The one dashboard of the project that it is for; None: all of the project."""
    user_id: Mapped[int | None]
    team_id: Mapped[int | None]
    role_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Invitation(OrganisationOwned, Base):
    """One row per person who was asked to join an organisation. Works once, and until it expires."""

    __tablename__ = "invitations"
    __table_args__ = (
        Index("ix_invitations_organisation_id", "organisation_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisations.id"], ondelete="CASCADE"),
        within("invitations", "role_id", "roles", ondelete=None),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    role_id: Mapped[int | None]
    token_hash: Mapped[str] = mapped_column(unique=True)
    is_mailed: Mapped[bool]
    """Its link went to the address and nowhere else: who has it has shown that the address is his."""
    invited_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEntry(OrganisationOwned, Base):
    """One row per change and per access to data. PostgreSQL refuses to change or delete it."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_organisation_id", "organisation_id", "id"),
        CheckConstraint("actor_kind in ('user', 'api_key', 'operator', 'link')", name="actor_kind"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    project_id: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_kind: Mapped[str]
    """`user`, `api_key`, `link` that was shared, or `operator`: whoever runs `radixinsight` on the machine."""
    actor_id: Mapped[int | None]
    actor_name: Mapped[str]
    """His e-mail address, or the key's first characters, as they were then."""
    action: Mapped[str]
    """What was done, as `member.removed` or `data.queried`."""
    target_kind: Mapped[str | None]
    target_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    address: Mapped[str | None]
    user_agent: Mapped[str | None]

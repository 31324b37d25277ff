"""Tables of signing in by an organisation's own identity provider: OpenID Connect or SAML 2.0."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.metadata.accounts import within
from core.metadata.models import Base, OrganisationOwned


class IdentityProvider(OrganisationOwned, Base):
    """One row per provider that tells an organisation who its members are."""

    __tablename__ = "identity_providers"
    __table_args__ = (
        UniqueConstraint("organisation_id", "id"),
        UniqueConstraint("organisation_id", "name", name="uq_identity_providers_organisation_id_name"),
        ForeignKeyConstraint(["organisation_id"], ["organisations.id"], ondelete="CASCADE"),
        CheckConstraint("kind in ('oidc', 'saml')", name="kind"),
        CheckConstraint("(kind = 'oidc') = (client_id is not null)", name="client"),
        CheckConstraint("(kind = 'saml') = (saml_metadata is not null)", name="saml_metadata"),
        within("identity_providers", "role_id", "roles", ondelete=None),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    issuer: Mapped[str]
    """Who it is: the issuer of OpenID Connect, or the entity id of SAML. Never changed: subjects are its own."""
    client_id: Mapped[str | None]
    client_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Encrypted with a key of the API's settings."""
    saml_metadata: Mapped[str | None]
    """Its metadata as XML: addresses, and certificates of what it signs."""
    admits_uninvited: Mapped[bool] = mapped_column(server_default=false())
    """Whoever it knows becomes a member; otherwise only who was invited."""
    role_id: Mapped[int | None]
    """What whoever was not invited becomes."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EmailDomain(OrganisationOwned, Base):
    """One row per domain of e-mail addresses that was given to an organisation: its providers speak for them."""

    __tablename__ = "email_domains"
    __table_args__ = (
        Index("ix_email_domains_organisation_id", "organisation_id"),
        ForeignKeyConstraint(["organisation_id"], ["organisations.id"], ondelete="CASCADE"),
    )

    domain: Mapped[str] = mapped_column(primary_key=True)
    """As `core.metadata.domains.normal_domain` writes it. No two organisations have the same."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Identity(OrganisationOwned, Base):
    """One row per member whom a provider knows: by which subject it names him."""

    __tablename__ = "identities"
    __table_args__ = (
        UniqueConstraint("provider_id", "user_id"),
        within("identities", "provider_id", "identity_providers"),
        within("identities", "user_id", "memberships"),
    )

    provider_id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PendingSignIn(OrganisationOwned, Base):
    """One row per visit to a provider that has not ended. Each is used once, by the browser that began it."""

    __tablename__ = "pending_sign_ins"
    __table_args__ = (within("pending_sign_ins", "provider_id", "identity_providers"),)

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of what comes back from the provider: `state`, or SAML's RelayState."""
    browser_hash: Mapped[str]
    """That of the cookie of the browser that began."""
    provider_id: Mapped[int]
    nonce: Mapped[str]
    """What the ID token repeats; of SAML the id of the request, which the answer names."""
    code_verifier: Mapped[str | None]
    """What proves that whoever fetches the token began the visit (RFC 7636)."""
    return_to: Mapped[str]
    """Path of our own page to go to afterwards."""
    subject: Mapped[str | None]
    """Of SAML: whom the provider named in an answer that was found good."""
    email: Mapped[str | None]
    name: Mapped[str | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)

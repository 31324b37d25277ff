"""Who somebody is whom a provider names, and whether that lets him in. Sessions are those of `Database.of_all`.

A provider speaks for addresses of the domains that its organisation was given, and for no others: nobody gets into an
account by a provider that merely claims its address.
"""

from collections import defaultdict

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Client
from api.access.service import is_live_session
from api.accounts.joining import OPEN, join, withdraw_invitations_by
from api.accounts.records import actor, note
from api.federation.claims import Claims
from api.federation.errors import NotAdmittedError
from core.clock import utc_now
from core.metadata import ApiKey, Project
from core.metadata.accounts import Invitation, Membership, RecoveryCode, User, UserSession
from core.metadata.audit import Target, entry
from core.metadata.domains import normal_domain
from core.metadata.identity import EmailDomain, Identity, IdentityProvider
from core.metadata.organisations import InvalidEmailError, InvalidNameError, checked_name, normal_email
from core.metadata.projects import is_live


async def admit(session: AsyncSession, provider: IdentityProvider, claims: Claims, client: Client) -> User:
    """Return the member whom a provider names: one of before, or one who joins now; raises `NotAdmittedError`."""
    known = select(Identity).where(Identity.provider_id == provider.id, Identity.subject == claims.subject)
    identity = (await session.scalars(known)).one_or_none()
    if identity is not None:
        user = await session.get_one(User, identity.user_id, with_for_update=True)
        await _demand_domain(session, provider, user.email)
        return user
    email = await _proven_email(session, provider, claims)
    found = select(User).where(User.email == email).with_for_update()
    user = (await session.scalars(found)).one_or_none()
    membership = None if user is None else await session.get(Membership, (provider.organisation_id, user.id))
    invitation = await _invitation(session, provider, email)
    if membership is None and invitation is None and not provider.admits_uninvited:
        raise NotAdmittedError(f"{email} is not invited: ask an owner of the organisation.")
    if user is None:
        user = User(email=email, name=_name(claims, email), email_verified_at=utc_now())
        session.add(user)
        await session.flush()
    elif user.email_verified_at is None:
        await _take_back(session, provider, user, client)
    if membership is None:
        await _join(session, provider, invitation, user, client)
    await _link(session, provider, claims, user, client)
    return user


async def _proven_email(session: AsyncSession, provider: IdentityProvider, claims: Claims) -> str:
    if claims.email is None:
        raise NotAdmittedError("The provider does not tell your e-mail address: it has to send the claim or attribute.")
    try:
        email = normal_email(claims.email)
    except InvalidEmailError as error:
        raise NotAdmittedError(f"What the provider tells is no e-mail address: {claims.email[:100]!r}.") from error
    if not claims.is_email_proven:
        raise NotAdmittedError(
            f"The provider does not say that {email[:320]} is yours: it has to send `email_verified` as true."
        )
    await _demand_domain(session, provider, email)
    return email


async def _demand_domain(session: AsyncSession, provider: IdentityProvider, email: str) -> None:
    domain = normal_domain(email.rpartition("@")[2])
    given = select(EmailDomain.domain).where(
        EmailDomain.domain == domain, EmailDomain.organisation_id == provider.organisation_id
    )
    if (await session.scalars(given)).one_or_none() is None:
        raise NotAdmittedError(
            f"The provider does not speak for addresses of {domain[:253]!r}: whoever runs the installation gives the "
            "domain to the organisation, by `radixinsight domains give`."
        )


async def _invitation(session: AsyncSession, provider: IdentityProvider, email: str) -> Invitation | None:
    """Return the latest open invitation of the organisation to an address."""
    live = (*OPEN, Invitation.expires_at > utc_now())
    mine = (Invitation.organisation_id == provider.organisation_id, Invitation.email == email)
    found = select(Invitation).where(*mine, *live).order_by(Invitation.id.desc()).limit(1).with_for_update()
    return (await session.scalars(found)).one_or_none()


async def _take_back(session: AsyncSession, provider: IdentityProvider, user: User, client: Client) -> None:
    """Give an account to whom its address belongs: whoever made it never proved that, and may wait for him in it.

    API keys are the projects' and stay; each organisation is told which of them whoever made them may know.
    """
    user.email_verified_at = utc_now()
    user.password_hash = user.totp_secret = user.totp_enabled_at = user.totp_last_step = None
    codes = update(RecoveryCode).where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    await session.execute(codes.values(used_at=utc_now()))
    by = actor(user, client)
    opened = update(UserSession).where(UserSession.user_id == user.id, is_live_session())
    for ended in await session.scalars(opened.values(revoked_at=utc_now()).returning(UserSession.id)):
        await note(session, by, "session.ended", Target("session", ended))
    await withdraw_invitations_by(session, [user.id], by)
    mine = select(Project.organisation_id, ApiKey.prefix).join(Project, ApiKey.project_id == Project.id)
    keys: defaultdict[int, list[str]] = defaultdict(list)
    for organisation_id, prefix in await session.execute(mine.where(ApiKey.created_by == user.id, is_live(ApiKey))):
        keys[organisation_id].append(prefix)
    memberships = select(Membership.organisation_id).where(Membership.user_id == user.id)
    for organisation_id in await session.scalars(memberships):
        said = Target("user", user.id, {"provider": provider.name, "keys_made_before": sorted(keys[organisation_id])})
        session.add(entry(by, "account.taken_back", said, organisation_id=organisation_id))
    await note(session, by, "email.verified")


async def _join(
    session: AsyncSession, provider: IdentityProvider, invitation: Invitation | None, user: User, client: Client
) -> None:
    if invitation is not None:
        await join(session, invitation, user, client)
        return
    joined = insert(Membership).values(
        organisation_id=provider.organisation_id, user_id=user.id, role_id=provider.role_id
    )
    await session.execute(joined.on_conflict_do_nothing())
    said = Target("member", user.id, {"provider": provider.name})
    session.add(entry(actor(user, client), "member.admitted", said, organisation_id=provider.organisation_id))


async def _link(session: AsyncSession, provider: IdentityProvider, claims: Claims, user: User, client: Client) -> None:
    """Know him by the provider's subject from now on; raises `NotAdmittedError` where another subject is him."""
    linked = insert(Identity).values(
        organisation_id=provider.organisation_id, provider_id=provider.id, subject=claims.subject, user_id=user.id
    )
    made = linked.on_conflict_do_nothing().returning(Identity.user_id)
    if (await session.execute(made)).first() is None:
        known = await session.get(Identity, (provider.id, claims.subject))
        if known is not None and known.user_id == user.id:
            # His other visit, at the same time, was first.
            return
        raise NotAdmittedError(
            f"{user.email} is somebody else at the provider. If the address has another owner now, remove the member "
            "and invite him anew."
        )
    said = Target("member", user.id, {"provider": provider.name})
    session.add(entry(actor(user, client), "identity.linked", said, organisation_id=provider.organisation_id))


def _name(claims: Claims, email: str) -> str:
    try:
        return checked_name(claims.name or email)
    except InvalidNameError:
        return email.partition("@")[0][:200]

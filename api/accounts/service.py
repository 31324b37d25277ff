"""Accounts: signing up by invitation, signing in, changing a name, and leaving for good."""

from collections.abc import Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.errors import SessionEndedError
from api.access.principals import Client, UserPrincipal
from api.access.rights import hold_rights_of
from api.access.service import Access
from api.accounts import mails
from api.accounts.attempts import Attempts
from api.accounts.devices import is_device_of
from api.accounts.errors import AccountExistsError, LinkInvalidError, OnlyOwnerError, SignInFailedError
from api.accounts.joining import find_invitation, join, withdraw_invitations_by
from api.accounts.links import make_link
from api.accounts.passwords import Passwords
from api.accounts.proof import Proof, unchanged
from api.accounts.records import actor, note
from api.accounts.second_factor import CodeInvalidError, SecondFactors
from api.accounts.secrets import Secrets
from api.accounts.sessions import Opened, Sessions
from api.audit.trail import Trail
from api.mail.outbox import Outbox
from core.clock import utc_now
from core.metadata.accounts import Invitation, Membership, Organisation, Role, User
from core.metadata.audit import Target
from core.metadata.organisations import checked_name, is_owner, known_form
from core.metadata.tenancy import Database


class Accounts:
    """What people do with their own accounts. Methods raise `UnavailableError` without PostgreSQL."""

    def __init__(
        self,
        *,
        public_url: str,
        database: Database,
        access: Access,
        sessions: Sessions,
        factors: SecondFactors,
        passwords: Passwords,
        attempts: Attempts,
        secrets: Secrets,
        outbox: Outbox,
        trail: Trail,
        proof: Proof,
    ) -> None:
        self._public_url = public_url
        self._database = database
        self._access = access
        self._sessions = sessions
        self._factors = factors
        self._passwords = passwords
        self._attempts = attempts
        self._secrets = secrets
        self._outbox = outbox
        self._trail = trail
        self._proof = proof

    async def invitation(self, token: str, client: Client) -> tuple[Invitation, str]:
        """Return a live invitation and the name of its organisation; raises `LinkInvalidError`."""
        await self._attempts.link(client)
        async with self._database.of_all() as session:
            invitation = await find_invitation(session, token)
            organisation = await session.get_one(Organisation, invitation.organisation_id)
            return invitation, organisation.name

    async def sign_up(self, token: str, name: str, password: str, client: Client) -> Opened:
        """Make the account of whoever was invited, and open a session of a browser for him.

        Raises `LinkInvalidError`, `AccountExistsError`, `PasswordTooWeakError` or `InvalidNameError`.
        """
        await self._attempts.link(client)
        name = checked_name(name)
        async with self._database.of_all() as session:
            email = (await find_invitation(session, token)).email
        await self._passwords.check(password, name, email)
        hashed = await self._passwords.hashed(password)
        try:
            async with self._database.of_all() as session:
                invitation = await find_invitation(session, token, lock=True)
                verified_at = utc_now() if invitation.is_mailed else None
                user = User(email=email, name=name, password_hash=hashed, email_verified_at=verified_at)
                session.add(user)
                await session.flush()
                await join(session, invitation, user, client)
                opened = await self._sessions.open(session, user, client)
                mail = None if invitation.is_mailed else await make_link(session, self._public_url, user, "verify")
        except IntegrityError as error:
            raise AccountExistsError from error
        if mail is not None:
            self._outbox.send_soon(mails.verification(email, mail))
        return opened

    async def accept(self, principal: UserPrincipal, token: str, client: Client) -> int:
        """Let somebody who has an account join; returns the organisation's id. Raises `LinkInvalidError`."""
        await self._attempts.link(client)
        async with self._database.of_all() as session:
            invitation = await find_invitation(session, token, lock=True)
            user = await session.get_one(User, principal.user_id)
            if invitation.email != user.email:
                raise LinkInvalidError
            await join(session, invitation, user, client)
        self._access.forget()
        return invitation.organisation_id

    async def sign_in(
        self,
        email: str,
        password: str,
        code: str | None,
        client: Client,
        *,
        device: str | None = None,
        is_program: bool = False,
    ) -> Opened:
        """Open a session for whoever knows the password, and has the second factor where there is one.

        `device` is what a browser was given, if it was, when somebody signed in with it before.
        Raises `SignInFailedError`, `SecondFactorNeededError`, `CodeInvalidError` or `TooManyAttemptsError`.
        """
        email = known_form(email)
        async with self._database.of_all() as session:
            user = (await session.scalars(select(User).where(User.email == email))).one_or_none()
            memberships = (await session.scalars(_memberships_of(email))).all()
        if device is not None and (user is None or not is_device_of(self._secrets, device, user)):
            device = None
        await self._attempts.sign_in(email, client, device)
        stored = None if user is None else user.password_hash
        if not await self._passwords.is_right(password, stored) or user is None or stored is None:
            self._note_refusal(user, memberships, client)
            raise SignInFailedError
        renewed = await self._passwords.hashed(password) if self._passwords.is_outdated(stored) else None
        async with self._database.of_all() as session:
            user = await session.get_one(User, user.id, with_for_update=True)
            if user.password_hash != stored:
                raise SignInFailedError
            try:
                await self._factors.demand(session, user, code, is_known=device is not None)
            except CodeInvalidError:
                self._note_refusal(user, memberships, client)
                raise
            user.password_hash = renewed or stored
            opened = await self._sessions.open(session, user, client, is_program=is_program)
            await note(session, actor(user, client), "session.opened", Target("session", opened.session_id))
        await self._attempts.signed_in(email, client, device)
        return opened

    async def me(self, principal: UserPrincipal) -> User:
        """Return somebody's own account."""
        async with self._database.of_all() as session:
            found = await session.get(User, principal.user_id)
        if found is None:
            raise SessionEndedError
        return found

    async def rename(self, principal: UserPrincipal, name: str, client: Client) -> None:
        """Call somebody something else; raises `InvalidNameError`."""
        name = checked_name(name)
        async with self._database.of_all() as session:
            user = await session.get_one(User, principal.user_id, with_for_update=True)
            if user.name == name:
                return
            said = Target("user", user.id, {"before": user.name, "after": name})
            user.name = name
            await note(session, principal.actor(client), "user.renamed", said)
        self._access.forget()

    async def delete(self, principal: UserPrincipal, password: str, code: str | None, client: Client) -> None:
        """Delete somebody's own account, with its memberships and sessions; the audit log keeps what it says of him.

        Raises `OnlyOwnerError`, and `SignInFailedError`, `SecondFactorNeededError` or `CodeInvalidError`.
        """
        checked = await self._proof.demand(principal, password)
        # Codes are counted in Valkey: the organisations' rights are not held while that is asked.
        async with self._database.of_all() as session:
            user = await unchanged(session, principal, checked)
            await self._factors.demand(session, user, code, is_known=True)
            await _demand_other_owners(session, user.id)
        async with self._database.of_all() as session:
            await hold_rights_of(session, principal.user_id)
            user = await unchanged(session, principal, checked)
            await _demand_other_owners(session, user.id)
            await withdraw_invitations_by(session, [user.id], principal.actor(client))
            await note(session, principal.actor(client), "user.deleted", Target("user", user.id))
            await session.delete(user)
        self._access.forget()
        self._outbox.send_soon(mails.account_deleted(principal.email))

    def _note_refusal(self, user: User | None, memberships: Sequence[int], client: Client) -> None:
        """Note that somebody was not let in; it takes no time, which would tell that there is such an account."""
        if user is None:
            return
        for organisation_id in memberships:
            self._trail.note(actor(user, client), "session.refused", {}, organisation_id=organisation_id)


def _memberships_of(email: str) -> Select[int]:
    members = select(Membership.organisation_id).join(User, Membership.user_id == User.id)
    return members.where(User.email == email)


async def _demand_other_owners(session: AsyncSession, user_id: int) -> None:
    """Raise `OnlyOwnerError` where somebody is the only owner; two who leave at once waited for each other."""
    owned = select(Membership.organisation_id).join(Role, Membership.role_id == Role.id).where(is_owner())
    mine = (await session.scalars(owned.where(Membership.user_id == user_id))).all()
    counted = owned.where(Membership.organisation_id.in_(mine)).group_by(Membership.organisation_id)
    alone = (await session.scalars(counted.having(func.count() == 1))).first()
    if alone is not None:
        raise OnlyOwnerError(alone)

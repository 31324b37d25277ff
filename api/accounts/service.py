"""Accounts: signing up by invitation, signing in, passwords and proof of addresses."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Client, UserPrincipal
from api.access.service import Access, is_live_session
from api.accounts import mails
from api.accounts.attempts import Attempts
from api.accounts.passwords import Passwords, check_password
from api.accounts.records import note
from api.accounts.second_factor import CodeInvalidError, Offered, SecondFactors
from api.accounts.sessions import Opened, Sessions
from api.audit.trail import Trail
from api.errors import SessionEndedError
from api.mail.outbox import Outbox
from core.clock import utc_now
from core.errors import RadixError
from core.metadata.accounts import EmailToken, Invitation, Membership, Organisation, User, UserSession
from core.metadata.audit import Actor, Target, entry
from core.metadata.organisations import InvalidEmailError, checked_name, normal_email, random_token, token_hash
from core.metadata.tenancy import Database

_TOKEN_PREFIX = "rm_"  # noqa: S105 - what tells the kind of a token
_LIVES = {"verify": timedelta(days=1), "reset": timedelta(hours=1)}


class SignInFailedError(RadixError):
    """The address is unknown or the password wrong; which of them is not said."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "sign_in_failed"
    title: ClassVar[str] = "Signing in failed"

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong.")


class LinkInvalidError(RadixError):
    """The token of a link is unknown, was used, has expired, or is meant for somebody else."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "link_invalid"
    title: ClassVar[str] = "The link is not valid"

    def __init__(self) -> None:
        super().__init__("The link was used already, has expired, or is not meant for this account. Ask for a new one.")


class AccountExistsError(RadixError):
    """Whoever was invited has an account."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "account_exists"
    title: ClassVar[str] = "There is an account already"

    def __init__(self) -> None:
        super().__init__("Sign in with this address, then send the invitation to POST /v1/invitations/accept.")


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
        outbox: Outbox,
        trail: Trail,
    ) -> None:
        self._public_url = public_url
        self._database = database
        self._access = access
        self._sessions = sessions
        self._factors = factors
        self._passwords = passwords
        self._attempts = attempts
        self._outbox = outbox
        self._trail = trail

    async def invitation(self, token: str, client: Client) -> tuple[Invitation, str]:
        """Return a live invitation and the name of its organisation; raises `LinkInvalidError`."""
        await self._attempts.link(client)
        async with self._database.of_all() as session:
            invitation = await _invitation(session, token)
            organisation = await session.get_one(Organisation, invitation.organisation_id)
            return invitation, organisation.name

    async def sign_up(self, token: str, name: str, password: str, client: Client) -> Opened:
        """Make the account of whoever was invited, and open a session of a browser for him.

        Raises `LinkInvalidError`, `AccountExistsError`, `PasswordTooWeakError` or `InvalidNameError`.
        """
        await self._attempts.link(client)
        name = checked_name(name)
        async with self._database.of_all() as session:
            email = (await _invitation(session, token)).email
        check_password(password, name, email)
        hashed = await self._passwords.hashed(password)
        try:
            async with self._database.of_all() as session:
                invitation = await _invitation(session, token, lock=True)
                verified_at = utc_now() if invitation.is_mailed else None
                user = User(email=email, name=name, password_hash=hashed, email_verified_at=verified_at)
                session.add(user)
                await session.flush()
                await _join(session, invitation, user, client)
                opened = await self._sessions.open(session, user, client, is_program=False)
                mail = None if invitation.is_mailed else await self._link(session, user, "verify")
        except IntegrityError as error:
            raise AccountExistsError from error
        if mail is not None:
            self._outbox.send_soon(mails.verification(email, mail))
        return opened

    async def accept(self, principal: UserPrincipal, token: str, client: Client) -> int:
        """Let somebody who has an account join; returns the organisation's id. Raises `LinkInvalidError`."""
        await self._attempts.link(client)
        async with self._database.of_all() as session:
            invitation = await _invitation(session, token, lock=True)
            user = await session.get_one(User, principal.user_id)
            if invitation.email != user.email:
                raise LinkInvalidError
            await _join(session, invitation, user, client)
        self._access.forget()
        return invitation.organisation_id

    async def sign_in(
        self, email: str, password: str, code: str | None, client: Client, *, is_program: bool = False
    ) -> Opened:
        """Open a session for whoever knows the password, and has the second factor where there is one.

        Raises `SignInFailedError`, `SecondFactorNeededError`, `CodeInvalidError` or `TooManyAttemptsError`.
        """
        email = _known_form(email)
        await self._attempts.sign_in(email, client)
        async with self._database.of_all() as session:
            user = (await session.scalars(select(User).where(User.email == email))).one_or_none()
            memberships = (await session.scalars(_memberships_of(email))).all()
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
                await self._factors.demand(session, user, code)
            except CodeInvalidError:
                self._note_refusal(user, memberships, client)
                raise
            user.password_hash = renewed or stored
            opened = await self._sessions.open(session, user, client, is_program=is_program)
            await note(session, _actor(user, client), "session.opened", Target("session", opened.session_id))
        await self._attempts.signed_in(email, client)
        return opened

    async def change_password(self, principal: UserPrincipal, current: str, new: str, client: Client) -> None:
        """Set another password, and end all other sessions; raises `SignInFailedError` or `PasswordTooWeakError`."""
        checked = await self._demand_password(principal, current)
        check_password(new, principal.name, principal.email)
        hashed = await self._passwords.hashed(new)
        async with self._database.of_all() as session:
            user = await _unchanged(session, principal, checked)
            await self._set_password(session, user, hashed, client, keep=principal.session_id)
        self._access.forget()
        self._outbox.send_soon(mails.password_changed(principal.email))

    async def request_reset(self, email: str, client: Client) -> None:
        """Mail a link for a new password, if there is such an account; nobody learns whether there is."""
        email = _known_form(email)
        await self._attempts.mail(email, client)
        async with self._database.of_all() as session:
            user = (await session.scalars(select(User).where(User.email == email))).one_or_none()
            link = None if user is None else await self._link(session, user, "reset")
        if user is not None and link is not None:
            self._outbox.send_soon(mails.password_reset(user.email, link))

    async def reset_password(self, token: str, password: str, client: Client) -> None:
        """Set a new password by a mailed link, and end all sessions. A second factor stays.

        Raises `LinkInvalidError` or `PasswordTooWeakError`, which leaves the link as it is.
        """
        await self._attempts.link(client)
        async with self._database.of_all() as session:
            user = await _user_of(session, token, "reset", use=False)
        check_password(password, user.name, user.email)
        hashed = await self._passwords.hashed(password)
        async with self._database.of_all() as session:
            user = await _user_of(session, token, "reset", use=True)
            user.email_verified_at = user.email_verified_at or utc_now()
            await self._set_password(session, user, hashed, client, keep=None)
        self._access.forget()
        self._outbox.send_soon(mails.password_changed(user.email))

    async def request_verification(self, principal: UserPrincipal, client: Client) -> None:
        """Mail a link that shows that the address is somebody's own; raises `MailUnavailableError`."""
        await self._attempts.mail(principal.email, client)
        async with self._database.of_all() as session:
            user = await session.get_one(User, principal.user_id)
            link = None if user.email_verified_at else await self._link(session, user, "verify")
        if link is not None:
            await self._outbox.send(mails.verification(user.email, link))

    async def verify(self, token: str, client: Client) -> None:
        """Note that an address is somebody's own; raises `LinkInvalidError`."""
        await self._attempts.link(client)
        async with self._database.of_all() as session:
            user = await _user_of(session, token, "verify", use=True)
            user.email_verified_at = utc_now()
            await note(session, _actor(user, client), "email.verified")

    async def me(self, principal: UserPrincipal) -> User:
        """Return somebody's own account."""
        async with self._database.of_all() as session:
            found = await session.get(User, principal.user_id)
        if found is None:
            raise SessionEndedError
        return found

    async def rename(self, principal: UserPrincipal, name: str) -> None:
        """Call somebody something else; raises `InvalidNameError`."""
        async with self._database.of_all() as session:
            await session.execute(update(User).where(User.id == principal.user_id).values(name=checked_name(name)))
        self._access.forget()

    async def offer_factor(self, principal: UserPrincipal, password: str) -> Offered:
        """Give somebody the secret of a new second factor; raises `SignInFailedError` or `SecondFactorStateError`."""
        checked = await self._demand_password(principal, password)
        async with self._database.of_all() as session:
            return self._factors.offer(await _unchanged(session, principal, checked))

    async def enable_factor(self, principal: UserPrincipal, code: str, client: Client) -> list[str]:
        """Make it count, end all other sessions, and return the recovery codes; raises `CodeInvalidError`."""
        await self._attempts.check_code(principal.user_id)
        async with self._database.of_all() as session:
            user = await session.get_one(User, principal.user_id, with_for_update=True)
            codes = await self._factors.enable(session, user, code)
            await self._sessions.end_others(session, user.id, principal.session_id)
            await note(session, principal.actor(client), "second_factor.enabled")
        self._access.forget()
        return codes

    async def renew_recovery_codes(
        self, principal: UserPrincipal, password: str, code: str, client: Client
    ) -> list[str]:
        """Replace the recovery codes; raises `SignInFailedError`, `CodeInvalidError` or `SecondFactorStateError`."""
        checked = await self._demand_password(principal, password)
        async with self._database.of_all() as session:
            user = await _unchanged(session, principal, checked)
            self._factors.demand_enabled(user)
            await self._factors.demand(session, user, code)
            await note(session, principal.actor(client), "recovery_codes.renewed")
            return await self._factors.renew_recovery_codes(session, user)

    async def disable_factor(self, principal: UserPrincipal, password: str, code: str, client: Client) -> None:
        """Take the second factor away; raises as `renew_recovery_codes` does."""
        checked = await self._demand_password(principal, password)
        async with self._database.of_all() as session:
            user = await _unchanged(session, principal, checked)
            self._factors.demand_enabled(user)
            await self._factors.demand(session, user, code)
            await self._factors.disable(session, user)
            await note(session, principal.actor(client), "second_factor.disabled")

    async def _demand_password(self, principal: UserPrincipal, password: str) -> str:
        """Return the hash that a password was compared with; raises `SignInFailedError`."""
        await self._attempts.check_code(principal.user_id)
        stored = (await self.me(principal)).password_hash
        if not await self._passwords.is_right(password, stored) or stored is None:
            raise SignInFailedError
        return stored

    async def _set_password(
        self, session: AsyncSession, user: User, hashed: str, client: Client, *, keep: int | None
    ) -> None:
        user.password_hash = hashed
        pending = (EmailToken.user_id == user.id, EmailToken.purpose == "reset", EmailToken.used_at.is_(None))
        await session.execute(update(EmailToken).where(*pending).values(used_at=utc_now()))
        await self._sessions.end_others(session, user.id, keep)
        await note(session, _actor(user, client), "password.changed")

    def _note_refusal(self, user: User | None, memberships: Sequence[int], client: Client) -> None:
        """Note that somebody was not let in; it takes no time, which would tell that there is such an account."""
        if user is None:
            return
        for organisation_id in memberships:
            self._trail.note(_actor(user, client), "session.refused", {}, organisation_id=organisation_id)

    async def _link(self, session: AsyncSession, user: User, purpose: str) -> str:
        token = random_token(_TOKEN_PREFIX)
        expires_at = utc_now() + _LIVES[purpose]
        kept = {"user_id": user.id, "purpose": purpose, "email": user.email, "token_hash": token_hash(token)}
        await session.execute(insert(EmailToken).values(**kept, expires_at=expires_at))
        return f"{self._public_url}/#{'verify-email' if purpose == 'verify' else 'reset-password'}={token}"


def _memberships_of(email: str) -> Select[int]:
    members = select(Membership.organisation_id).join(User, Membership.user_id == User.id)
    return members.where(User.email == email)


async def _unchanged(session: AsyncSession, principal: UserPrincipal, checked: str) -> User:
    """Return somebody's account as long as what he proved himself by holds: the password, and the session.

    Comparing takes a while, in which the owner may have taken both from whoever asks.
    """
    user = await session.get_one(User, principal.user_id, with_for_update=True)
    opened = select(UserSession.id).where(UserSession.id == principal.session_id, is_live_session())
    if user.password_hash != checked or (await session.scalars(opened)).one_or_none() is None:
        raise SessionEndedError
    return user


def _known_form(email: str) -> str:
    """Return an address as accounts have it; one that is none is nobody's."""
    try:
        return normal_email(email.strip())
    except InvalidEmailError:
        return email.strip().lower()


def _actor(user: User, client: Client) -> Actor:
    return Actor("user", user.id, user.email, client.address, client.user_agent)


async def _invitation(session: AsyncSession, token: str, *, lock: bool = False) -> Invitation:
    """Return the live invitation of a token; raises `LinkInvalidError`."""
    live = (Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None), Invitation.expires_at > utc_now())
    statement = select(Invitation).where(Invitation.token_hash == token_hash(token), *live)
    found = (await session.scalars(statement.with_for_update() if lock else statement)).one_or_none()
    if found is None:
        raise LinkInvalidError
    return found


async def _join(session: AsyncSession, invitation: Invitation, user: User, client: Client) -> None:
    """Make somebody a member; whoever is one already keeps the role that he has."""
    invitation.accepted_at = utc_now()
    joined = insert(Membership).values(
        organisation_id=invitation.organisation_id, user_id=user.id, role_id=invitation.role_id
    )
    await session.execute(joined.on_conflict_do_nothing())
    # An accepted invitation keeps no role, which could not be deleted otherwise.
    invitation.role_id = None
    said = Target("invitation", invitation.id)
    session.add(entry(_actor(user, client), "invitation.accepted", said, organisation_id=invitation.organisation_id))


async def _user_of(session: AsyncSession, token: str, purpose: str, *, use: bool) -> User:
    """Return whom a mailed link is for, as long as the address is his; raises `LinkInvalidError`."""
    live = (EmailToken.purpose == purpose, EmailToken.used_at.is_(None), EmailToken.expires_at > utc_now())
    statement = select(EmailToken).where(EmailToken.token_hash == token_hash(token), *live).with_for_update()
    found = (await session.scalars(statement)).one_or_none()
    user = None if found is None else await session.get_one(User, found.user_id, with_for_update=True)
    if found is None or user is None or user.email != found.email:
        raise LinkInvalidError
    if use:
        found.used_at = utc_now()
    return user

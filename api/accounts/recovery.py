"""New passwords, and proof that an address is somebody's own."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.principals import Client, UserPrincipal
from api.access.service import Access
from api.accounts import mails
from api.accounts.attempts import Attempts
from api.accounts.devices import device_token
from api.accounts.links import make_link, user_of_link
from api.accounts.passwords import Passwords
from api.accounts.proof import Proof, unchanged
from api.accounts.records import actor, note
from api.accounts.secrets import Secrets
from api.accounts.sessions import Sessions
from api.mail.outbox import Outbox
from core.clock import utc_now
from core.metadata.accounts import EmailToken, User
from core.metadata.organisations import known_form
from core.metadata.tenancy import Database


class Recovery:
    """What people do when they change a password, or have none that they know. Raises `UnavailableError`."""

    def __init__(
        self,
        *,
        public_url: str,
        database: Database,
        access: Access,
        sessions: Sessions,
        passwords: Passwords,
        attempts: Attempts,
        secrets: Secrets,
        outbox: Outbox,
        proof: Proof,
    ) -> None:
        self._public_url = public_url
        self._database = database
        self._access = access
        self._sessions = sessions
        self._passwords = passwords
        self._attempts = attempts
        self._secrets = secrets
        self._outbox = outbox
        self._proof = proof

    async def change_password(self, principal: UserPrincipal, current: str, new: str, client: Client) -> str:
        """Set another password, end all other sessions, and return the browser's new device token.

        Raises `SignInFailedError` or `PasswordTooWeakError`.
        """
        checked = await self._proof.demand(principal, current)
        await self._passwords.check(new, principal.name, principal.email)
        hashed = await self._passwords.hashed(new)
        async with self._database.of_all() as session:
            user = await unchanged(session, principal, checked)
            await self._set_password(session, user, hashed, client, keep=principal.session_id)
        self._access.forget()
        self._outbox.send_soon(mails.password_changed(principal.email))
        return device_token(self._secrets, user)

    async def request_reset(self, email: str, client: Client) -> None:
        """Mail a link for a new password, if there is such an account; nobody learns whether there is."""
        email = known_form(email)
        await self._attempts.mail(email, client)
        async with self._database.of_all() as session:
            user = (await session.scalars(select(User).where(User.email == email))).one_or_none()
        if user is not None:
            self._outbox.send_soon(self._reset_mail(user))

    async def _reset_mail(self, user: User) -> mails.Mail:
        async with self._database.of_all() as session:
            return mails.password_reset(user.email, await make_link(session, self._public_url, user, "reset"))

    async def reset_password(self, token: str, password: str, client: Client) -> str:
        """Set a new password by a mailed link, end all sessions, and return a device token for the browser.

        A second factor stays. Raises `LinkInvalidError` or `PasswordTooWeakError`, which leaves the link as it is.
        """
        await self._attempts.link(client)
        async with self._database.of_all() as session:
            user = await user_of_link(session, token, "reset", use=False)
        await self._passwords.check(password, user.name, user.email)
        hashed = await self._passwords.hashed(password)
        async with self._database.of_all() as session:
            user = await user_of_link(session, token, "reset", use=True)
            user.email_verified_at = user.email_verified_at or utc_now()
            await self._set_password(session, user, hashed, client, keep=None)
        self._access.forget()
        self._outbox.send_soon(mails.password_changed(user.email))
        return device_token(self._secrets, user)

    async def request_verification(self, principal: UserPrincipal, client: Client) -> None:
        """Mail a link that shows that the address is somebody's own; raises `MailUnavailableError`."""
        await self._attempts.mail(principal.email, client)
        async with self._database.of_all() as session:
            user = await session.get_one(User, principal.user_id)
            link = None if user.email_verified_at else await make_link(session, self._public_url, user, "verify")
        if link is not None:
            await self._outbox.send(mails.verification(user.email, link))

    async def verify(self, token: str, client: Client) -> None:
        """Note that an address is somebody's own; raises `LinkInvalidError`."""
        await self._attempts.link(client)
        async with self._database.of_all() as session:
            user = await user_of_link(session, token, "verify", use=True)
            user.email_verified_at = utc_now()
            await note(session, actor(user, client), "email.verified")

    async def _set_password(
        self, session: AsyncSession, user: User, hashed: str, client: Client, *, keep: int | None
    ) -> None:
        user.password_hash = hashed
        pending = (EmailToken.user_id == user.id, EmailToken.purpose == "reset", EmailToken.used_at.is_(None))
        await session.execute(update(EmailToken).where(*pending).values(used_at=utc_now()))
        await self._sessions.end_others(session, user.id, keep)
        await note(session, actor(user, client), "password.changed")

"""What people do with their own second factors."""

from api.access.principals import Client, UserPrincipal
from api.access.service import Access
from api.accounts import mails
from api.accounts.attempts import Attempts
from api.accounts.devices import device_token
from api.accounts.proof import Proof, unchanged
from api.accounts.records import note
from api.accounts.second_factor import Offered, SecondFactors
from api.accounts.secrets import Secrets
from api.accounts.sessions import Sessions
from api.mail.outbox import Outbox
from core.metadata.accounts import User
from core.metadata.tenancy import Database


class OwnFactors:
    """Enables, renews and takes away second factors, each with the password. Raises `UnavailableError`."""

    def __init__(
        self,
        *,
        database: Database,
        access: Access,
        sessions: Sessions,
        factors: SecondFactors,
        attempts: Attempts,
        secrets: Secrets,
        outbox: Outbox,
        proof: Proof,
    ) -> None:
        self._database = database
        self._access = access
        self._sessions = sessions
        self._factors = factors
        self._attempts = attempts
        self._secrets = secrets
        self._outbox = outbox
        self._proof = proof

    async def offer(self, principal: UserPrincipal, password: str) -> Offered:
        """Give somebody the secret of a new second factor; raises `SignInFailedError` or `SecondFactorStateError`."""
        checked = await self._proof.demand(principal, password)
        async with self._database.of_all() as session:
            return self._factors.offer(await unchanged(session, principal, checked))

    async def enable(self, principal: UserPrincipal, code: str, client: Client) -> tuple[list[str], str]:
        """Make it count, end all other sessions, and return the recovery codes and the browser's new device token.

        Raises `CodeInvalidError`.
        """
        await self._attempts.check_code(principal.user_id)
        async with self._database.of_all() as session:
            user = await session.get_one(User, principal.user_id, with_for_update=True)
            codes = await self._factors.enable(session, user, code)
            await self._sessions.end_others(session, user.id, principal.session_id)
            await note(session, principal.actor(client), "second_factor.enabled")
        self._access.forget()
        self._outbox.send_soon(mails.second_factor_changed(user.email, is_enabled=True))
        return codes, device_token(self._secrets, user)

    async def renew_recovery_codes(
        self, principal: UserPrincipal, password: str, code: str, client: Client
    ) -> list[str]:
        """Replace the recovery codes; raises `SignInFailedError`, `CodeInvalidError` or `SecondFactorStateError`."""
        checked = await self._proof.demand(principal, password)
        async with self._database.of_all() as session:
            user = await unchanged(session, principal, checked)
            self._factors.demand_enabled(user)
            await self._factors.demand(session, user, code, is_known=True)
            await note(session, principal.actor(client), "recovery_codes.renewed")
            return await self._factors.renew_recovery_codes(session, user)

    async def disable(self, principal: UserPrincipal, password: str, code: str, client: Client) -> str:
        """Take the second factor away, and return the browser's new device token.

        Raises as `renew_recovery_codes` does.
        """
        checked = await self._proof.demand(principal, password)
        async with self._database.of_all() as session:
            user = await unchanged(session, principal, checked)
            self._factors.demand_enabled(user)
            await self._factors.demand(session, user, code, is_known=True)
            await self._factors.disable(session, user)
            await note(session, principal.actor(client), "second_factor.disabled")
        self._outbox.send_soon(mails.second_factor_changed(user.email, is_enabled=False))
        return device_token(self._secrets, user)

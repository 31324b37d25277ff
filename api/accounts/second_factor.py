"""Time-based one-time passwords (RFC 6238) and the recovery codes that stand in for them."""

import re
import secrets
import time
from dataclasses import dataclass
from typing import ClassVar

import structlog
from pyotp import random_base32
from pyotp.totp import TOTP
from sqlalchemy import delete, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.accounts import mails
from api.accounts.attempts import Attempts
from api.accounts.secrets import Secrets
from api.mail.outbox import Outbox
from core.clock import utc_now
from core.errors import RadixError
from core.metadata.accounts import RecoveryCode, User

_logger = structlog.get_logger()

_STEP_SECONDS = 30
# A clock may be a step off, in either direction.
_STEPS_OFF = 1
_RECOVERY_CODES = 10
# Without what is easily misread.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_RECOVERY_CODE = re.compile(f"[{_LETTERS}]{{5}}-[{_LETTERS}]{{5}}")


class SecondFactorNeededError(RadixError):
    """The password is right, and a code is wanted beside it."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "second_factor_needed"
    title: ClassVar[str] = "A second factor is needed"

    def __init__(self) -> None:
        super().__init__("Send `code` too: the six digits that the authenticator shows, or a recovery code.")


class CodeInvalidError(RadixError):
    """The code is wrong, too old, or was used before."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "code_invalid"
    title: ClassVar[str] = "The code is not valid"

    def __init__(self) -> None:
        super().__init__("The code is wrong or was used before: wait for the next one. Are both clocks right?")


class SecondFactorStateError(RadixError):
    """A second factor is there already, or there is none."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "second_factor_state"
    title: ClassVar[str] = "The second factor is in another state"


@dataclass(frozen=True, slots=True)
class Offered:
    """A new second factor, as an authenticator takes it."""

    secret: str
    uri: str


class SecondFactors:
    """What accounts keep of them. Sessions are those of `Database.of_all`; the caller's transaction holds."""

    def __init__(self, secrets: Secrets, attempts: Attempts, outbox: Outbox) -> None:
        self._secrets = secrets
        self._attempts = attempts
        self._outbox = outbox

    def offer(self, user: User) -> Offered:
        """Give somebody a new secret, which counts once a code has shown that his authenticator has it."""
        if user.totp_enabled_at is not None:
            raise SecondFactorStateError("There is a second factor already: take it away first.")
        secret = random_base32()
        user.totp_secret = self._secrets.encrypt(secret, "second factors")
        return Offered(secret, TOTP(secret).provisioning_uri(name=user.email, issuer_name="RadixInsight"))

    async def enable(self, session: AsyncSession, user: User, code: str) -> list[str]:
        """Make the offered one count, and return the recovery codes.

        Raises `CodeInvalidError` or `TooManyAttemptsError`.
        """
        if user.totp_enabled_at is not None or user.totp_secret is None:
            raise SecondFactorStateError("There is no second factor that waits for its first code.")
        await self._attempts.demand_code(user.id, is_known=True)
        if not await self._is_totp(session, user, code):
            await self._attempts.wrong_code(user.id, is_known=True)
            raise CodeInvalidError
        user.totp_enabled_at = utc_now()
        return await self.renew_recovery_codes(session, user)

    async def demand(self, session: AsyncSession, user: User, code: str | None, *, is_known: bool) -> None:
        """Take a code off somebody who has a second factor, and whose row is locked.

        For `is_known` see `Attempts.demand_code`. Recovery codes are not counted: nobody guesses one of 49 bits, and
        whoever uses up the owner's attempts leaves him these. A mail tells the owner of many that were wrong: whoever
        tries them knows his password.
        Raises `SecondFactorNeededError`, `CodeInvalidError` or `TooManyAttemptsError`.
        """
        if user.totp_enabled_at is None:
            return
        if not code:
            raise SecondFactorNeededError
        recovery = code.strip().lower()
        if _RECOVERY_CODE.fullmatch(recovery):
            is_right = await self._is_recovery_code(session, user, recovery)
        else:
            await self._attempts.demand_code(user.id, is_known=is_known)
            is_right = await self._is_totp(session, user, code)
            if not is_right:
                await self._attempts.wrong_code(user.id, is_known=is_known)
        if not is_right:
            if await self._attempts.has_to_be_told(user.id):
                self._outbox.send_soon(mails.codes_tried(user.email))
            raise CodeInvalidError

    def demand_enabled(self, user: User) -> None:
        """Raise `SecondFactorStateError` where there is no second factor."""
        if user.totp_enabled_at is None:
            raise SecondFactorStateError("There is no second factor.")

    async def disable(self, session: AsyncSession, user: User) -> None:
        """Take the second factor away."""
        user.totp_secret = user.totp_enabled_at = user.totp_last_step = None
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))

    async def renew_recovery_codes(self, session: AsyncSession, user: User) -> list[str]:
        """Replace the recovery codes, and return the new ones: they are kept nowhere."""
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
        codes = _draw_recovery_codes()
        session.add_all(RecoveryCode(user_id=user.id, code_hash=self._hash(user, code)) for code in codes)
        return codes

    async def _is_totp(self, session: AsyncSession, user: User, code: str) -> bool:
        secret = None if user.totp_secret is None else self._secrets.decrypt(user.totp_secret, "second factors")
        if secret is None:
            _logger.error("second_factor_unreadable", user_id=user.id, remedy="Is the secret key another one?")
            return False
        step = _step_of(secret, code.replace(" ", ""))
        if step is None:
            return False
        # In one statement: of two requests with one code, one is let in.
        is_newer = or_(User.totp_last_step.is_(None), User.totp_last_step < step)
        taken = update(User).where(User.id == user.id, is_newer).values(totp_last_step=step).returning(User.id)
        return (await session.execute(taken)).first() is not None

    async def _is_recovery_code(self, session: AsyncSession, user: User, code: str) -> bool:
        digest = self._hash(user, code)
        unused = (RecoveryCode.user_id == user.id, RecoveryCode.code_hash == digest, RecoveryCode.used_at.is_(None))
        taken = update(RecoveryCode).where(*unused).values(used_at=utc_now()).returning(RecoveryCode.id)
        return (await session.execute(taken)).first() is not None

    def _hash(self, user: User, code: str) -> str:
        # Keyed: 49 bits could be guessed from a plain hash.
        return self._secrets.pseudonym(f"recovery code {user.id} {code}")


def _step_of(secret: str, code: str) -> int | None:
    """Return the time step whose code it is, among those of now."""
    now = int(time.time()) // _STEP_SECONDS
    totp = TOTP(secret)
    for step in range(now - _STEPS_OFF, now + _STEPS_OFF + 1):
        if secrets.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def _draw_recovery_codes() -> list[str]:
    halves = ("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(2 * _RECOVERY_CODES))
    return [f"{first}-{second}" for first, second in zip(halves, halves, strict=True)]

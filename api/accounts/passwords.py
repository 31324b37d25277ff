"""Passwords: what they must be, and how they are kept."""

import asyncio
from typing import ClassVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from zxcvbn import zxcvbn

from core.errors import RadixError

SHORTEST = 12
LONGEST = 256
# Each takes 64 MiB and a core for some 50 ms.
_AT_ONCE = 2
# Of zxcvbn's scores: more than 10^8 guesses, with lists of common passwords, names and words in hand.
_LEAST_SCORE = 3
# What zxcvbn looks at; its time grows with the square of the length.
_LONGEST_GUESSED = 72


class PasswordTooWeakError(RadixError):
    """A new password is too easily guessed."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "password_too_weak"
    title: ClassVar[str] = "Choose another password"


class Passwords:
    """Checks passwords, hashes and compares them by Argon2id, with the second of the costs that RFC 9106 recommends."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._running = asyncio.Semaphore(_AT_ONCE)
        self._nobodys: str | None = None

    async def hashed(self, password: str) -> str:
        """Return what is stored of a password."""
        async with self._running:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Say whether a password is the stored one; where there is none it takes as long."""
        if stored is None:
            self._nobodys = self._nobodys or await self.hashed("nobody's")
        async with self._running:
            found = await asyncio.to_thread(self._verify, password, stored or self._nobodys or "")
        return found and stored is not None

    async def check(self, password: str, *about: str) -> None:
        """Raise `PasswordTooWeakError` for one that is short, easily guessed, or made of what is known of its owner."""
        _check_form(password, *about)
        # It takes 10 ms of a core, for some that are long several times as much.
        async with self._running:
            found = await asyncio.to_thread(zxcvbn, password[:_LONGEST_GUESSED], [*about])
        if found["score"] < _LEAST_SCORE:
            said = " ".join(part for part in (found["feedback"]["warning"], *found["feedback"]["suggestions"]) if part)
            raise PasswordTooWeakError(f"This password is among the first that somebody would try. {said}".strip())

    def is_outdated(self, stored: str) -> bool:
        """Say whether a password was hashed at other costs than are taken now."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


def _check_form(password: str, *about: str) -> None:
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordTooWeakError(f"A password has {SHORTEST} to {LONGEST} characters.")
    if len(set(password)) < SHORTEST // 2:
        raise PasswordTooWeakError(f"A password has {SHORTEST // 2} different characters or more.")
    lowered = password.casefold()
    known = {part for text in about for part in text.casefold().replace("@", " ").split() if len(part) >= 4}  # noqa: PLR2004 - shorter ones stand in many words
    rest = lowered
    for part in known:
        rest = rest.replace(part, "")
    if len(rest) < SHORTEST // 2:
        raise PasswordTooWeakError("A password is not your name or e-mail address.")

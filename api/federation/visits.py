"""Visits to providers: each begun by one browser, and ended by it once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.federation.claims import Claims
from api.federation.errors import ProviderAnswerInvalidError, VisitUnknownError
from core.clock import utc_now
from core.errors import RadixError
from core.metadata.identity import IdentityProvider, PendingSignIn
from core.metadata.organisations import random_token, token_hash

LIVES = timedelta(minutes=10)
_LONGEST_PATH = 2_000


class ReturnPathInvalidError(RadixError):
    """Where to go afterwards is no path of our own page."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "return_path_invalid"
    title: ClassVar[str] = "The path to return to is not valid"


@dataclass(frozen=True, slots=True)
class KnownBy:
    """What a visit is known by: the provider brings `state` back, and the browser keeps `browser` in a cookie."""

    state: str
    browser: str


def draw() -> KnownBy:
    """Return new ones."""
    return KnownBy(random_token(""), random_token("rv_"))


def own_path(text: str) -> str:
    """Return a path of our own page; raises `ReturnPathInvalidError` for anything that leads elsewhere."""
    is_own = text.startswith("/") and not text.startswith("//") and "\\" not in text
    if not is_own or not text.isascii() or not text.isprintable() or len(text) > _LONGEST_PATH:
        raise ReturnPathInvalidError(
            f"{text[:100]!r} is no path of this page: it begins with one slash, as /dashboards."
        )
    return text


def begin(
    session: AsyncSession,
    provider: IdentityProvider,
    known_by: KnownBy,
    *,
    nonce: str,
    code_verifier: str | None,
    return_to: str,
) -> None:
    """Keep what the visit will be compared with."""
    visit = PendingSignIn(
        organisation_id=provider.organisation_id,
        provider_id=provider.id,
        state_hash=token_hash(known_by.state),
        browser_hash=token_hash(known_by.browser),
        nonce=nonce,
        code_verifier=code_verifier,
        return_to=return_to,
        expires_at=utc_now() + LIVES,
    )
    session.add(visit)


async def waiting(session: AsyncSession, provider_id: int, state: str) -> PendingSignIn:
    """Return a visit that the provider has not answered yet; raises `VisitUnknownError`."""
    found = select(PendingSignIn).where(*_which(provider_id, state), PendingSignIn.subject.is_(None))
    visit = (await session.scalars(found)).one_or_none()
    if visit is None:
        raise VisitUnknownError
    return visit


async def answer(session: AsyncSession, visit: PendingSignIn, claims: Claims) -> None:
    """Keep a provider's answer until the browser comes for it; the first one counts."""
    unanswered = (PendingSignIn.state_hash == visit.state_hash, PendingSignIn.subject.is_(None))
    told = {"subject": claims.subject, "email": claims.email, "name": claims.name}
    kept = update(PendingSignIn).where(*unanswered).values(**told).returning(PendingSignIn.state_hash)
    if (await session.execute(kept)).first() is None:
        raise ProviderAnswerInvalidError("The provider has answered already.")


async def end(session: AsyncSession, provider_id: int, state: str, browser: str | None) -> PendingSignIn:
    """Return a visit of this browser, which is over with it; raises `VisitUnknownError`."""
    mine = PendingSignIn.browser_hash == token_hash(browser or "")
    ended = delete(PendingSignIn).where(*_which(provider_id, state), mine).returning(PendingSignIn)
    visit = (await session.scalars(ended)).one_or_none()
    if visit is None:
        raise VisitUnknownError
    return visit


def _which(provider_id: int, state: str) -> tuple[ColumnElement[bool], ...]:
    return (
        PendingSignIn.state_hash == token_hash(state),
        PendingSignIn.provider_id == provider_id,
        PendingSignIn.expires_at > utc_now(),
    )

"""Bounds on guessing: how often somebody may try, counted in Valkey, or in the process while that is away."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from math import ceil
from time import time
from typing import ClassVar, TypeVar

import structlog
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute, WindowStats
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from api.access.principals import Client
from api.accounts.secrets import Secrets
from api.settings import ApiSettings
from core.errors import RadixError
from core.valkey import connect

_logger = structlog.get_logger()
_Result = TypeVar("_Result")
_PREFIX = "radixinsight:api:attempts"
_VISITS = 3_000
# Whoever mistypes his own needs no mail.
_WRONG_CODES_UNSAID = 4


class TooManyAttemptsError(RadixError):
    """Somebody tries too often; the header Retry-After says when again."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_attempts"
    title: ClassVar[str] = "Too many attempts"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Try again in {seconds} seconds.", headers={"Retry-After": str(seconds)})


@dataclass(frozen=True, slots=True)
class _Bound:
    item: RateLimitItem
    names: tuple[str, ...]

    async def has_room(self, limiter: MovingWindowRateLimiter) -> bool:
        return await limiter.test(self.item, *self.names)

    async def hit(self, limiter: MovingWindowRateLimiter) -> bool:
        return await limiter.hit(self.item, *self.names)

    async def window(self, limiter: MovingWindowRateLimiter) -> WindowStats:
        return await limiter.get_window_stats(self.item, *self.names)

    async def clear(self, limiter: MovingWindowRateLimiter) -> None:
        await limiter.clear(self.item, *self.names)


class Attempts:
    """Counts attempts before they are made, so that a hundred at once are a hundred; forgets them after a success."""

    def __init__(self, settings: ApiSettings, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets
        url = settings.redis_url.get_secret_value()
        self._redis = connect(url, seconds=0.5)
        storage = RedisStorage(
            f"async+{url}",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix=_PREFIX,
            connection_pool=self._redis.connection_pool,  # pyright: ignore[reportArgumentType] - documented, and passed on
        )
        self._shared = MovingWindowRateLimiter(storage)
        self._own = MovingWindowRateLimiter(MemoryStorage())

    async def sign_in(self, email: str, client: Client, device: str | None) -> None:
        """Count an attempt to sign in; raises `TooManyAttemptsError`.

        `device` is the token of a browser with which somebody signed in to this account before. Such browsers are
        counted apart, each by itself and all together: whoever guesses elsewhere, from however many networks, does not
        lock the owner out.
        """
        await self._count(self._of_sign_in(email, client, device))

    async def signed_in(self, email: str, client: Client, device: str | None) -> None:
        """Forget the attempts with this address from this network or browser, of which the last was right."""
        await self._ask(self._of_sign_in(email, client, device)[0].clear)

    async def check_code(self, user_id: int) -> None:
        """Count an attempt to prove oneself while signed in; raises `TooManyAttemptsError`."""
        await self._count([_Bound(RateLimitItemPerMinute(10, 15), ("code", str(user_id)))])

    async def demand_code(self, user_id: int, *, is_known: bool) -> None:
        """Raise `TooManyAttemptsError` where too many codes of a second factor were wrong.

        Those that come with `is_known`, from a session or a browser with which somebody signed in before, are counted
        apart: whoever knows the password alone does not use up the owner's. The caller holds the account's row until he
        has called `wrong_code`, so that a hundred at once are a hundred.
        """
        bound = self._of_codes(user_id, is_known=is_known)
        if not await self._ask(bound.has_room):
            raise await self._refusal(bound)

    async def wrong_code(self, user_id: int, *, is_known: bool) -> None:
        """Count a code that was wrong."""
        await self._ask(self._of_codes(user_id, is_known=is_known).hit)

    async def has_to_be_told(self, user_id: int) -> bool:
        """Count a code or a recovery code that was wrong, wherever, and say once a day that these are too many."""
        unsaid = min(_WRONG_CODES_UNSAID, self._settings.code_attempts - 1)
        who = str(user_id)
        if unsaid and await self._ask(_Bound(RateLimitItemPerDay(unsaid), ("codes-unsaid", who)).hit):
            return False
        return await self._ask(_Bound(RateLimitItemPerDay(1), ("codes-said", who)).hit)

    async def mail(self, email: str, client: Client) -> None:
        """Count a mail that somebody asks for without being known; raises `TooManyAttemptsError`."""
        await self._count(
            [
                _Bound(RateLimitItemPerHour(5), ("mail", self._secrets.pseudonym(email))),
                _Bound(RateLimitItemPerHour(50), ("mails-from", _network(client))),
            ]
        )

    async def link(self, client: Client) -> None:
        """Count an attempt to use a link; raises `TooManyAttemptsError`."""
        await self._count([_Bound(RateLimitItemPerMinute(50, 15), ("link", _network(client)))])

    async def open_link(self, link_id: int, client: Client) -> None:
        """Count an attempt at the password of a shared link; raises `TooManyAttemptsError`."""
        await self._count(self._of_link(link_id, client))

    async def opened_link(self, link_id: int, client: Client) -> None:
        """Forget the attempts at it from this network, of which the last was right."""
        await self._ask(self._of_link(link_id, client)[0].clear)

    async def visit(self, client: Client) -> None:
        """Count a step of a visit to an identity provider; raises `TooManyAttemptsError`.

        There is nothing to guess: many people of one network sign in on a Monday, and each takes three steps.
        """
        await self._count([_Bound(RateLimitItemPerMinute(_VISITS, 15), ("visit", _network(client)))])

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _of_link(self, link_id: int, client: Client) -> Sequence[_Bound]:
        each = self._settings.sign_in_attempts
        return [
            _Bound(RateLimitItemPerMinute(each, 15), ("shared-link", str(link_id), _network(client))),
            _Bound(RateLimitItemPerMinute(each * 5, 15), ("shared-link-anywhere", str(link_id))),
        ]

    def _of_sign_in(self, email: str, client: Client, device: str | None) -> Sequence[_Bound]:
        who = self._secrets.pseudonym(email)
        each = self._settings.sign_in_attempts
        if device is not None:
            return [
                _Bound(RateLimitItemPerMinute(each, 15), ("sign-in-device", self._secrets.pseudonym(device))),
                _Bound(RateLimitItemPerMinute(each * 2, 15), ("sign-in-devices", who)),
            ]
        return [
            _Bound(RateLimitItemPerMinute(each, 15), ("sign-in", who, _network(client))),
            _Bound(RateLimitItemPerMinute(each * 5, 15), ("sign-in-anywhere", who)),
            _Bound(RateLimitItemPerMinute(self._settings.address_attempts, 15), ("sign-ins-from", _network(client))),
        ]

    def _of_codes(self, user_id: int, *, is_known: bool) -> _Bound:
        where = "codes-known" if is_known else "codes"
        return _Bound(RateLimitItemPerDay(self._settings.code_attempts), (where, str(user_id)))

    async def _count(self, bounds: Sequence[_Bound]) -> None:
        for bound in bounds:
            if not await self._ask(bound.hit):
                raise await self._refusal(bound)

    async def _refusal(self, bound: _Bound) -> TooManyAttemptsError:
        window = await self._ask(bound.window)
        return TooManyAttemptsError(max(1, ceil(window.reset_time - time())))

    async def _ask(self, ask: Callable[[MovingWindowRateLimiter], Awaitable[_Result]]) -> _Result:
        try:
            return await ask(self._shared)
        except StorageError as error:
            _logger.warning("attempts_counted_in_process", error=str(error))
            return await ask(self._own)


def _network(client: Client) -> str:
    """Return what an attacker has many addresses of: a /64 of IPv6, one address of IPv4."""
    try:
        address = ip_address(client.address or "")
    except ValueError:
        return "unknown"
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(mapped) if mapped.version == 4 else str(ip_network(f"{mapped}/64", strict=False))  # noqa: PLR2004 - the protocol's

"""One rate for several collectors, by way of Valkey."""

import asyncio
from typing import Any

import structlog
from redis.exceptions import RedisError

from core.valkey import connect
from ingestion.rates.buckets import Buckets, Spending

_logger = structlog.get_logger()
_SETTLE_EVERY_S = 0.1
_TRY_AGAIN_EVERY_S = 1.0
_TIMEOUT_S = 0.5
# A script stops everybody else: 200 buckets take it about a millisecond.
_BUCKETS_A_CALL = 200
# Valkey's own clock, so that the collectors' clocks do not matter. A bucket that Valkey does not know begins with what
# the collector knows: after Valkey lost its memory nobody gets a second burst. It is forgotten when it is full again.
_SETTLE = """
local time = redis.call('time')
local now = time[1] + time[2] / 1000000
local left = {}
for i, key in ipairs(KEYS) do
    local rate, burst = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2])
    local spent, tokens = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
    local stored = redis.call('hmget', key, 'tokens', 'at')
    if stored[1] then
        tokens = math.min(burst, stored[1] + math.max(0, now - stored[2]) * rate) - spent
    end
    redis.call('hset', key, 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
    redis.call('pexpire', key, math.ceil((burst - tokens) / rate * 1000) + 1000)
    left[i] = string.format('%.6f', tokens)
end
return left
"""


class Sharing:
    """Tells Valkey what was taken from the buckets, and the buckets what is left."""

    def __init__(self, url: str, buckets: Buckets) -> None:
        # No second try: the next settling is one.
        self._redis = connect(url, seconds=_TIMEOUT_S)
        self._script = self._redis.register_script(_SETTLE)
        self._buckets = buckets
        buckets.is_told = True
        self.is_reached = True
        """Whether Valkey answered the last time."""

    async def run(self) -> None:
        """Settle until cancelled."""
        try:
            while True:
                await asyncio.sleep(_SETTLE_EVERY_S if self.is_reached else _TRY_AGAIN_EVERY_S)
                await self._settle()
        finally:
            await self._redis.aclose()

    async def _settle(self) -> None:
        spendings = self._buckets.spendings()
        for start in range(0, len(spendings), _BUCKETS_A_CALL):
            some = spendings[start : start + _BUCKETS_A_CALL]
            try:
                left = await self._call(some)
            except (RedisError, OSError) as error:
                # What was spent is not told later: each collector has kept the rate by itself, and the sum of that
                # would be a debt that nobody has.
                if self.is_reached:
                    _logger.warning("rates_not_shared", error=str(error))
                self.is_reached = False
                return
            for spending, tokens in zip(some, left, strict=True):
                self._buckets.correct(spending, float(tokens))
        if spendings and not self.is_reached:
            _logger.info("rates_shared_again")
            self.is_reached = True

    async def _call(self, spendings: list[Spending]) -> Any:
        arguments: list[float] = []
        for spending in spendings:
            bucket = spending.bucket
            arguments += (bucket.per_second, bucket.burst, spending.spent, spending.tokens)
        return await self._script(
            keys=[f"radixinsight:rates:{spending.name}" for spending in spendings], args=arguments
        )

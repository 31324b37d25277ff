"""Token buckets in memory."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

_MAX_BUCKETS = 50_000


@dataclass(slots=True)
class Bucket:
    """What one sender may still send; below zero, it owes."""

    per_second: float
    burst: float
    tokens: float
    at: float
    """When `tokens` was right, in seconds of the buckets' clock."""

    def fill(self, now: float) -> None:
        """Add what has come since the last time."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second)
        self.at = now


@dataclass(frozen=True, slots=True)
class Spending:
    """What was taken from one bucket since the last time that Valkey was told."""

    name: str
    bucket: Bucket
    spent: float
    tokens: float
    """What was left then, as far as this collector knows."""


class Buckets:
    """A bucket for each sender, of each kind the 50,000 that were asked for last; one that was forgotten is full.

    A kind is what stands before the colon of a name: very many addresses must not let a write key's debt be forgotten.

    Whoever has a whole token gets as many as it wants and owes the rest: a batch larger than the burst passes as well,
    and its sender waits longer. So the rate holds over time, whatever the requests' sizes.
    """

    def __init__(self, burst_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst_s = burst_s
        self._clock = clock
        self._kinds: defaultdict[str, OrderedDict[str, Bucket]] = defaultdict(OrderedDict)
        self._spent: dict[str, float] = {}
        self.is_told = False
        """Whether somebody asks for `spendings`, so that they are worth remembering."""

    def take(self, name: str, per_second: float, count: int) -> float:
        """Take `count` tokens and return 0; or take none and return the seconds until there will be one."""
        now = self._clock()
        buckets = self._kind_of(name)
        bucket = buckets.get(name)
        if bucket is None:
            burst = max(1.0, per_second * self._burst_s)
            bucket = buckets[name] = Bucket(per_second, burst, burst, now)
            if len(buckets) > _MAX_BUCKETS:
                buckets.popitem(last=False)
        else:
            if bucket.per_second != per_second:
                bucket.per_second, bucket.burst = per_second, max(1.0, per_second * self._burst_s)
            bucket.fill(now)
            buckets.move_to_end(name)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / per_second
        bucket.tokens -= count
        if self.is_told and count:
            self._spent[name] = self._spent.get(name, 0) + count
        return 0

    def spendings(self) -> list[Spending]:
        """Return what was taken since the last call."""
        spent, self._spent = self._spent, {}
        return [
            Spending(name, bucket, count, bucket.tokens)
            for name, count in spent.items()
            if (bucket := self._kind_of(name).get(name)) is not None
        ]

    def correct(self, spending: Spending, tokens: float) -> None:
        """Learn what all collectors together have left, in which `spending` is counted."""
        bucket = spending.bucket
        bucket.tokens = tokens - self._spent.get(spending.name, 0)
        bucket.at = self._clock()

    def _kind_of(self, name: str) -> OrderedDict[str, Bucket]:
        return self._kinds[name.partition(":")[0]]

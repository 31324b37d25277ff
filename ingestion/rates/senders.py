"""Which rate holds for whom."""

import hashlib
import math
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from ingestion.errors import RateLimitedError
from ingestion.rates.buckets import Buckets
from ingestion.rates.sharing import Sharing
from ingestion.settings import CollectorSettings
from ingestion.write_keys import KeyOwner

_IPV6_BITS_OF_A_HOST = 64
_HASH_BYTES = 16


class SenderRates:
    """The rates of write keys, in events, and of addresses, in requests. Without any it costs nothing."""

    def __init__(self, settings: CollectorSettings) -> None:
        self._key_rate = settings.key_events_per_second
        self._address_rate = settings.address_requests_per_second
        url = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
        self._buckets = Buckets(settings.rate_burst_s)
        # Whoever sees what is in Valkey can't try all addresses without this.
        self._salt = hashlib.blake2b((urlsplit(url).password or "").encode()).digest()
        self.sharing = Sharing(url, self._buckets) if url else None

    def demand_address(self, address: str) -> None:
        """Count one request from an address; raise `RateLimitedError` when there were too many."""
        rate = self._address_rate
        if rate is None or not address:
            return
        wait_s = self._buckets.take(_address_name(address, self._salt), rate, 1)
        if wait_s:
            raise RateLimitedError(
                f"More than {rate:g} requests a second come from your address.", headers=_later(wait_s)
            )

    def demand_key(self, owner: KeyOwner, events: int = 0) -> None:
        """Count events of a write key; raise `RateLimitedError`, and count none, when there were too many before."""
        rate = owner.events_per_second or owner.project.rules.events_per_second or self._key_rate
        if rate is None:
            return
        wait_s = self._buckets.take(f"key:{owner.write_key_id}", rate, events)
        if wait_s:
            raise RateLimitedError(
                f"More than {rate:g} events a second come with this write key.", headers=_later(wait_s)
            )


@lru_cache(maxsize=16_384)
def _address_name(address: str, salt: bytes) -> str:
    """Return an address' name in Valkey: a hash. Of IPv6 the network decides, since a host has all of its addresses."""
    try:
        parsed = ip_address(address)
    except ValueError:
        said = address.encode()
    else:
        if isinstance(parsed, IPv6Address):
            mapped = parsed.ipv4_mapped
            said = mapped.packed if mapped else parsed.packed[: _IPV6_BITS_OF_A_HOST // 8]
        else:
            said = parsed.packed
    return "address:" + hashlib.blake2b(said, digest_size=_HASH_BYTES, key=salt).hexdigest()


def _later(wait_s: float) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(wait_s))}

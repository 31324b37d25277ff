"""What is kept of the address that an event comes from."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from core.metadata.collection_rules import Addresses

_IPV4_BITS_DROPPED = 8
_IPV6_BITS_DROPPED = 80
# In bytes of any shape, JSON or form: a member whose name ends in "ip" or "ip_address", and what it holds.
_MENTION = re.compile(
    rb"""((?:^|[^A-Za-z])(?:ip|ip_?address)\\?["']?\s*(?:[:=]|%3A)\s*\\?["']?)([0-9A-Fa-f:.%]{2,60})""", re.IGNORECASE
)


@lru_cache(maxsize=65_536)
def anonymised(address: str, policy: Addresses) -> str:
    """Return what `policy` leaves of an address; nothing of what is none, unless it is to be kept.

    >>> anonymised("203.0.113.77", Addresses.TRUNCATE), anonymised("2001:db8:7:8::9", Addresses.TRUNCATE)
    ('203.0.113.0', '2001:db8:7::')
    """
    if policy is Addresses.KEEP or not address:
        return address
    if policy is Addresses.DROP:
        return ""
    try:
        parsed = ip_address(address.strip())
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return anonymised(str(parsed.ipv4_mapped), policy)
        return str(IPv6Address(int(parsed) >> _IPV6_BITS_DROPPED << _IPV6_BITS_DROPPED))
    return str(type(parsed)(int(parsed) >> _IPV4_BITS_DROPPED << _IPV4_BITS_DROPPED))


def is_address(text: str) -> bool:
    """Say whether a text is an address, of IPv4 or IPv6.

    >>> is_address("203.0.113.77"), is_address("Star Wars")
    (True, False)
    """
    try:
        ip_address(text.strip())
    except ValueError:
        return False
    return True


def anonymise_mentions(payload: bytes, policy: Addresses) -> bytes:
    """Return bytes of any shape with `policy` applied to what follows a name such as `ip`."""
    if policy is Addresses.KEEP:
        return payload

    def replaced(match: re.Match[bytes]) -> bytes:
        address = match.group(2).decode("latin-1")
        return match.group(1) + anonymised(address, policy).encode() if is_address(address) else match.group()

    return _MENTION.sub(replaced, payload)

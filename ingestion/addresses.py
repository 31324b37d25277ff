"""What is kept of the address that an event comes from."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from core.metadata.collection_rules import Addresses

_IPV4_BITS_DROPPED = 8
_IPV6_BITS_DROPPED = 80
_NAMES = frozenset({"ip", "ip_address", "ipaddress"})
# Before a name is looked at: whether JSON can have one of these in them, also one whose letters are escaped, which no
# library does.
_MENTIONED = re.compile(r'[$_"](?:ip|ip_?address)"|\\u00(?:24|[4-7])')
# What may be an address in a text: several of them, with ports, after one another.
_ADDRESS_LIKE = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]+")
# In bytes of any shape, JSON or form, packed into one another or not: such a name, and what it holds.
_MENTION = re.compile(
    rb"""((?:^|[^A-Za-z])(?:ip|ip_?address)(?:["'\\]|%22|%5C)*\s*(?:[:=]|%3A|%3D)\s*(?:["'\\\[]|%22|%5C|%5B)*)"""
    rb"""([0-9A-Fa-f:., ]{2,200})""",
    re.IGNORECASE,
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


def is_address_name(name: str) -> bool:
    """Say whether a member of this name holds an address."""
    return name.lower().lstrip("$_") in _NAMES


def mentions_address(json: str) -> bool:
    """Say whether JSON may have a member whose name says that it holds an address; False is certain."""
    # Searches for plain text, which cost a tenth of the one that is exact, clear nearly all; one for a character is
    # nearly free.
    lower = json.lower()
    is_likely = 'ip"' in lower or 'ress"' in lower or ("\\" in lower and "\\u00" in lower)
    return is_likely and _MENTIONED.search(lower) is not None


def anonymise_text(text: str, policy: Addresses) -> str:
    """Return a text with `policy` applied to whatever in it is an address."""
    return _ADDRESS_LIKE.sub(lambda match: _kept(match.group(), policy), text)


def anonymise_mentions(payload: bytes, policy: Addresses) -> bytes:
    """Return bytes of any shape with `policy` applied to what follows a name such as `ip`."""
    if policy is Addresses.KEEP:
        return payload

    def replaced(match: re.Match[bytes]) -> bytes:
        return match.group(1) + anonymise_text(match.group(2).decode("ascii"), policy).encode()

    return _MENTION.sub(replaced, payload)


def _kept(text: str, policy: Addresses) -> str:
    try:
        ip_address(text)
    except ValueError:
        return text
    return anonymised(text, policy)

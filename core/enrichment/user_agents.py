"""What a user agent says: browser, operating system, device. By the rules of uap-core (Apache-2.0)."""

import re
from dataclasses import dataclass
from importlib.metadata import version

from ua_parser import OS, Device, UserAgent, parse

from core.enrichment.bots import LIST_VERSION, is_bot

RULES = f"uap-core {version('ua-parser-builtins')}, {LIST_VERSION}, device types 1"
"""By which rules an agent was read: what was read by others is read again. Its last part counts our own rules."""

_MOST_CHARACTERS = 1024
# What the rules say instead of a maker.
_NO_BRANDS = ("Generic", "Spider")
# In this order: a tablet may say "Mobile" too, and a television Linux.
_DEVICE_TYPES = (
    (
        "tv",
        re.compile(r"smart-?tv|tizen.*\btv\b|web0s|webos|apple ?tv|google ?tv|android tv|hbbtv|bravia|roku|aft[a-z]"),
    ),
    ("console", re.compile(r"playstation|xbox|nintendo")),
    ("wearable", re.compile(r"watchos|apple ?watch|wear os")),
    ("tablet", re.compile(r"ipad|tablet|kindle|silk/(?!.*mobile)|playbook|^(?!dalvik).*android(?!.*mobile)")),
    ("mobile", re.compile(r"iphone|ipod|mobile|android|windows phone|blackberry|opera mini")),
)
_DESKTOPS = frozenset({"Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Debian", "Chrome OS", "FreeBSD", "OpenBSD"})


@dataclass(frozen=True, slots=True)
class Agent:
    """What a user agent says; a text is empty where it says nothing."""

    browser: str
    """Family, e.g. Chrome or Mobile Safari."""
    browser_version: str
    """As far as it is said, e.g. 120.0."""
    os: str
    """Family, e.g. Windows, Android or iOS."""
    os_version: str
    device_type: str
    """desktop, mobile, tablet, tv, console or wearable."""
    device_brand: str
    """Maker, e.g. Apple or Samsung."""
    is_bot: bool


def read(user_agent: str) -> Agent:
    """Return what the first 1,024 characters of `user_agent` say.

    >>> agent = read("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1")
    >>> agent.browser, agent.os, agent.os_version, agent.device_type
    ('Mobile Safari', 'iOS', '17.5', 'mobile')
    """
    text = user_agent[:_MOST_CHARACTERS]
    said = parse(text)
    is_robot = is_bot(text)
    return Agent(
        browser=said.user_agent.family if said.user_agent else "",
        browser_version=_version(said.user_agent),
        os=said.os.family if said.os else "",
        os_version=_version(said.os),
        device_type="" if is_robot else _device_type(text.lower(), said.os),
        device_brand=_brand(said.device),
        is_bot=is_robot,
    )


def _device_type(text: str, system: OS | None) -> str:
    kind = next((kind for kind, expression in _DEVICE_TYPES if expression.search(text)), None)
    if kind is not None:
        return kind
    return "desktop" if system is not None and system.family in _DESKTOPS else ""


def _brand(device: Device | None) -> str:
    brand = device.brand if device else None
    return "" if brand is None or brand.startswith(_NO_BRANDS) else brand


def _version(part: UserAgent | OS | None) -> str:
    """Return major and minor: what follows them is many values and says little."""
    if part is None or part.major is None:
        return ""
    return part.major if part.minor is None else f"{part.major}.{part.minor}"

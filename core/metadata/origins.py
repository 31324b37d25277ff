"""Which pages may use a write key."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from core.errors import RadixError

_ANY_SUBDOMAIN = "*."
_OPAQUE = "null"
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SHAPE = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]]+)(?::([0-9]{1,5}))?", re.IGNORECASE)


class InvalidOriginError(RadixError):
    """It is no origin."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_origin"
    title: ClassVar[str] = "The origin is not valid"


def parse_origin(text: str) -> str:
    """Return an origin as it is compared: in lower case, without the port that its scheme has anyway.

    `https://*.shop.example` stands for every subdomain, `null` for pages without an origin (files, sandboxes). Raises
    `InvalidOriginError`.

    >>> parse_origin("HTTPS://Shop.Example:443")
    'https://shop.example'
    """
    if text.strip().lower() == _OPAQUE:
        return _OPAQUE
    shape = _SHAPE.fullmatch(text.strip())
    host = _ascii(shape[2].lower()) if shape is not None else None
    if shape is None or host is None or "*" in host.removeprefix(_ANY_SUBDOMAIN):
        raise InvalidOriginError(
            f"{text!r} is no origin such as 'https://shop.example', 'https://*.shop.example' or "
            "'http://localhost:3000': it has a scheme and a host, no path, and * only for all subdomains."
        )
    scheme, port = shape[1].lower(), shape[3]
    return f"{scheme}://{host}" + ("" if port in {None, _DEFAULT_PORTS.get(scheme)} else f":{port}")


class AllowedOrigins:
    """The origins of one key, made ready. One that cannot be read allows nobody."""

    def __init__(self, origins: Iterable[str]) -> None:
        parsed = {origin for text in origins if (origin := _parse_leniently(text)) is not None}
        self._exact = frozenset(origin for origin in parsed if _ANY_SUBDOMAIN not in origin)
        self._subdomains = [tuple(origin.split("*", 1)) for origin in parsed - self._exact]

    def allow(self, origin: str) -> bool:
        """Say whether a page whose browser names this origin may use the key."""
        parsed = _parse_leniently(origin)
        if parsed is None:
            return False
        return parsed in self._exact or any(
            parsed.startswith(scheme) and parsed.endswith(domain) and len(parsed) > len(scheme) + len(domain)
            for scheme, domain in self._subdomains
        )


@lru_cache(maxsize=4096)
def _parse_leniently(text: str) -> str | None:
    try:
        return parse_origin(text)
    except InvalidOriginError:
        return None


def _ascii(host: str) -> str | None:
    """Return a host as browsers name it, None when it cannot be one."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return None

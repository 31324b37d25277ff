"""Where an address is.

The country is always known: PyPI's iptocc (MIT or Apache-2.0) carries which registry gave every block of addresses to
which country, in 1.7 MB within the process. A database in MaxMind's format, where the operator has one, knows better
where a block is used, and region and city too.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import iptocc
import maxminddb
import structlog

from core.errors import RadixError

EMBEDDED = f"iptocc {version('iptocc')}"
"""Name and version of the embedded database."""

_logger = structlog.get_logger()
_CACHED = 65_536
_COUNTRY_LETTERS = 2


class GeographyError(RadixError):
    """The configured database of places cannot be used."""

    code: ClassVar[str] = "geo_database_unusable"
    title: ClassVar[str] = "The database of places cannot be used"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is; empty where nothing is known. The country is an ISO 3166-1 code, e.g. DE."""

    country: str = ""
    region: str = ""
    city: str = ""


_NOWHERE = Place()


class Geography:
    """Looks addresses up; safe to share between threads.

    >>> Geography.open().country("8.8.8.8")
    'US'
    >>> Geography.open().country("192.168.0.1")
    ''
    """

    def __init__(self, version: str, find: Callable[[str], Place]) -> None:
        self.version = version
        """Which database answers: what another one answered is looked up again."""
        self.locate = lru_cache(maxsize=_CACHED)(find)
        """Return the `Place` of an address as text; nowhere for what is no address or nobody's."""

    @classmethod
    def open(cls, database: Path | None = None) -> "Geography":
        """Return the look-up in `database`, a .mmdb file of countries or cities; without one in the embedded one.

        What the file does not know of, the embedded database answers. Raises `GeographyError` for a file that cannot
        be read.
        """
        if database is None:
            return cls(EMBEDDED, _embedded)
        try:
            reader = maxminddb.open_database(database)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise GeographyError(f"{database} is not a readable .mmdb file: {error}.") from error
        made = reader.metadata()
        name = f"{made.database_type} {made.build_epoch}, {EMBEDDED}"
        return cls(name, lambda address: _from_file(reader, address))

    @classmethod
    def open_or_embedded(cls, database: Path | None) -> "Geography":
        """Return the look-up in `database`, or, with a warning in the log, the embedded one if it cannot be read."""
        try:
            return cls.open(database)
        except GeographyError as error:
            _logger.warning("geo_database_unusable", detail=error.detail)
            return cls.open()

    def country(self, address: str) -> str:
        """Return the ISO 3166-1 code of an address's country, empty where it is not known."""
        return self.locate(address).country


def _embedded(address: str) -> Place:
    country = iptocc.country_code(address)
    return _NOWHERE if country is None else Place(country)


def _from_file(reader: maxminddb.Reader, address: str) -> Place:
    try:
        found = reader.get(ipaddress.ip_address(address))
    except ValueError:
        return _NOWHERE
    place = _place(found) if isinstance(found, Mapping) else _NOWHERE
    return place if place.country else _embedded(address)


def _place(record: Mapping[str, Any]) -> Place:
    """Read MaxMind's and DB-IP's shape, and the flat one of databases that hold text by column."""
    country = (
        _code(record.get("country")) or _code(record.get("registered_country")) or _code(record.get("country_code"))
    )
    if not country:
        return _NOWHERE
    subdivisions = record.get("subdivisions")
    region = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else record.get("state1")
    return Place(country, _name(region), _name(record.get("city")))


def _code(value: Any) -> str:
    code = value.get("iso_code") if isinstance(value, Mapping) else value
    return code.upper() if isinstance(code, str) and len(code) == _COUNTRY_LETTERS else ""


def _name(value: Any) -> str:
    if isinstance(value, Mapping):
        names = value.get("names")
        value = names.get("en") if isinstance(names, Mapping) else None
    return value if isinstance(value, str) else ""

"""That two who edit the same thing do not overwrite each other: who changes it says which version he saw."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Response

from api.dependencies import ActorDep
from api.saved.errors import VersionMissingError
from api.saved.schemas import Stamped, stamped
from core.metadata.audit import Actor
from core.metadata.saved import SavedObject

_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')


@dataclass(frozen=True, slots=True)
class Edit:
    """By whom something is changed, and in which version he saw it."""

    by: Actor
    seen: int
    response: Response

    def shown(self, kind: type[Stamped], found: SavedObject, **beside: int) -> Stamped:
        """Return what came of it, and its version as the answer's ETag."""
        return shown(self.response, kind, found, **beside)


_IfMatch = Annotated[str | None, Header(examples=['"3"'])]


async def _edit(by: ActorDep, response: Response, if_match: _IfMatch = None) -> Edit:
    """Return who changes what he saw in which version; raises `VersionMissingError`."""
    return Edit(by, _version_in(if_match), response)


async def _seen(if_match: _IfMatch = None) -> int | None:
    """Return which version was seen, if that is said; raises `VersionMissingError` for what is no version."""
    return None if if_match is None else _version_in(if_match)


def _version_in(if_match: str | None) -> int:
    found = _ETAG.fullmatch(if_match or "")
    if found is None:
        raise VersionMissingError(if_match)
    return int(found[1])


EditDep = Annotated[Edit, Depends(_edit)]
SeenDep = Annotated[int | None, Depends(_seen)]


def shown(response: Response, kind: type[Stamped], found: SavedObject, **beside: int) -> Stamped:
    """Return something saved as answers show it, and its version as the answer's ETag."""
    tell_version(response, found.version)
    return stamped(kind, found, **beside)


def tell_version(response: Response, version: int) -> None:
    """Give the version as the answer's ETag."""
    response.headers["ETag"] = f'"{version}"'

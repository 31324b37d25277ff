"""What is done with keys after they were made: looking at them, changing, replacing and revoking them.

The functions take a blocking `Session` and do not commit, like those of `core.metadata.projects`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.errors import RadixError
from core.metadata.models import ApiKey, WriteKey
from core.metadata.origins import parse_origin
from core.metadata.permissions import known_permissions
from core.metadata.projects import API_KEY_PREFIX, WRITE_KEY_PREFIX, create_api_key, create_write_key, is_live

Key = WriteKey | ApiKey
_SHORTEST_BEGINNING = 9


class UnknownKeyError(RadixError):
    """No live key begins like this, or several do."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "unknown_key"
    title: ClassVar[str] = "There is no such key"


class InvalidKeyError(RadixError):
    """A key's settings make no sense."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "invalid_key"
    title: ClassVar[str] = "The key's settings are not valid"


def list_keys(session: Session, project_id: int) -> list[Key]:
    """Return every key of a project, revoked ones too: write keys, then API keys, each oldest first."""
    write_keys = select(WriteKey).where(WriteKey.project_id == project_id).order_by(WriteKey.id)
    api_keys = select(ApiKey).where(ApiKey.project_id == project_id).order_by(ApiKey.id)
    return [*session.scalars(write_keys), *session.scalars(api_keys)]


def find_key(session: Session, beginning: str) -> Key:
    """Return the live key that begins like this, with at least nine characters; raises `UnknownKeyError`."""
    if len(beginning) < _SHORTEST_BEGINNING or not beginning.startswith((WRITE_KEY_PREFIX, API_KEY_PREFIX)):
        raise UnknownKeyError("Name a key by its first nine characters or more: wk_… for writing, rk_… for reading.")
    found: Sequence[Key]
    if beginning.startswith(WRITE_KEY_PREFIX):
        begins = WriteKey.key.startswith(beginning, autoescape=True)
        found = session.scalars(select(WriteKey).where(begins, is_live(WriteKey))).all()
    else:
        begins = ApiKey.prefix == beginning[:_SHORTEST_BEGINNING]
        found = session.scalars(select(ApiKey).where(begins, is_live(ApiKey))).all()
    if len(found) != 1:
        what = "No live key begins" if not found else f"{len(found)} live keys begin"
        raise UnknownKeyError(f"{what} with {beginning[:_SHORTEST_BEGINNING]}….")
    return found[0]


def revoke_key(key: Key, at: datetime | None = None) -> None:
    """Stop a key from being accepted from an instant on, now without one: everywhere within 5 s."""
    key.revoked_at = at or utc_now()


def rotate_key(session: Session, key: Key, overlap: timedelta) -> str:
    """Return a new key of the same name and settings; the old one works until `overlap` has passed.

    One that ends sooner anyway keeps its end.
    """
    if overlap < timedelta(0):
        raise InvalidKeyError(f"The overlap is {overlap}; it can't be negative.")
    if isinstance(key, ApiKey):
        scopes = known_permissions(key.scopes)
        new = create_api_key(
            session,
            key.project_id,
            key.name,
            scopes=sorted(scopes),
            expires_at=key.expires_at,
            created_by=key.created_by,
        )
    else:
        new = create_write_key(session, key.project_id, key.name)
        change_write_key(_write_key(session, new), origins=key.allowed_origins, events_per_second=key.events_per_second)
    end = utc_now() + overlap
    if key.revoked_at is None or key.revoked_at > end:
        revoke_key(key, end)
    session.flush()
    return new


def change_write_key(
    key: WriteKey, *, origins: Sequence[str] | None = None, events_per_second: int | None = None
) -> None:
    """Set the origins of pages that may use a key (none: every page) and its rate; None leaves what is.

    An `events_per_second` of 0 takes the key's own rate away. Raises `InvalidOriginError` or `InvalidKeyError`.
    """
    if origins is not None:
        key.allowed_origins = sorted({parse_origin(origin) for origin in origins})
    if events_per_second is not None:
        if events_per_second < 0:
            raise InvalidKeyError(f"events_per_second is {events_per_second}; it must be 1 or more, or 0 for none.")
        key.events_per_second = events_per_second or None


def rename_key(key: Key, name: str) -> None:
    """Call a key something else; raises `InvalidKeyError` for no name at all."""
    if not name.strip():
        raise InvalidKeyError("A key needs a name.")
    key.name = name.strip()


def _write_key(session: Session, key: str) -> WriteKey:
    return session.scalars(select(WriteKey).where(WriteKey.key == key)).one()

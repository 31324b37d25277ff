"""The keys of a project, each change with its entry in the audit log."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from sqlalchemy import select

from api.access.errors import TooPowerfulError
from api.access.principals import Acting, ProjectAccess
from api.access.rights import rights_of, still_in_project
from api.access.service import Access
from api.errors import NotFoundError
from core.clock import utc_now
from core.errors import RadixError
from core.metadata import ApiKey, Project, WriteKey
from core.metadata.accounts import AuditEntry
from core.metadata.audit import Target, entry
from core.metadata.keys import change_write_key, revoke_key
from core.metadata.organisations import checked_name, token_hash
from core.metadata.permissions import Permission
from core.metadata.projects import create_api_key, create_write_key
from core.metadata.tenancy import Database


class ExpiryPastError(RadixError):
    """A key would have expired before it was made."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "expiry_past"
    title: ClassVar[str] = "The key would have expired"

    def __init__(self, at: datetime) -> None:
        super().__init__(f"expires_at is {at.isoformat()}, which is past.")


class Keys:
    """Keys, by a member who may manage them. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database, access: Access) -> None:
        self._database = database
        self._access = access

    async def api_keys(self, of: ProjectAccess) -> list[tuple[ApiKey, bool]]:
        """Return the API keys, the oldest first; revoked ones too.

        Each comes with whether it outlives its maker's rights: he is no member any more, or may less than it.
        """
        async with self._database.of_project(of.project) as session:
            keys = (await session.scalars(select(ApiKey).order_by(ApiKey.id))).all()
            makers = {key.created_by for key in keys if key.created_by is not None}
            rights = await rights_of(session, makers, of.project.id)
        return [(key, _outlives(key, rights)) for key in keys]

    async def create_api_key(
        self,
        by: Acting,
        of: ProjectAccess,
        name: str,
        scopes: Collection[Permission],
        expires_at: datetime | None,
    ) -> tuple[ApiKey, str]:
        """Make an API key, and return it with the key itself; raises `TooPowerfulError` or `ExpiryPastError`."""
        if expires_at is not None and expires_at <= utc_now():
            raise ExpiryPastError(expires_at)
        project, wanted = of.project, sorted(scopes)
        async with self._database.of_project(project) as session:
            now = await still_in_project(session, by, of, "keys:manage")
            if missing := frozenset(scopes) - now.permissions:
                raise TooPowerfulError(missing)
            key = await session.run_sync(
                create_api_key,
                project.id,
                checked_name(name),
                scopes=wanted,
                expires_at=expires_at,
                created_by=by.user.user_id,
            )
            made = (await session.scalars(select(ApiKey).where(ApiKey.key_hash == token_hash(key)))).one()
            said = Target("api_key", made.id, {"name": made.name, "scopes": wanted, "prefix": made.prefix})
            session.add(_entry(by, "api_key.created", said, project))
        return made, key

    async def write_keys(self, of: ProjectAccess) -> Sequence[WriteKey]:
        """Return the write keys, the oldest first; revoked ones too."""
        async with self._database.of_project(of.project) as session:
            return (await session.scalars(select(WriteKey).order_by(WriteKey.id))).all()

    async def create_write_key(
        self,
        by: Acting,
        of: ProjectAccess,
        name: str,
        allowed_origins: Sequence[str],
        events_per_second: int | None,
    ) -> WriteKey:
        """Make a write key; raises `InvalidOriginError`."""
        project = of.project
        async with self._database.of_project(project) as session:
            await still_in_project(session, by, of, "keys:manage")
            key = await session.run_sync(create_write_key, project.id, checked_name(name))
            made = (await session.scalars(select(WriteKey).where(WriteKey.key == key))).one()
            change_write_key(made, origins=allowed_origins, events_per_second=events_per_second)
            said = Target("write_key", made.id, {"name": made.name})
            session.add(_entry(by, "write_key.created", said, project))
            return made

    async def revoke(self, by: Acting, of: ProjectAccess, kind: type[ApiKey | WriteKey], key_id: int) -> None:
        """Revoke a key: it is refused everywhere within seconds. Raises `NotFoundError`; a revoked one stays so."""
        project = of.project
        named = "API key" if kind is ApiKey else "write key"
        async with self._database.of_project(project) as session:
            found = await session.get(kind, key_id, with_for_update=True)
            if found is None:
                raise NotFoundError(named, key_id)
            if found.revoked_at is None or found.revoked_at > utc_now():
                revoke_key(found)
                said = Target(named.lower().replace(" ", "_"), key_id, {"name": found.name})
                session.add(_entry(by, f"{said.kind}.revoked", said, project))
        self._access.forget()


def _outlives(key: ApiKey, rights: Mapping[int, frozenset[Permission]]) -> bool:
    if key.created_by is None:
        return False
    # Every key sees that its project is there.
    return not rights.get(key.created_by, frozenset()).issuperset({"project:read", *key.scopes})


def _entry(by: Acting, action: str, said: Target, project: Project) -> AuditEntry:
    return entry(by.actor, action, said, organisation_id=project.organisation_id, project_id=project.id)

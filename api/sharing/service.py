"""Makes links and takes them back."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import SecretStr
from sqlalchemy import select

from api.access.errors import PermissionMissingError
from api.access.principals import Acting, ProjectAccess
from api.access.rights import still_in_project
from api.accounts.passwords import Passwords
from api.errors import NotFoundError
from api.saved.contents import DashboardContent, InsightContent
from api.saved.objects import content_of, find
from api.sharing.schemas import LinkQuery
from api.sharing.view import demand_shareable
from core.clock import utc_now
from core.errors import RadixError
from core.metadata import Project
from core.metadata.audit import Target, entry
from core.metadata.saved import SavedObject, SharedLink
from core.metadata.tenancy import Database

_LONGEST = timedelta(days=366)
SHARED = frozenset({DashboardContent.kind, InsightContent.kind})


class LinkExpiryError(RadixError):
    """A link would have expired, or would work for too long."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "link_expiry"
    title: ClassVar[str] = "A link works for a while"

    def __init__(self, at: datetime) -> None:
        super().__init__(f"expires_at is {at.isoformat()}: it has to be in the next {_LONGEST.days} days.")


class SharedLinks:
    """The links of one project. Raises `UnavailableError` without PostgreSQL."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def create(
        self, by: Acting, access: ProjectAccess, object_id: int, expires_at: datetime, password: SecretStr | None
    ) -> tuple[SharedLink, SavedObject]:
        """Make a link to a dashboard or an insight.

        Raises `NotFoundError`, `NotShareableError`, `LinkExpiryError`, `PasswordTooWeakError`, and
        `PermissionMissingError` for somebody who may not take data out.
        """
        # No password is hashed for whoever may share nothing.
        demand_export(access)
        if not utc_now() < expires_at <= utc_now() + _LONGEST:
            raise LinkExpiryError(expires_at)
        project, hashed = access.project, None
        if password is not None:
            await self._passwords.check(password.get_secret_value())
            hashed = await self._passwords.hashed(password.get_secret_value())
        async with self._database.of_project(project) as session:
            demand_export(await still_in_project(session, by, access, "insights:write"))
            shared = await find(session, object_id, SHARED)
            if shared.kind == InsightContent.kind:
                demand_shareable(content_of(shared, InsightContent).query)
            link = SharedLink(
                object_id=object_id,
                salt=secrets.token_bytes(16),
                password_hash=hashed,
                created_by=by.actor.name,
                expires_at=expires_at,
            )
            session.add(link)
            await session.flush()
            details = {
                "kind": shared.kind,
                "object_id": shared.id,
                "name": shared.name,
                "expires_at": expires_at.isoformat(),
                "has_password": hashed is not None,
            }
            said = Target("link", link.id, details)
            organisation_id = project.organisation_id
            session.add(entry(by.actor, "link.created", said, organisation_id=organisation_id, project_id=project.id))
        return link, shared

    async def page(
        self, project: Project, query: LinkQuery
    ) -> tuple[Sequence[tuple[SharedLink, SavedObject]], int | None]:
        """Return links with what they show, the latest first, and what the next page begins before."""
        statement = (
            select(SharedLink, SavedObject)
            .join(SavedObject, SharedLink.object_id == SavedObject.id)
            .where(SharedLink.revoked_at.is_(None))
            .order_by(SharedLink.id.desc())
            .limit(query.limit + 1)
        )
        if query.object_id is not None:
            statement = statement.where(SharedLink.object_id == query.object_id)
        if query.before is not None:
            statement = statement.where(SharedLink.id < query.before)
        async with self._database.of_project(project) as session:
            found = [(link, shared) for link, shared in await session.execute(statement)]
        shown = found[: query.limit]
        return shown, shown[-1][0].id if len(found) > query.limit else None

    async def revoke(self, by: Acting, project: Project, link_id: int) -> None:
        """Make a link work no more, at once; raises `NotFoundError`."""
        async with self._database.of_project(project) as session:
            link = await session.get(SharedLink, link_id, with_for_update=True)
            if link is None or link.revoked_at is not None:
                raise NotFoundError("link", link_id)
            link.revoked_at = utc_now()
            said = Target("link", link_id, {"object_id": link.object_id})
            organisation_id = project.organisation_id
            session.add(entry(by.actor, "link.revoked", said, organisation_id=organisation_id, project_id=project.id))


def demand_export(access: ProjectAccess) -> None:
    """Raise `PermissionMissingError` for somebody who may not see the data and take it out, which links do."""
    for permission in ("data:query", "data:export"):
        if permission not in access.permissions:
            raise PermissionMissingError(permission)

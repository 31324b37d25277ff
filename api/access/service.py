"""Finds out who asks and what he may do, from keys and sessions, and remembers the answer for a few seconds."""

import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.errors import ApiKeyInvalidError, SessionEndedError
from api.access.principals import Client, KeyPrincipal, OrganisationAccess, Principal, ProjectAccess, UserPrincipal
from api.settings import ApiSettings
from core.clock import utc_now
from core.metadata import ApiKey, Project
from core.metadata.accounts import Grant, Membership, Organisation, Role, SpentToken, TeamMember, User, UserSession
from core.metadata.identity import IdentityProvider
from core.metadata.organisations import is_owner, token_hash
from core.metadata.permissions import KEY_SCOPES, Permission, known_permissions
from core.metadata.projects import is_live
from core.metadata.tenancy import Database

_KEY = re.compile(r"rk_[0-9A-Za-z]{40}")
_MOST_REMEMBERED = 10_000
# `last_used_at` tells keys in use from forgotten ones: a minute is fine enough, and spares a write per request.
_USE_NOTED_SECONDS = 60.0
# Requests that were under way when a browser was given a new token carry the one before.
OVERLAP_SECONDS = 60
_Known = TypeVar("_Known")
_Asked = TypeVar("_Asked")


class _Remembered(Generic[_Asked, _Known]):
    """Answers that are believed for a while; refusals are not kept."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._known: dict[_Asked, tuple[float, _Known]] = {}
        self._generation = 0

    async def get(self, asked: _Asked, find: Callable[[], Awaitable[_Known]], *, anew: bool = False) -> _Known:
        """Return what is known, or find it out; `anew` in any case."""
        known = self._known.get(asked)
        now, generation = time.monotonic(), self._generation
        if not anew and known is not None and now - known[0] < self._seconds:
            return known[1]
        self._known.pop(asked, None)
        found = await find()
        if generation != self._generation:
            # What was found may be what was changed meanwhile.
            return found
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[asked] = (now, found)
        return found

    def forget(self) -> None:
        """Believe nothing that was found out before, or is being found out."""
        self._generation += 1
        self._known.clear()


class Access:
    """Who asks, by what a request carries. Everything raises `UnavailableError` without PostgreSQL."""

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self._database = database
        self._idle = timedelta(days=settings.session_idle_days)
        self._longest = timedelta(days=settings.session_max_days)
        self._keys: _Remembered[str, KeyPrincipal] = _Remembered(settings.key_cache_seconds)
        self._sessions: _Remembered[str, UserPrincipal] = _Remembered(settings.key_cache_seconds)
        self._use_noted_at: dict[str, float] = {}

    async def of_key(self, key: str) -> KeyPrincipal:
        """Return a live API key and its project; raises `ApiKeyInvalidError`."""
        if not _KEY.fullmatch(key):
            if key.startswith("wk_"):
                raise ApiKeyInvalidError("This is a write key, for sending events. Reading takes an API key (rk_…).")
            raise ApiKeyInvalidError
        # Keys are looked up by their digest, so the time of a comparison tells nothing about a key.
        digest = token_hash(key)
        return await self._keys.get(digest, lambda: self._find_key(digest))

    async def of_browser(self, token: str, *, anew: bool = False) -> UserPrincipal:
        """Return who signed in, by the token in his browser's cookie; raises `SessionEndedError`."""
        digest = token_hash(token)
        which = and_(_has_token(digest), UserSession.kind == "browser")
        return await self._sessions.get(f"browser:{digest}", lambda: self._find_session(which, digest), anew=anew)

    async def of_program(self, session_id: int, *, anew: bool = False) -> UserPrincipal:
        """Return as whom a program signed in, by the session in its access token; raises `SessionEndedError`."""
        which = and_(UserSession.id == session_id, UserSession.kind == "program")
        return await self._sessions.get(f"program:{session_id}", lambda: self._find_session(which), anew=anew)

    async def still_sees(self, holder: str, project_id: int, permission: Permission, client: Client) -> bool:
        """Say whether a principal, of whom only the `holder` is known, still has a permission in a project.

        Raises `ApiKeyInvalidError` or `SessionEndedError` where the key or session itself is gone.
        """
        kind, _, by = holder.partition(":")
        if kind == "key":
            found: Principal = await self._keys.get(by, lambda: self._find_key(by))
        else:
            found = await self._sessions.get(holder, lambda: self._find_session(UserSession.id == int(by)))
        seen = found.projects().get(project_id)
        return seen is not None and permission in seen.permissions and client.is_within(seen.allowed_networks)

    def end_of_session(self, created_at: datetime) -> datetime:
        """Return when a session ends that began then and is used now, if it is not used again."""
        return min(utc_now() + self._idle, created_at + self._longest)

    def forget(self) -> None:
        """Look everything up anew: something about keys, sessions or roles was changed in this process."""
        self._keys.forget()
        self._sessions.forget()

    async def _find_key(self, digest: str) -> KeyPrincipal:
        async with self._database.of_all() as session:
            statement = (
                select(ApiKey, Project, Organisation.allowed_networks)
                .join(Project, ApiKey.project_id == Project.id)
                .join(Organisation, Project.organisation_id == Organisation.id)
                .where(ApiKey.key_hash == digest, is_live(ApiKey))
            )
            found = (await session.execute(statement)).one_or_none()
            if found is None:
                raise ApiKeyInvalidError
            key, project, networks = found
            await self._note_use(session, digest)
        scopes = known_permissions(["project:read", *key.scopes]) & frozenset(KEY_SCOPES)
        return KeyPrincipal(key.id, digest, key.prefix, ProjectAccess(project, tuple(networks), scopes))

    async def _note_use(self, session: AsyncSession, digest: str) -> None:
        now = time.monotonic()
        if now - self._use_noted_at.get(digest, float("-inf")) < _USE_NOTED_SECONDS:
            return
        await session.execute(update(ApiKey).where(ApiKey.key_hash == digest).values(last_used_at=utc_now()))
        if len(self._use_noted_at) >= _MOST_REMEMBERED:
            self._use_noted_at.clear()
        self._use_noted_at[digest] = now

    async def _find_session(self, which: ColumnElement[bool], digest: str | None = None) -> UserPrincipal:
        async with self._database.of_all() as session:
            statement = (
                select(UserSession, User).join(User, UserSession.user_id == User.id).where(which, is_live_session())
            )
            found = (await session.execute(statement)).one_or_none()
            if found is not None:
                opened, user = found
                if (utc_now() - opened.last_seen_at).total_seconds() >= _USE_NOTED_SECONDS:
                    opened.last_seen_at = utc_now()
                    opened.expires_at = self.end_of_session(opened.created_at)
                if digest == opened.token_hash and opened.confirmed_at is None:
                    opened.confirmed_at = utc_now()
                organisations = await _organisations_of(session, opened)
                projects = await _projects_of(session, user.id, organisations)
                return UserPrincipal(
                    user.id, opened.id, user.email, user.name, organisations, *projects, provider_id=opened.provider_id
                )
            if digest is not None:
                # A token that was replaced long ago is known to nobody but whoever took it: the session is not safe.
                stolen = update(UserSession).where(had_token(digest), is_live_session())
                await session.execute(stolen.values(revoked_at=utc_now()))
        raise SessionEndedError


def is_live_session() -> ColumnElement[bool]:
    """Return the condition under which a session holds."""
    return and_(UserSession.revoked_at.is_(None), UserSession.expires_at > func.clock_timestamp())


def had_token(digest: str) -> ColumnElement[bool]:
    """Return the condition under which a session had a token before the one that it has now."""
    # An `in` would read all sessions: beside an `or`, PostgreSQL looks into no index for it.
    spent = select(SpentToken.session_id).where(SpentToken.token_hash == digest).scalar_subquery()
    return or_(UserSession.previous_token_hash == digest, UserSession.id == spent)


def _has_token(digest: str) -> ColumnElement[bool]:
    """Return the condition under which a browser's token holds: it is the latest, or the one before it.

    That one holds for a minute, and until the latest has come back: before that the browser may never have had it.
    """
    is_recent = UserSession.rotated_at > func.clock_timestamp() - timedelta(seconds=OVERLAP_SECONDS)
    is_needed = or_(is_recent, UserSession.confirmed_at.is_(None))
    return or_(UserSession.token_hash == digest, and_(UserSession.previous_token_hash == digest, is_needed))


async def _organisations_of(session: AsyncSession, opened: UserSession) -> dict[int, OrganisationAccess]:
    """Return the organisations that a session is good for, by their ids.

    A provider speaks for its own organisation and no other. Where an organisation demands that, a password is good for
    its owners alone.
    """
    if opened.provider_id is None:
        is_good = or_(Organisation.demands_provider.is_(False), is_owner())
    else:
        trusting = select(IdentityProvider.organisation_id).where(IdentityProvider.id == opened.provider_id)
        is_good = Organisation.id.in_(trusting)
    statement = (
        select(Organisation, Membership.role_id, Role)
        .join(Membership, Membership.organisation_id == Organisation.id)
        .outerjoin(Role, Membership.role_id == Role.id)
        .where(Membership.user_id == opened.user_id, is_good)
        .order_by(Organisation.id)
    )
    return {
        organisation.id: OrganisationAccess(
            id=organisation.id,
            name=organisation.name,
            allowed_networks=tuple(organisation.allowed_networks),
            demands_provider=organisation.demands_provider,
            role=None if role_id is None else role.name,
            permissions=frozenset() if role_id is None else role.allowed,
        )
        for organisation, role_id, role in (await session.execute(statement))
    }


async def _projects_of(
    session: AsyncSession, user_id: int, organisations: dict[int, OrganisationAccess]
) -> tuple[dict[int, ProjectAccess], dict[int, ProjectAccess]]:
    """Return the projects that a user may see, and those of which he may see single dashboards alone."""
    granted = await _granted_to(session, user_id, organisations)
    projects = select(Project).where(Project.organisation_id.in_(organisations)).order_by(Project.id)
    found: dict[int, ProjectAccess] = {}
    in_part: dict[int, ProjectAccess] = {}
    for project in await session.scalars(projects):
        organisation, (extra, dashboards) = organisations[project.organisation_id], granted[project.id]
        permissions = organisation.permissions | extra
        if "project:read" in permissions:
            found[project.id] = ProjectAccess(project, organisation.allowed_networks, permissions, dashboards)
        elif dashboards:
            in_part[project.id] = ProjectAccess(project, organisation.allowed_networks, frozenset(), dashboards)
    return found, in_part


async def _granted_to(
    session: AsyncSession, user_id: int, organisations: Collection[int]
) -> Mapping[int, tuple[frozenset[Permission], dict[int, frozenset[Permission]]]]:
    """Return what is granted to a user or his teams: for each project, in all of it, and for single dashboards."""
    teams = select(TeamMember.team_id).where(TeamMember.user_id == user_id)
    statement = (
        select(Grant.project_id, Grant.dashboard_id, Role)
        .join(Role, Grant.role_id == Role.id)
        .where(or_(Grant.user_id == user_id, Grant.team_id.in_(teams)), Grant.organisation_id.in_(organisations))
    )
    found: defaultdict[int, tuple[frozenset[Permission], dict[int, frozenset[Permission]]]]
    found = defaultdict(lambda: (frozenset(), {}))
    for project_id, dashboard_id, role in await session.execute(statement):
        extra, dashboards = found[project_id]
        if dashboard_id is None:
            found[project_id] = (extra | role.allowed, dashboards)
        else:
            dashboards[dashboard_id] = dashboards.get(dashboard_id, frozenset()) | role.allowed
    return found

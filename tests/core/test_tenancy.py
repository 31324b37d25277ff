"""No statement of a scoped session reaches what is another tenant's."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Table, delete, func, insert, literal_column, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from core.metadata import ApiKey, Base, Project, tenancy
from core.metadata.accounts import (
    EmailToken,
    Grant,
    Membership,
    Organisation,
    Role,
    Team,
    TeamMember,
    User,
    UserSession,
)
from core.metadata.organisations import create_organisation
from core.metadata.projects import create_api_key, create_project
from core.metadata.tenancy import ChangedAtOnceError, CrossTenantError, Database
from runtime.instance import Instance


@dataclass
class Tenant:
    """An organisation with two projects, one member and one team."""

    organisation: Organisation
    project: Project
    second: Project
    user: User
    team: Team


@pytest.fixture
async def database(runtime: Instance) -> AsyncGenerator[Database]:
    """Return the session's database."""
    database = Database.connect(runtime.database_url, seconds=30)
    yield database
    await database.close()


async def _tenant(database: Database) -> Tenant:
    async with database.of_all() as session:
        organisation = await session.run_sync(create_organisation, "Shop")
        first = await session.run_sync(create_project, "One", organisation_id=organisation.id)
        second = await session.run_sync(create_project, "Two", organisation_id=organisation.id)
        for project in (first, second):
            await session.run_sync(create_api_key, project.id, "key")
        user = User(email=f"{uuid4().hex}@example.com", name="Ada")
        team = Team(organisation_id=organisation.id, name="Growth")
        session.add_all((user, team))
        await session.flush()
        session.add(Membership(organisation_id=organisation.id, user_id=user.id))
        return Tenant(organisation, first, second, user, team)


@pytest.fixture
async def mine(database: Database) -> Tenant:
    """Return the tenant on whose behalf is asked."""
    return await _tenant(database)


@pytest.fixture
async def other(database: Database) -> Tenant:
    """Return another tenant."""
    return await _tenant(database)


async def test_an_organisation_sees_its_own_rows_alone(database: Database, mine: Tenant, other: Tenant) -> None:
    async with database.of_organisation(mine.organisation.id) as session:
        assert {each.id for each in await session.scalars(select(Organisation))} == {mine.organisation.id}
        assert {each.id for each in await session.scalars(select(Project))} == {mine.project.id, mine.second.id}
        assert {each.id for each in await session.scalars(select(User))} == {mine.user.id}
        keys = await session.scalars(select(ApiKey.project_id))
        assert set(keys) == {mine.project.id, mine.second.id}
        assert await session.get(Project, other.project.id) is None
        assert await session.get(Team, other.team.id) is None
        assert await session.get(User, other.user.id) is None


async def test_a_project_sees_its_own_rows_alone(database: Database, mine: Tenant) -> None:
    async with database.of_project(mine.project) as session:
        assert set(await session.scalars(select(ApiKey.project_id))) == {mine.project.id}
        assert await session.get(Project, mine.second.id) is None
        assert len((await session.scalars(select(Role))).all()) == 4


async def test_every_part_of_a_statement_is_scoped(database: Database, mine: Tenant, other: Tenant) -> None:
    again = aliased(Project)
    async with database.of_organisation(mine.organisation.id) as session:
        joined = select(func.count()).select_from(Team).join(again, again.id == other.project.id)
        assert await session.scalar(joined) == 0
        within = select(Team).where(Team.organisation_id.in_(select(Project.organisation_id))).subquery()
        assert await session.scalar(select(func.count()).select_from(aliased(Team, within))) == 1
        counted = select(select(func.count()).select_from(again).scalar_subquery()).select_from(Team)
        assert await session.scalar(counted) == 2
        named = select(Role.id).join(Grant, Grant.role_id == Role.id).where(Grant.project_id == other.project.id)
        assert (await session.scalars(named)).all() == []


async def test_nothing_of_others_is_changed_or_deleted(database: Database, mine: Tenant, other: Tenant) -> None:
    async with database.of_organisation(mine.organisation.id) as session:
        await session.execute(update(Team).values(name="Taken"))
        await session.execute(delete(ApiKey))
        await session.execute(delete(TeamMember))
    async with database.of_all() as session:
        names = dict((await session.execute(select(Team.id, Team.name))).all())
        assert (names[mine.team.id], names[other.team.id]) == ("Taken", "Growth")
        assert set(await session.scalars(select(ApiKey.project_id))) >= {other.project.id, other.second.id}
        assert mine.project.id not in set(await session.scalars(select(ApiKey.project_id)))


def _table(mapped: type[Base]) -> Table:
    table = mapped.__table__
    assert isinstance(table, Table)
    return table


async def test_what_cannot_be_scoped_is_refused(database: Database, mine: Tenant) -> None:
    statements = (
        text("select 1"),
        select(text("name")).select_from(Team),
        select(Team).where(text("true")),
        select(literal_column("name")).select_from(Team),
        select(_table(Team)),
        select(_table(Team).c.id),
        select(Team).where(Team.id.in_(select(_table(Team).c.id).select_from(_table(Team).alias()))),
        select(Team.id).where(Team.id == _table(Project).c.id),
        select(Team.id).where(Team.id == Project.id),
        select(Team).where(select(Role.id).where(Role.id == Project.id).exists()),
        select(Project).where(select(ApiKey.id).where(ApiKey.project_id == Project.id).exists()),
        select(Project).where(select(func.count()).select_from(_table(Project)).scalar_subquery() > 0),
        select(Team.id).union_all(select(Team.id)),
        select(UserSession),
        select(EmailToken.token_hash),
        select(User).join(UserSession, UserSession.user_id == User.id),
        select(Team).where(Team.id.in_(select(UserSession.id))),
        insert(Team).values(name="Eve", organisation_id=mine.organisation.id),
        update(_table(Team)).values(name="Eve"),
        delete(UserSession),
    )
    for statement in statements:
        async with database.of_organisation(mine.organisation.id) as session:
            with pytest.raises(CrossTenantError):
                await session.execute(statement)


async def test_rows_of_others_are_not_written(database: Database, mine: Tenant, other: Tenant) -> None:
    async def refused(session: AsyncSession) -> bool:
        try:
            await session.flush()
        except CrossTenantError:
            session.expunge_all()
            return True
        return False

    async with database.of_organisation(mine.organisation.id) as session:
        for row in (
            Team(organisation_id=other.organisation.id, name="Eve"),
            ApiKey(project_id=other.project.id, name="Eve", key_hash="eve", prefix="rk_eve"),
            ApiKey(project_id=mine.project.id, name="Eve", key_hash="eve", prefix="rk_eve"),
            UserSession(user_id=mine.user.id, kind="browser", token_hash="eve"),
            User(email="eve@example.com", name="Eve"),
        ):
            session.add(row)
            assert await refused(session), row
    async with database.of_project(mine.project) as session:
        session.add(ApiKey(project_id=mine.second.id, name="Eve", key_hash="eve", prefix="rk_eve"))
        assert await refused(session)
    async with database.of_organisation(mine.organisation.id) as session:
        team = await session.get_one(Team, mine.team.id)
        team.organisation_id = other.organisation.id
        assert await refused(session)


async def test_postgresql_itself_refuses_rows_that_mix_two_organisations(
    database: Database, mine: Tenant, other: Tenant
) -> None:
    async def add(row: Base) -> None:
        async with database.of_all() as session:
            session.add(row)

    here = mine.organisation.id
    with pytest.raises(IntegrityError):
        await add(TeamMember(organisation_id=here, team_id=mine.team.id, user_id=other.user.id))
    with pytest.raises(IntegrityError):
        await add(TeamMember(organisation_id=here, team_id=other.team.id, user_id=mine.user.id))
    async with database.of_organisation(other.organisation.id) as session:
        role_id = (await session.scalars(select(Role.id))).first()
    with pytest.raises(IntegrityError):
        await add(Grant(organisation_id=here, project_id=mine.project.id, user_id=mine.user.id, role_id=role_id))


async def test_whatever_goes_around_the_session_postgresql_keeps_to_the_tenant(
    database: Database, mine: Tenant, other: Tenant
) -> None:
    theirs = {"id": other.team.id}
    async with database.of_organisation(mine.organisation.id) as session:
        connection = await session.connection()
        for table in ("organisations", "users", "projects", "roles", "memberships", "teams", "api_keys"):
            column = {"organisations": "id", "users": "id", "api_keys": "project_id"}.get(table, "organisation_id")
            own = {
                "organisations": {mine.organisation.id},
                "users": {mine.user.id},
                "api_keys": {mine.project.id, mine.second.id},
            }.get(table, {mine.organisation.id})
            assert {found for (found,) in await connection.execute(text(f"select {column} from {table}"))} == own
        for table in ("sessions", "spent_tokens", "email_tokens", "recovery_codes"):
            assert (await connection.execute(text(f"select count(*) from {table}"))).scalar_one() == 0
        renamed = await connection.execute(text("update teams set name = 'Taken' where id = :id"), theirs)
        deleted = await connection.execute(text("delete from teams where id = :id"), theirs)
        assert (renamed.rowcount, deleted.rowcount) == (0, 0)
    for statement in (
        "insert into teams (organisation_id, name) values (:id, 'Eve')",
        "update teams set organisation_id = :id",
        "update api_keys set project_id = :project",
    ):
        values = {"id": other.organisation.id, "project": other.project.id}
        with pytest.raises(DBAPIError, match="row-level security"):
            await _run(database, mine, statement, values)
    with pytest.raises(CrossTenantError):
        async with database.of_organisation(mine.organisation.id) as session:
            await session.execute(update(Team), [{"id": other.team.id, "name": "Taken"}])
    async with database.of_project(mine.project) as session:
        connection = await session.connection()
        assert (await connection.execute(text("select id from projects"))).scalars().all() == [mine.project.id]


async def _run(database: Database, tenant: Tenant, statement: str, values: dict[str, int]) -> None:
    async with database.of_organisation(tenant.organisation.id) as session:
        named = {name: value for name, value in values.items() if f":{name}" in statement}
        await (await session.connection()).execute(text(statement), named)


async def test_a_row_without_an_owner_becomes_the_scopes_own(database: Database, mine: Tenant) -> None:
    async with database.of_project(mine.project) as session:
        session.add(ApiKey(name="key", key_hash=uuid4().hex, prefix="rk_"))
        session.add(Team(name="Sales"))
    async with database.of_all() as session:
        named = select(Team.organisation_id).where(Team.name == "Sales").order_by(Team.id.desc()).limit(1)
        assert await session.scalar(named) == mine.organisation.id


async def test_two_changes_that_wait_for_each_other_are_no_sign_that_postgresql_is_away(
    database: Database, mine: Tenant, other: Tenant
) -> None:
    both_hold_one = asyncio.Barrier(2)

    async def rename(first: User, second: User) -> None:
        async with database.of_all() as session:
            await session.execute(update(User).where(User.id == first.id).values(name="Grace"))
            await both_hold_one.wait()
            await session.execute(update(User).where(User.id == second.id).values(name="Grace"))

    attempts = [rename(mine.user, other.user), rename(other.user, mine.user)]
    undone = [each for each in await asyncio.gather(*attempts, return_exceptions=True) if each is not None]
    assert [type(each) for each in undone] == [ChangedAtOnceError]
    async with database.of_all() as session:
        names = await session.scalars(select(User.name).where(User.id.in_((mine.user.id, other.user.id))))
        assert set(names) == {"Grace"}


def test_only_who_finds_out_who_asks_sees_all_tenants() -> None:
    root = Path(tenancy.__file__).parents[2]
    seeing = {path.relative_to(root).as_posix() for path in root.glob("api/**/*.py") if ".of_all(" in path.read_text()}
    assert seeing == {
        "api/access/service.py",
        # A person is nobody's alone, and is known before it is known where he belongs.
        "api/accounts/own_factors.py",
        "api/accounts/proof.py",
        "api/accounts/purging.py",
        "api/accounts/recovery.py",
        "api/accounts/service.py",
        "api/accounts/sessions.py",
        "api/audit/trail.py",
        # Files are made for everybody, and a signed link names one.
        "api/exports/maker.py",
        "api/exports/service.py",
        # Whoever has an address, or a link, says which organisation he means.
        "api/federation/service.py",
        "api/sharing/view.py",
    }

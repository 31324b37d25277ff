import re
from collections.abc import Generator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from core import metadata
from core.metadata import ApiKey, WriteKey, projects
from core.metadata.projects import InvalidProjectError
from core.warehouse.client import connect
from runtime.instance import Instance


@pytest.fixture
def session(runtime: Instance) -> Generator[Session]:
    """Return a session whose changes are undone."""
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        yield session
        session.rollback()
    engine.dispose()


def test_a_project_has_usable_defaults(session: Session) -> None:
    project = projects.create_project(session, " Shop ")
    session.refresh(project)
    assert (project.name, project.timezone, project.week_start, project.session_gap_minutes) == ("Shop", "UTC", 1, 30)
    assert project.created_at.utcoffset() is not None


@pytest.mark.parametrize(
    "timezone",
    ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "localtime", "right/UTC", "posix/UTC", "x" * 300],
)
def test_a_time_zone_that_does_not_exist_is_refused(session: Session, timezone: str) -> None:
    with pytest.raises(InvalidProjectError, match="IANA"):
        projects.create_project(session, "Shop", timezone=timezone)


def test_clickhouse_knows_every_time_zone_that_a_project_may_have(runtime: Instance) -> None:
    with connect(runtime.clickhouse_url) as client:
        known = {name for (name,) in client.query("select time_zone from system.time_zones").result_rows}
    assert projects.time_zones() - known == set()


def test_settings_that_make_no_sense_are_refused(session: Session) -> None:
    with pytest.raises(InvalidProjectError):
        projects.create_project(session, " ")
    with pytest.raises(InvalidProjectError):
        projects.create_project(session, "Shop", week_start=0)
    with pytest.raises(InvalidProjectError):
        projects.create_project(session, "Shop", session_gap_minutes=0)


def test_keys_look_as_documented_and_differ(session: Session) -> None:
    project = projects.create_project(session, "Shop")
    write_keys = {projects.create_write_key(session, project.id, "web") for _ in range(3)}
    api_keys = {projects.create_api_key(session, project.id, "page") for _ in range(3)}
    assert len(write_keys) == len(api_keys) == 3
    assert all(re.fullmatch(r"wk_[0-9A-Za-z]{32}", key) for key in write_keys)
    assert all(re.fullmatch(r"rk_[0-9A-Za-z]{40}", key) for key in api_keys)


def test_an_api_key_is_not_stored(session: Session) -> None:
    project = projects.create_project(session, "Shop")
    key = projects.create_api_key(session, project.id, "page")
    (row,) = session.execute(text("select * from api_keys where project_id = :id"), {"id": project.id}).mappings()
    assert key not in str(dict(row))
    assert row["prefix"] == key[:9]


def test_an_api_key_opens_its_project_until_it_is_revoked(session: Session) -> None:
    project, other = projects.create_project(session, "Shop"), projects.create_project(session, "Other")
    key = projects.create_api_key(session, project.id, "page")
    projects.create_api_key(session, other.id, "page")
    assert projects.find_project_by_api_key(session, key) == project
    assert projects.revoke_api_key(session, key)
    assert projects.find_project_by_api_key(session, key) is None
    assert not projects.revoke_api_key(session, key)


def test_a_key_nobody_made_opens_nothing(session: Session) -> None:
    assert projects.find_project_by_api_key(session, "rk_" + "0" * 40) is None
    assert projects.find_project_by_api_key(session, "") is None


def test_a_write_key_can_be_revoked_once(session: Session) -> None:
    project = projects.create_project(session, "Shop")
    key = projects.create_write_key(session, project.id, "web")
    assert projects.revoke_write_key(session, key)
    assert not projects.revoke_write_key(session, key)
    stored = session.query(WriteKey).filter_by(project_id=project.id).one()
    assert stored.revoked_at is not None


def test_keys_go_with_their_project(session: Session) -> None:
    project = projects.create_project(session, "Shop")
    projects.create_api_key(session, project.id, "page")
    session.execute(text("delete from projects where id = :id"), {"id": project.id})
    assert session.query(ApiKey).filter_by(project_id=project.id).count() == 0


async def test_the_same_functions_run_under_asyncio(runtime: Instance) -> None:
    engine = metadata.connect_async(runtime.database_url)
    async with AsyncSession(engine) as session:
        project = await session.run_sync(projects.create_project, "Shop", timezone="Asia/Kathmandu")
        key = await session.run_sync(projects.create_api_key, project.id, "page")
        assert await session.run_sync(projects.find_project_by_api_key, key) == project
    await engine.dispose()

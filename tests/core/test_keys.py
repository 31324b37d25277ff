from collections.abc import Generator
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from core import metadata
from core.clock import utc_now
from core.metadata import ApiKey, Project, WriteKey, keys, projects
from core.metadata.keys import InvalidKeyError, UnknownKeyError
from core.metadata.origins import InvalidOriginError
from core.metadata.projects import InvalidProjectError
from runtime.instance import Instance

WEEK = timedelta(days=7)


@pytest.fixture
def session(runtime: Instance) -> Generator[Session]:
    """Return a session whose changes are undone."""
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session:
        yield session
        session.rollback()
    engine.dispose()


@pytest.fixture
def project(session: Session) -> Project:
    """Return a project without keys."""
    return projects.create_project(session, "Shop")


def made(session: Session, project: Project) -> WriteKey:
    """Return a new write key."""
    key = keys.find_key(session, projects.create_write_key(session, project.id, "web"))
    assert isinstance(key, WriteKey)
    return key


def test_a_replaced_api_key_opens_its_project_until_its_time_is_over(session: Session, project: Project) -> None:
    old = projects.create_api_key(session, project.id, "page")
    new = keys.rotate_key(session, keys.find_key(session, old), WEEK)
    assert projects.find_project_by_api_key(session, old) == projects.find_project_by_api_key(session, new) == project
    keys.revoke_key(keys.find_key(session, old), utc_now() - timedelta(seconds=1))
    session.flush()
    assert projects.find_project_by_api_key(session, old) is None
    assert projects.find_project_by_api_key(session, new) == project


def test_a_key_that_takes_anothers_place_has_its_settings(session: Session, project: Project) -> None:
    old = made(session, project)
    keys.change_write_key(old, origins=["https://shop.example"], events_per_second=5)
    new = keys.find_key(session, keys.rotate_key(session, old, WEEK))
    assert isinstance(new, WriteKey)
    assert (new.name, new.allowed_origins, new.events_per_second) == ("web", ["https://shop.example"], 5)
    assert new.revoked_at is None
    assert old.revoked_at is not None
    assert abs(old.revoked_at - utc_now() - WEEK) < timedelta(minutes=1)


def test_a_key_that_ends_sooner_is_not_given_more_time(session: Session, project: Project) -> None:
    key = made(session, project)
    keys.rotate_key(session, key, timedelta(days=1))
    end = key.revoked_at
    keys.rotate_key(session, key, WEEK)
    assert key.revoked_at == end


def test_a_replaced_key_can_be_revoked_before_its_time(session: Session, project: Project) -> None:
    write_key, api_key = made(session, project), projects.create_api_key(session, project.id, "page")
    keys.rotate_key(session, write_key, WEEK)
    keys.rotate_key(session, keys.find_key(session, api_key), WEEK)
    assert projects.revoke_write_key(session, write_key.key)
    assert not projects.revoke_write_key(session, write_key.key)
    assert projects.revoke_api_key(session, api_key)
    assert projects.find_project_by_api_key(session, api_key) is None


def test_a_replaced_write_key_has_an_owner_for_as_long_as_it_works(session: Session, project: Project) -> None:
    key = made(session, project)
    keys.rotate_key(session, key, WEEK)
    assert projects.find_write_key(session, key.key) is key
    keys.revoke_key(key, utc_now() - timedelta(seconds=1))
    session.flush()
    assert projects.find_write_key(session, key.key) is None


def test_a_key_is_found_by_its_beginning_while_it_works(session: Session, project: Project) -> None:
    key = made(session, project)
    api_key = projects.create_api_key(session, project.id, "page")
    assert keys.find_key(session, key.key[:9]) is key
    assert isinstance(keys.find_key(session, api_key[:9]), ApiKey)
    keys.revoke_key(key, utc_now() - timedelta(seconds=1))
    session.flush()
    with pytest.raises(UnknownKeyError, match="No live key"):
        keys.find_key(session, key.key)


@pytest.mark.parametrize("beginning", ["", "wk_", "wk_123", "rk_%%%%%%", "wk_%%%%%%", "wk_______", "something else"])
def test_no_key_is_found_by_too_little(session: Session, project: Project, beginning: str) -> None:
    made(session, project)
    with pytest.raises(UnknownKeyError):
        keys.find_key(session, beginning)


def test_origins_are_kept_as_they_are_compared(session: Session, project: Project) -> None:
    key = made(session, project)
    keys.change_write_key(key, origins=["https://Shop.Example:443", "https://*.shop.example"])
    assert key.allowed_origins == ["https://*.shop.example", "https://shop.example"]
    keys.change_write_key(key, origins=[])
    assert key.allowed_origins == []
    with pytest.raises(InvalidOriginError):
        keys.change_write_key(key, origins=["shop.example"])


def test_a_rate_can_be_set_and_taken_away(session: Session, project: Project) -> None:
    key = made(session, project)
    keys.change_write_key(key, events_per_second=5)
    keys.change_write_key(key, origins=["https://shop.example"])
    assert key.events_per_second == 5
    keys.change_write_key(key, events_per_second=0)
    assert key.events_per_second is None
    with pytest.raises(InvalidKeyError):
        keys.change_write_key(key, events_per_second=-1)


def test_a_projects_keys_are_its_own(session: Session, project: Project) -> None:
    key = made(session, project)
    projects.create_api_key(session, project.id, "page")
    other = projects.create_project(session, "Other")
    made(session, other)
    listed = keys.list_keys(session, project.id)
    assert listed[0] is key
    assert [type(found) for found in listed] == [WriteKey, ApiKey]


@pytest.mark.usefixtures("project")
def test_a_name_that_another_project_has_can_be_refused(session: Session) -> None:
    with pytest.raises(InvalidProjectError, match="already"):
        projects.demand_new_name(session, " Shop ")
    projects.demand_new_name(session, "Shop 2 of nobody")


def test_a_replaced_api_key_may_no_more_than_it_might(session: Session, project: Project) -> None:
    end = utc_now() + timedelta(days=30)
    old = projects.create_api_key(session, project.id, "report", scopes=["data:query"], expires_at=end)
    new = keys.find_key(session, keys.rotate_key(session, keys.find_key(session, old), WEEK))
    assert isinstance(new, ApiKey)
    assert (new.scopes, new.expires_at, new.name) == (["data:query"], end, "report")

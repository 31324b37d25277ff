"""The migrations of PostgreSQL, forwards and backwards, on data."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from core import metadata
from core.metadata import migrate
from runtime.instance import Instance


@pytest.fixture
def engine(runtime: Instance) -> Iterator[Engine]:
    """Return an empty schema of its own, as if it were a database."""
    name = f"migrations_{uuid4().hex[:8]}"
    outer = metadata.connect(runtime.database_url, isolation_level="AUTOCOMMIT")
    with outer.connect() as connection:
        connection.execute(text(f"create schema {name}"))
    engine = metadata.connect(runtime.database_url, connect_args={"options": f"-c search_path={name}"})
    yield engine
    engine.dispose()
    with outer.connect() as connection:
        connection.execute(text(f"drop schema {name} cascade"))
    outer.dispose()


def _down(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        command.downgrade(config, revision)


def _rows(engine: Engine, statement: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def _execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_projects_and_keys_outlive_accounts_in_both_directions(engine: Engine) -> None:
    migrate.migrate(engine, "0002")
    _execute(engine, "insert into projects (name, timezone) values ('Shop', 'Europe/Berlin'), ('Blog', 'UTC')")
    _execute(engine, "insert into write_keys (project_id, key, name) values (1, 'wk_1', 'web')")
    _execute(engine, "insert into api_keys (project_id, name, key_hash, prefix) values (1, 'page', 'h', 'rk_1')")
    kept = {
        "projects": "select id, name, timezone, hash_secret from projects order by id",
        "write_keys": "select id, project_id, key, name from write_keys",
        "api_keys": "select id, project_id, name, key_hash, prefix from api_keys",
    }
    before = {table: _rows(engine, statement) for table, statement in kept.items()}
    for _ in range(2):
        migrate.migrate(engine)
        assert {table: _rows(engine, statement) for table, statement in kept.items()} == before
        assert _rows(engine, "select count(distinct organisation_id) from projects") == [(1,)]
        assert _rows(engine, "select name from roles order by id") == [
            ("owner",),
            ("admin",),
            ("analyst",),
            ("viewer",),
        ]
        # A key of before reads what it read.
        (scopes,) = _rows(engine, "select scopes from api_keys")
        assert set(scopes[0]) == {"project:read", "data:query", "persons:read", "data:export", "sql:query"}  # pyright: ignore[reportGeneralTypeIssues, reportIndexIssue, reportArgumentType]
        _execute(engine, "insert into users (email, name) values ('ada@example.com', 'Ada')")
        _execute(engine, "insert into memberships (organisation_id, user_id, role_id) select 1, 1, 1")
        _execute(
            engine,
            "insert into audit_log (organisation_id, actor_kind, actor_name, action) values (1, 'user', 'ada', 'x')",
        )
        _down(engine, "0002")
        assert {table: _rows(engine, statement) for table, statement in kept.items()} == before


def test_grants_and_the_audit_log_outlive_what_is_saved_in_both_directions(engine: Engine) -> None:
    migrate.migrate(engine, "0003")
    _execute(engine, "insert into organisations (name) values ('Shop')")
    _execute(engine, "insert into projects (name, organisation_id) values ('Shop', 1)")
    _execute(engine, "insert into users (email, name) values ('ada@example.com', 'Ada'), ('bob@example.com', 'Bob')")
    _execute(engine, "insert into memberships (organisation_id, user_id) values (1, 1), (1, 2)")
    _execute(engine, "insert into grants (organisation_id, project_id, user_id, role_id) values (1, 1, 1, 4)")
    for _ in range(2):
        migrate.migrate(engine)
        _execute(
            engine,
            "insert into saved_objects (project_id, kind, name, content, version, created_by, updated_by) "
            "values (1, 'dashboard', 'Sales', '{}', 1, 'ada', 'ada')",
        )
        of_dashboard = "insert into grants (organisation_id, project_id, dashboard_id, user_id, role_id) select 1, 1"
        _execute(engine, f"{of_dashboard}, max(id), 1, 4 from saved_objects")
        _execute(engine, f"{of_dashboard}, max(id), 2, 4 from saved_objects")
        with pytest.raises(IntegrityError):
            _execute(engine, f"{of_dashboard}, max(id), 2, 3 from saved_objects")
        said = "insert into audit_log (organisation_id, actor_kind, actor_name, action) values (1, '{}', 'x', 'x')"
        _execute(engine, said.format("link"))
        _down(engine, "0003")
        with pytest.raises(IntegrityError):
            _execute(engine, said.format("link"))
        assert _rows(engine, "select user_id, role_id from grants") == [(1, 4)]
    assert _rows(engine, "select count(*) from audit_log") == [(2,)]


def test_an_empty_database_goes_all_the_way_and_back(engine: Engine) -> None:
    for _ in range(2):
        migrate.migrate(engine)
        _down(engine, "base")
        tables = "select table_name from information_schema.tables where table_schema = current_schema"
        assert _rows(engine, tables) == [("alembic_version",)]


def test_exports_come_and_go_without_a_trace_in_what_was_there(engine: Engine) -> None:
    migrate.migrate(engine)
    _down(engine, "0003")
    _execute(engine, "insert into organisations (name) values ('First')")
    _execute(engine, "insert into projects (name, organisation_id) values ('Shop', 1)")
    projects = _rows(engine, "select * from projects")
    for _ in range(2):
        migrate.migrate(engine)
        columns = "project_id, kind, format, range_start, range_end, actor_kind, actor_name"
        _execute(engine, f"insert into exports ({columns}) values (1, 'events', 'csv', now(), now(), 'user', 'ada')")
        assert _rows(engine, "select state, rows_written, attempts from exports") == [("waiting", 0, 0)]
        _down(engine, "0003")
        assert _rows(engine, "select * from projects") == projects


def test_sessions_outlive_identity_providers_unless_one_of_them_opened_them(engine: Engine) -> None:
    migrate.migrate(engine, "0003")
    _execute(engine, "insert into users (email, name) values ('ada@example.com', 'Ada')")
    _execute(engine, "insert into memberships (organisation_id, user_id, role_id) values (1, 1, 1)")
    opened = (
        "insert into sessions (user_id, kind, expires_at, address, user_agent, token_hash) "
        "values (1, 'browser', now(), '', '', 'a')"
    )
    _execute(engine, opened)
    migrate.migrate(engine, "0005")
    # What was replaced before still ends the session when it comes back.
    assert _rows(engine, "select confirmed_at is not null, provider_id from sessions") == [(True, None)]
    _execute(
        engine,
        "insert into identity_providers (organisation_id, kind, name, issuer, client_id) "
        "values (1, 'oidc', 'Login', 'https://login.example.com', 'x')",
    )
    _execute(engine, "insert into identities values (1, 'subject', 1, 1)")
    _execute(engine, opened.replace("token_hash)", "token_hash, provider_id)").replace("'a')", "'b', 1)"))
    _down(engine, "0003")
    assert _rows(engine, "select token_hash from sessions") == [("a",)]
    assert _rows(engine, "select count(*) from memberships") == [(1,)]


def test_what_is_saved_outlives_saved_cohorts_in_both_directions(engine: Engine) -> None:
    migrate.migrate(engine, "0006")
    _execute(engine, "insert into organisations (name) values ('Shop')")
    _execute(engine, "insert into projects (name, organisation_id) values ('Shop', 1)")
    said = (
        "insert into saved_objects (project_id, kind, key, name, content, version, created_by, updated_by) "
        "values (1, '{0}', {1}, '{0}', '{{}}', 1, 'ada', 'ada')"
    )
    _execute(engine, said.format("insight", "null"))
    with pytest.raises(IntegrityError):
        _execute(engine, said.format("cohort", "'cohort_a'"))
    for _ in range(2):
        migrate.migrate(engine)
        _execute(engine, said.format("cohort", "'cohort_a'"))
        with pytest.raises(IntegrityError):
            _execute(engine, said.format("cohort", "'cohort_a'"))
        _down(engine, "0006")
        assert _rows(engine, "select kind from saved_objects") == [("insight",)]


def test_who_made_a_key_outlives_his_account_and_keys_outlive_the_column_in_both_directions(engine: Engine) -> None:
    migrate.migrate(engine, "0007")
    _execute(engine, "insert into organisations (name) values ('Shop')")
    _execute(engine, "insert into projects (name, organisation_id) values ('Shop', 1)")
    _execute(engine, "insert into users (email, name) values ('ada@example.com', 'Ada'), ('bob@example.com', 'Bob')")
    made = "insert into api_keys (project_id, name, key_hash, prefix, created_by) values (1, 'k', '{0}', 'rk_', {0})"
    for user in (1, 2):
        _execute(engine, made.format(user))
    migrate.migrate(engine)
    lent = (
        "insert into api_keys (project_id, name, key_hash, prefix, lent_to) values (1, 'm', 'm', 'rk_', 'materialise')"
    )
    _execute(engine, lent)
    _execute(engine, "delete from users where id = 2")
    makers = "select created_by from api_keys order by id"
    assert _rows(engine, makers) == [(1,), (2,), (None,)]
    _down(engine, "0007")
    assert _rows(engine, makers) == [(1,), (None,)]
    with pytest.raises(IntegrityError):
        _execute(engine, made.format(3))
    migrate.migrate(engine)
    assert _rows(engine, makers) == [(1,), (None,)]


def test_deleted_exports_are_expired_ones_to_who_goes_back(engine: Engine) -> None:
    migrate.migrate(engine, "0007")
    _execute(engine, "insert into organisations (name) values ('Shop')")
    _execute(engine, "insert into projects (name, organisation_id) values ('Shop', 1)")
    made = (
        "insert into exports (project_id, kind, format, state, actor_kind, actor_name) "
        "values (1, 'persons', 'csv', '{}', 'user', 'ada')"
    )
    _execute(engine, made.format("done"))
    with pytest.raises(IntegrityError):
        _execute(engine, made.format("deleted"))
    migrate.migrate(engine, "0008")
    _execute(engine, made.format("deleted"))
    _down(engine, "0007")
    migrate.migrate(engine, "0008")
    assert _rows(engine, "select state from exports order by id") == [("done",), ("expired",)]
    with pytest.raises(IntegrityError):
        _execute(engine, made.format("lost"))


def test_sessions_outlive_what_they_were_given_before_in_both_directions(engine: Engine) -> None:
    migrate.migrate(engine, "0009")
    _execute(engine, "insert into users (email, name) values ('ada@example.com', 'Ada')")
    for token in ("a", "b"):
        _execute(
            engine,
            "insert into sessions (user_id, kind, expires_at, address, user_agent, token_hash, previous_token_hash) "
            f"values (1, 'program', now(), '', '', '{token}2', '{token}1')",
        )
    sessions = _rows(engine, "select * from sessions order by id")
    for _ in range(2):
        migrate.migrate(engine)
        assert _rows(engine, "select * from spent_tokens") == []
        _execute(engine, "insert into spent_tokens values ('a0', 1), ('b0', 2)")
        _down(engine, "0009")
        assert _rows(engine, "select * from sessions order by id") == sessions
    migrate.migrate(engine)
    _execute(engine, "insert into spent_tokens values ('a0', 1), ('b0', 2)")
    _execute(engine, "delete from sessions where id = 1")
    assert _rows(engine, "select * from spent_tokens") == [("b0", 2)]

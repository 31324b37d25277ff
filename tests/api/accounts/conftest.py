"""The API with accounts, and people of two organisations who use it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from sqlalchemy.orm import Session

from api.accounts import passwords
from api.app import create_app
from api.settings import ApiSettings
from core import metadata
from core.metadata.organisations import create_organisation, invite, role_named
from engine.accounts import Installation, Person, new_email, signed_up
from runtime.instance import Instance


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] - pytest uses it
    """Hash passwords at the least costs: dozens of tests sign somebody in."""
    monkeypatch.setattr(passwords, "PasswordHasher", lambda: PasswordHasher.from_parameters(CHEAPEST))


@pytest.fixture
def account_settings(runtime: Instance, tmp_path: Path) -> ApiSettings:
    """Return settings that believe nothing for longer than a moment."""
    return ApiSettings.model_validate(
        {
            "clickhouse_url": runtime.clickhouse_reader_url,
            "database_url": runtime.database_url,
            "redis_url": runtime.redis_url,
            "key_cache_seconds": 0,
            "export_look_seconds": 3600,
            "secret_key": "s" * 40,
            "mail_dir": tmp_path / "mails",
        }
    )


Install = Callable[[ApiSettings], AbstractAsyncContextManager[Installation]]


@pytest.fixture
def install() -> Install:
    """Return a way to run the API with settings of one's own."""

    @asynccontextmanager
    async def installed(settings: ApiSettings) -> AsyncGenerator[Installation]:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            yield Installation(app, settings, settings.mail_dir or Path())

    return installed


@pytest.fixture
async def installation(install: Install, account_settings: ApiSettings) -> AsyncGenerator[Installation]:
    """Return the running API."""
    async with install(account_settings) as running:
        yield running


NewOwner = Callable[..., Awaitable[Person]]


@pytest.fixture
def new_owner(installation: Installation, runtime: Instance) -> NewOwner:
    """Return a way to make an organisation with somebody who owns it."""

    async def owner(name: str = "Shop", **headers: str) -> Person:
        email = new_email()
        engine = metadata.connect(runtime.database_url)
        with Session(engine) as session, session.begin():
            organisation = create_organisation(session, name).id
            role = role_named(session, organisation, "owner")
            _, token = invite(session, organisation, email, role, invited_by=None, is_mailed=False)
        engine.dispose()
        return await signed_up(installation, token, email, organisation, **headers)

    return owner


@pytest.fixture
async def owner(new_owner: NewOwner) -> Person:
    """Return the owner of an organisation."""
    return await new_owner()


Join = Callable[..., Awaitable[Person]]


@pytest.fixture
def join(installation: Installation) -> Join:
    """Return a way to let somebody join an organisation in a role."""

    async def joined(by: Person, role: str | None) -> Person:
        email = new_email()
        response = await by.client.post(f"{by.path}/invitations", json={"email": email, "role": role})
        assert response.status_code == 201, response.text
        return await signed_up(installation, installation.token_mailed(email), email, by.organisation)

    return joined

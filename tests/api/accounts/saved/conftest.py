"""Somebody who may do everything in a project that has events, and what he saves there."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from api.settings import ApiSettings
from core import metadata
from core.metadata import Project
from core.metadata.organisations import invite, role_named
from engine.accounts import Installation, Person, new_email, signed_up
from runtime.instance import Instance


@pytest.fixture
def account_settings(settings: ApiSettings, tmp_path: Any) -> ApiSettings:
    """Return settings of an API that has events to answer from."""
    return settings.model_copy(update={"mail_dir": tmp_path / "mails"})


@pytest.fixture
async def shop(installation: Installation, runtime: Instance, modelled: Any) -> Person:
    """Return an owner of the organisation whose projects have events."""
    email = new_email()
    engine = metadata.connect(runtime.database_url)
    with Session(engine) as session, session.begin():
        organisation = session.get_one(Project, modelled.berlin.id).organisation_id
        role = role_named(session, organisation, "owner")
        _, token = invite(session, organisation, email, role, invited_by=None, is_mailed=False)
    engine.dispose()
    return await signed_up(installation, token, email, organisation)


@pytest.fixture
def project(modelled: Any) -> str:
    """Return the address of the project that has events."""
    return f"/v1/projects/{modelled.berlin.id}"


TREND: dict[str, Any] = {
    "kind": "trend",
    "from": "2025-03-01",
    "to": "2025-04-01",
    "interval": "week",
    "series": [{"name": "buyers", "event": "purchase", "measure": "persons"}],
}
Save = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def save(shop: Person, project: str) -> Save:
    """Return a way to save something in the project: a question, unless told otherwise."""

    async def saved(to: str = "saved-insights", by: Person = shop, **said: Any) -> dict[str, Any]:
        body = said if to != "saved-insights" else {"name": "Buyers", "query": TREND} | said
        response = await by.client.post(f"{project}/{to}", json=body)
        assert response.status_code == 201, response.text
        assert response.headers["etag"] == '"1"'
        return response.json()

    return saved


@pytest.fixture
def put(shop: Person, project: str) -> Callable[..., Awaitable[httpx.Response]]:
    """Return a way to change something of which a version was seen."""

    async def changed(path: str, seen: int, by: Person = shop, **said: Any) -> httpx.Response:
        return await by.client.put(f"{project}/{path}", json=said, headers={"if-match": f'"{seen}"'})

    return changed

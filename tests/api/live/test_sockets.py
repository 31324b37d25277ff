"""The same stream over a WebSocket: tickets, origins, and how it ends."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.settings import ApiSettings
from core.metadata import projects
from engine.forwarding import at_port
from engine.streams import Publisher, landed
from runtime.instance import Instance
from runtime.project_keys import ProjectKeys, create_project
from runtime.transactions import in_transaction
from tests.api.live.conftest import Serve, Served


def _address(api: Served, project_id: int | str, **query: Any) -> str:
    return f"{api.socket_url}/v1/projects/{project_id}/live/socket?{urlencode(query, doseq=True)}"


def _bearer(project: ProjectKeys) -> dict[str, str]:
    return {"authorization": f"Bearer {project.api_key}"}


@asynccontextmanager
async def _socket(
    api: Served, project: ProjectKeys, *, origin: str | None = None, **query: Any
) -> AsyncGenerator[ClientConnection]:
    headers = {} if "ticket" in query else _bearer(project)
    if origin is not None:
        headers["origin"] = origin
    async with connect(_address(api, project.id, **query), additional_headers=headers, close_timeout=1) as socket:
        yield socket


async def _next(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            said = json.loads(await socket.recv())
            if said["kind"] == kind:
                return said


async def _refusal(api: Served, project: ProjectKeys, *, origin: str | None = None, **query: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        async with _socket(api, project, origin=origin, **query):
            pass
    answer = refused.value.response
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, json.loads(answer.body)["code"]


async def _ticket(api: Served, project: ProjectKeys) -> str:
    async with httpx.AsyncClient(base_url=api.url) as client:
        answer = await client.post(f"/v1/projects/{project.id}/live/tickets", headers=_bearer(project))
    assert answer.status_code == 200, answer.text
    return answer.json()["ticket"]


@pytest.fixture
def other(runtime: Instance) -> ProjectKeys:
    """Return another tenant's project."""
    return create_project(runtime.database_url, "other", key_name="test")


async def test_a_socket_says_what_an_event_stream_says(api: Served, project: ProjectKeys, publisher: Publisher) -> None:
    async with _socket(api, project, event=["buy", "view"], max_per_second=2) as socket:
        await _next(socket, "hello")
        await publisher.publish(project.id, landed(project.id, "m0", event="other"))
        await publisher.publish(
            project.id, *(landed(project.id, f"m{number}", properties='{"a":"\\n"}') for number in (1, 2, 3))
        )
        said = await _next(socket, "event")
        assert (said["data"]["message_id"], said["data"]["properties"]) == ("m1", {"a": "\n"})
        assert (await _next(socket, "dropped"))["data"] == {"over_rate": 1, "over_memory": 0, "missed": 0}
        assert api.metric("radixinsight_api_live_readers", kind="websocket") == 1
    async with _socket(api, project, last_event_id=said["id"]) as socket:
        assert (await _next(socket, "hello"))["data"]["resumed"] is True
        assert (await _next(socket, "event"))["data"]["message_id"] == "m2"


async def test_a_ticket_opens_one_socket(api: Served, project: ProjectKeys, publisher: Publisher) -> None:
    ticket = await _ticket(api, project)
    async with _socket(api, project, ticket=ticket) as socket:
        await _next(socket, "hello")
        await publisher.publish(project.id, landed(project.id, "m1"))
        assert (await _next(socket, "event"))["data"]["message_id"] == "m1"
    assert await _refusal(api, project, ticket=ticket) == (401, "ticket_invalid")


async def test_a_ticket_used_many_times_at_once_opens_one_socket(api: Served, project: ProjectKeys) -> None:
    ticket = await _ticket(api, project)

    async def opens() -> bool:
        try:
            async with _socket(api, project, ticket=ticket) as socket:
                await _next(socket, "hello")
        except InvalidStatus:
            return False
        return True

    assert sum(await asyncio.gather(*(opens() for _ in range(10)))) == 1


async def test_a_ticket_opens_no_other_project(api: Served, project: ProjectKeys, other: ProjectKeys) -> None:
    assert await _refusal(api, other, ticket=await _ticket(api, project)) == (404, "project_not_found")


@pytest.mark.parametrize("ticket", ["", "lt_", "lt_" + "x" * 43, "rk_" + "0" * 40, "*", "lt_*"])
async def test_what_is_no_ticket_opens_nothing(api: Served, project: ProjectKeys, ticket: str) -> None:
    assert await _refusal(api, project, ticket=ticket) == (401, "ticket_invalid")


async def test_a_ticket_is_worth_nothing_after_a_while(
    serve: Serve, settings: ApiSettings, project: ProjectKeys
) -> None:
    async with serve(settings.model_copy(update={"live_ticket_seconds": 1})) as api:
        ticket = await _ticket(api, project)
        await asyncio.sleep(1.2)
        assert await _refusal(api, project, ticket=ticket) == (401, "ticket_invalid")


async def test_a_ticket_of_a_key_that_was_revoked_meanwhile_opens_nothing(
    api: Served, runtime: Instance, project: ProjectKeys
) -> None:
    ticket = await _ticket(api, project)
    in_transaction(runtime.database_url, lambda session: projects.revoke_api_key(session, project.api_key))
    assert await _refusal(api, project, ticket=ticket) == (401, "ticket_invalid")


async def test_neither_tickets_nor_keys_stand_in_valkey(api: Served, runtime: Instance, project: ProjectKeys) -> None:
    ticket = await _ticket(api, project)
    async with Redis.from_url(runtime.redis_url) as redis:
        keys = [key async for key in redis.scan_iter("radixinsight:ticket:*")]
        values = [await redis.get(key) for key in keys]
        lasting = [await redis.ttl(key) for key in keys]
    assert keys
    assert 0 < min(lasting) <= max(lasting) <= 30
    stored = str([keys, values])
    assert ticket[3:] not in stored
    assert project.api_key[3:] not in stored


async def test_without_valkey_there_are_no_tickets(
    serve: Serve, settings: ApiSettings, project: ProjectKeys, free_port: int
) -> None:
    async with (
        serve(settings.model_copy(update={"redis_url": at_port(settings.redis_url, free_port)})) as api,
        httpx.AsyncClient(base_url=api.url) as client,
    ):
        answer = await client.post(f"/v1/projects/{project.id}/live/tickets", headers=_bearer(project))
        assert (answer.status_code, answer.json()["code"], answer.json()["missing"]) == (503, "unavailable", ["valkey"])
        assert await _refusal(api, project, ticket="lt_" + "x" * 43) == (503, "unavailable")


async def test_a_socket_without_key_or_ticket_is_refused_before_anything_else(api: Served) -> None:
    for project_id in (1, "one"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(_address(api, project_id, nonsense=1)):
                pass
        assert json.loads(refused.value.response.body)["code"] == "api_key_missing"


async def test_a_key_opens_no_other_projects_socket(api: Served, project: ProjectKeys, other: ProjectKeys) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(_address(api, other.id), additional_headers=_bearer(project)):
            pass
    assert json.loads(refused.value.response.body)["code"] == "project_not_found"


@pytest.mark.parametrize("query", [{"max_per_second": 0}, {"nonsense": 1}, {"filter": "{}"}, {"include": "all"}])
async def test_a_wrong_parameter_refuses_the_socket(api: Served, project: ProjectKeys, query: dict[str, Any]) -> None:
    assert await _refusal(api, project, **query) == (422, "invalid_request")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "nonsense"]
)
async def test_a_page_of_another_origin_opens_no_socket_and_uses_up_no_ticket(
    api: Served, project: ProjectKeys, origin: str
) -> None:
    ticket = await _ticket(api, project)
    assert await _refusal(api, project, origin=origin, ticket=ticket) == (403, "origin_not_allowed")
    assert await _refusal(api, project, origin=origin) == (403, "origin_not_allowed")
    async with _socket(api, project, origin=api.url, ticket=ticket) as socket:
        await _next(socket, "hello")


async def test_an_origin_that_the_settings_name_may_open_sockets(
    serve: Serve, settings: ApiSettings, project: ProjectKeys
) -> None:
    allowed = {"live_allowed_origins": "https://bi.example https://*.shop.example"}
    async with serve(settings.model_copy(update=allowed)) as api:
        for origin in ("https://bi.example", "https://a.shop.example"):
            async with _socket(api, project, origin=origin) as socket:
                await _next(socket, "hello")
        assert await _refusal(api, project, origin="https://shop.example") == (403, "origin_not_allowed")


@pytest.mark.parametrize("text", ["hello", "{}", "x" * 100_000])
async def test_a_socket_is_not_spoken_to(api: Served, project: ProjectKeys, text: str) -> None:
    async with _socket(api, project) as socket:
        await _next(socket, "hello")
        await socket.send(text)
        with pytest.raises(ConnectionClosed) as closed:
            await _next(socket, "event")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == (1003 if len(text) < 4096 else 1009)


async def test_a_stopping_process_closes_its_sockets_with_a_last_message(
    serve: Serve, settings: ApiSettings, project: ProjectKeys
) -> None:
    async with serve(settings) as api:
        socket = await connect(_address(api, project.id), additional_headers=_bearer(project))
        await _next(socket, "hello")
    said = [json.loads(text) async for text in _rest(socket)]
    assert said[-1]["data"]["reason"] == "going_away"
    assert socket.close_code == 1001


async def _rest(socket: ClientConnection) -> AsyncGenerator[str]:
    try:
        while True:
            yield str(await socket.recv())
    except ConnectionClosed:
        return

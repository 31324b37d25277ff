"""Whose word counts for where a request comes from."""

from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from api.serving import make_server


async def _whence(scope: Scope, receive: Receive, send: Send) -> None:
    client = Request(scope).client
    await PlainTextResponse(client.host if client else "")(scope, receive, send)


@pytest.mark.parametrize(
    ("trusted", "sender", "said", "believed"),
    [
        ("", "127.0.0.1", "192.0.2.7", "127.0.0.1"),
        ("", "10.0.0.1", "192.0.2.7", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "192.0.2.7", "10.0.0.2"),
        ("10.0.0.1, 10.0.0.3", "10.0.0.3", "192.0.2.7", "192.0.2.7"),
        # What stands before the last address that no proxy of ours has was written by the sender himself.
        ("10.0.0.1", "10.0.0.1", "127.0.0.1, 10.0.0.1, 192.0.2.7", "192.0.2.7"),
    ],
)
async def test_an_address_that_a_request_says_counts_from_trusted_proxies_alone(
    trusted: str, sender: str, said: str, believed: str
) -> None:
    config = make_server(_whence, "127.0.0.1", 0, before_stop=lambda: None, trusted_proxies=trusted).config
    config.load()
    app: Any = config.loaded_app
    transport = httpx.ASGITransport(app=app, client=(sender, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        assert (await client.get("/", headers={"x-forwarded-for": said})).text == believed

"""No body is read further than it may be long."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest

from engine.accounts import Installation, Person

_MOST = 65_536
_PIECE = b" " * 8_192


def _refusal(response: httpx.Response) -> tuple[int, str, str]:
    return response.status_code, response.json()["code"], response.headers["content-type"]


_TOO_LARGE = (413, "body_too_large", "application/problem+json")


@pytest.mark.parametrize("path", ["/v1/sign-in", "/v1/sign-up", "/v1/sign-in/providers/1/acs", "/v1/projects/1/query"])
async def test_a_body_without_a_length_is_read_to_the_bound_and_no_further(
    install: Callable[..., Any], installation: Installation, path: str
) -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += len(_PIECE)
            yield _PIECE

    async with install(installation.settings.model_copy(update={"max_body_bytes": _MOST})) as strict:
        refused = await strict.browser().post(path, content=endless(), headers={"content-type": "application/json"})
    assert _refusal(refused) == _TOO_LARGE
    assert refused.json()["allowed"] == _MOST
    assert sent == _MOST + len(_PIECE)


async def test_a_body_that_says_how_long_it_is_is_not_read_at_all(
    install: Callable[..., Any], installation: Installation
) -> None:
    sent: list[bytes] = []

    async def pieces() -> AsyncGenerator[bytes]:
        sent.append(_PIECE)
        yield _PIECE

    async with install(installation.settings.model_copy(update={"max_body_bytes": _MOST})) as strict:
        headers = {"content-length": str(_MOST + 1), "content-type": "application/json"}
        refused = await strict.browser().post("/v1/sign-in", content=pieces(), headers=headers)
    assert (_refusal(refused), sent) == (_TOO_LARGE, [])
    assert refused.headers["connection"] == "close"


async def test_a_body_of_just_the_bound_is_taken_in_however_many_pieces_it_comes(
    install: Callable[..., Any], installation: Installation, owner: Person
) -> None:
    body = b'{"name": "Ada"}'

    async def pieces() -> AsyncGenerator[bytes]:
        for number in range(len(body)):
            yield body[number : number + 1]
        yield b" " * (_MOST - len(body))

    async with install(installation.settings.model_copy(update={"max_body_bytes": _MOST})) as strict:
        browser = strict.browser(**{"x-csrf-token": owner.client.headers["x-csrf-token"]})
        browser.cookies.update(owner.client.cookies)
        named = await browser.patch("/v1/me", content=pieces(), headers={"content-type": "application/json"})
    assert named.status_code == 204, named.text

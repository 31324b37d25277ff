"""No body is read further than it may be long."""

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest

from core.validation import is_secret
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


@pytest.mark.parametrize(
    ("path", "body", "errors"),
    [
        ("/v1/sign-up", {"invitation": "hunter2", "name": "", "password": "hunter2"}, {"/name": "be empty"}),
        ("/v1/sign-in", {"email": "a", "password": ""}, {"/email": "at least 3 characters", "/password": "be empty"}),
        (
            "/v1/sign-in",
            {"email": "a@b.example", "pasword": "hunter2"},
            {"/password": "to be there", "/pasword": "no such"},
        ),
        ("/v1/sign-in", {"email": None, "password": "hunter2"}, {"/email": "a text, not null"}),
        ("/v1/sign-in", {"email": "a@b.example", "password": 77777}, {"/password": "a text"}),
        ("/v1/sign-in", {"email": "a@b.example", "password": "hunter2" * 200}, {"/password": "at most 1000"}),
        ("/v1/sign-in", "hunter2", {"": "mapping of keys to values, not a text"}),
        ("/v1/sign-in", [], {"": "mapping of keys to values, not a list"}),
        ("/v1/sign-in", b"{'password': 'hunter2'}", {"": "no JSON"}),
        ("/v1/sign-in", b"", {"": "to be there"}),
    ],
)
async def test_what_does_not_fit_is_pointed_at_in_plain_words_and_no_secret_is_repeated(
    installation: Installation, path: str, body: Any, errors: dict[str, str]
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"content-type": "application/json"}
    refused = await installation.browser().post(path, content=content, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), refused.text
    found = {error["pointer"]: error["message"] for error in refused.json()["errors"]}
    assert found.keys() == errors.keys()
    for pointer, words in errors.items():
        assert words in found[pointer]
        assert f"{pointer or 'the body'}: {found[pointer]}" in refused.json()["detail"]
    for secret in ("hunter2", "77777"):
        assert secret not in refused.text


async def test_of_many_that_do_not_fit_some_are_named(installation: Installation, owner: Person) -> None:
    body = {"name": "Ada"} | {f"key_{number}": number for number in range(1000)}
    refused = await owner.client.patch("/v1/me", json=body)
    assert (refused.status_code, len(refused.json()["errors"])) == (422, 50), refused.text
    assert installation


async def test_whatever_is_written_and_never_read_is_called_like_a_secret(installation: Installation) -> None:
    document = (await installation.browser().get("/openapi.json")).json()
    names = {
        name
        for schema in document["components"]["schemas"].values()
        for name, said in schema.get("properties", {}).items()
        if any(each.get("writeOnly") for each in (said, *said.get("anyOf", ())))
    }
    assert {"password", "refresh_token", "client_secret"} <= names
    assert {name for name in names if not is_secret((name,))} == set()
